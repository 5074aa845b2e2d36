"""Read a C2PA manifest store (C2PA Technical Specification 2.x): ``python -m realframe.provenance.c2pa_manifest``.

The parser is native code: on hostile bytes it may crash, and it prints messages. So ``content_credentials`` runs this module in a
process of its own. It does not use the network: remote manifests, revocation lists and identities are not fetched.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import c2pa

from realframe.provenance.origin import Credentials, CredentialState, SourceType, clean_text, find_source_type

_NO_NETWORK = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
    "core": {"allowed_network_hosts": [], "decode_identity_assertions": False},
}
_STATES: dict[str | None, CredentialState] = {"Trusted": "trusted", "Valid": "valid"}
_CHANGED = "The file was changed after it was signed."
_PROBLEMS = {
    "assertion.dataHash.mismatch": _CHANGED,
    "assertion.bmffHash.mismatch": _CHANGED,
    "assertion.boxesHash.mismatch": _CHANGED,
    "assertion.hashedURI.mismatch": "A statement in it was changed after it was signed.",
    "assertion.missing": "A statement in it was removed after it was signed.",
    "claimSignature.mismatch": "The signature does not match the signed data.",
    "claimSignature.missing": "It is not signed.",
    "claimSignature.outsideValidity": "It was signed at a time when the signer's certificate was not valid.",
    "signingCredential.expired": "The signer's certificate had expired.",
    "signingCredential.invalid": "The signer's certificate is not allowed to sign such statements.",
    "signingCredential.revoked": "The signer's certificate was revoked.",
}
_UNTRUSTED = "signingCredential.untrusted"  # the state already shows it
_MAX_PROBLEMS = 5
_MAX_ANCESTORS = 16
_NON_EDITING_ACTIONS = {
    "created",
    "opened",
    "published",
    "transcoded",
    "repackaged",
    "converted",
    "resized",
    "unknown",
    "placed",
    "watermarked",
}


def read_manifest(path: Path, mime: str, trust_list: str) -> tuple[Credentials, str]:
    """Return the credentials of a file and a predicate about it, such as ``was made by AI``; the predicate is empty if they state none.

    Args:
        path: a file with a manifest store.
        mime: its media type.
        trust_list: certificates of trusted signers, PEM; empty if there are none.

    Raises:
        c2pa.C2paError: the file has no readable manifest store.
    """
    settings = {**_NO_NETWORK, "trust": {"trust_anchors": trust_list}} if trust_list else _NO_NETWORK
    with path.open("rb") as stream, c2pa.Context.from_dict(settings) as context, c2pa.Reader(mime, stream, context=context) as reader:
        manifest_store: dict[str, Any] = json.loads(reader.json())
    active = manifest_store["manifests"][manifest_store["active_manifest"]]
    source_type, signature = _find_source_type(manifest_store), active.get("signature_info") or {}
    credentials = Credentials(
        state=_STATES.get(manifest_store.get("validation_state"), "invalid"),
        origin=source_type.origin,
        signed_by=_describe_signer(signature),
        generator=_describe_generator(active),
        signed_at=clean_text(signature.get("time") or ""),
        problems=_describe_problems(manifest_store.get("validation_status") or []),
    )
    return credentials, source_type.description


def _describe_signer(signature: Mapping[str, Any]) -> str:
    names = dict.fromkeys(clean_text(signature.get(name) or "") for name in ("common_name", "issuer"))
    return clean_text(", ".join(name for name in names if name))


def _describe_generator(manifest: Mapping[str, Any]) -> str:
    program = next(iter(manifest.get("claim_generator_info") or []), None) or {"name": manifest.get("claim_generator") or ""}
    return clean_text(f"{program.get('name') or ''} {program.get('version') or ''}")


def _describe_problems(failures: list[dict[str, Any]]) -> tuple[str, ...]:
    failed_checks = ((failure["code"], failure.get("explanation") or "") for failure in failures if failure["code"] != _UNTRUSTED)
    words = (_PROBLEMS.get(code) or f"A check failed: {clean_text(f'{explanation} ({code})')}." for code, explanation in failed_checks)
    return tuple(dict.fromkeys(words))[:_MAX_PROBLEMS]


def _find_source_type(manifest_store: Mapping[str, Any]) -> SourceType:
    """Return the most important statement of the active manifest and its ancestors: AI first, then edits, then a camera."""
    actions = [action for manifest in _iter_ancestry(manifest_store) for action in _iter_actions(manifest)]
    sources = [source for action in actions if (source := find_source_type(str(action.get("digitalSourceType") or "")))]
    source_by_origin = {source.origin: source for source in reversed(sources)}
    if "ai-generated" in source_by_origin:
        return source_by_origin["ai-generated"]
    if any(str(action.get("action")).removeprefix("c2pa.") not in _NON_EDITING_ACTIONS for action in actions):
        return SourceType(
            "edited", f"{source_by_origin['camera'].description} and edited afterwards" if "camera" in source_by_origin else "was edited"
        )
    return source_by_origin.get("edited") or source_by_origin.get("camera") or source_by_origin.get("unknown") or SourceType("unknown", "")


def _iter_ancestry(manifest_store: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the active manifest, then that of the file from which its file was made, and so on."""
    label, visited = manifest_store["active_manifest"], set[str]()
    while label in manifest_store["manifests"] and label not in visited and len(visited) < _MAX_ANCESTORS:
        visited.add(label)
        manifest = manifest_store["manifests"][label]
        yield manifest
        parents = (part for part in manifest.get("ingredients") or [] if part.get("relationship") == "parentOf")
        label = next((part.get("active_manifest") for part in parents), None)


def _iter_actions(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for assertion in manifest.get("assertions") or []:
        if str(assertion.get("label")).startswith("c2pa.actions"):
            yield from assertion["data"].get("actions") or []


def main() -> None:
    """Print the result of ``read_manifest`` as JSON; its ``credentials`` are null if the file has no manifest store, or only a remote one.

    The arguments are the path and the media type of the file; standard input is the trust list.
    """
    try:
        credentials, description = read_manifest(Path(sys.argv[1]), sys.argv[2], sys.stdin.read())
    except c2pa.C2paError as error:
        is_remote = str(error).startswith("Remote")
        if not isinstance(error, c2pa.C2paError.ManifestNotFound) and not is_remote:
            raise
        print(json.dumps({"credentials": None, "description": "", "is_remote": is_remote}))
    else:
        print(json.dumps({"credentials": asdict(credentials), "description": description, "is_remote": False}))


if __name__ == "__main__":
    main()
