"""Reading a C2PA manifest store (C2PA Technical Specification 2.x), in a process of its own: ``python -m realframe.provenance.c2pa_manifest``.

What parses strangers' bytes here is native code, whose crash ends its process, and it prints; so ``credentials`` runs this as a program.
It reaches no network: neither remote manifests nor revocation lists nor identities are fetched.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import c2pa

from realframe.provenance.origin import Credentials, SourceType, State, plain, source_of

_NO_NETWORK = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
    "core": {"allowed_network_hosts": [], "decode_identity_assertions": False},
}
_STATES: dict[str | None, State] = {"Trusted": "trusted", "Valid": "valid"}
_CHANGED = "The file was changed after it was signed."
_PROBLEMS = {
    "assertion.dataHash.mismatch": _CHANGED,
    "assertion.bmffHash.mismatch": _CHANGED,
    "assertion.boxesHash.mismatch": _CHANGED,
    "assertion.hashedURI.mismatch": "A statement in it was changed after it was signed.",
    "assertion.missing": "A statement in it was taken out after it was signed.",
    "claimSignature.mismatch": "The signature does not fit what it signs.",
    "claimSignature.missing": "It is not signed.",
    "claimSignature.outsideValidity": "It was signed at a time for which the signer's certificate does not hold.",
    "signingCredential.expired": "The signer's certificate had expired.",
    "signingCredential.invalid": "The signer's certificate may not sign such statements.",
    "signingCredential.revoked": "The signer's certificate was withdrawn.",
}
_OF_THE_STATE = "signingCredential.untrusted"  # it is said by the state
_MOST_PROBLEMS = 5
_MOST_ANCESTORS = 16
_HARMLESS = {"created", "opened", "published", "transcoded", "repackaged", "converted", "resized", "unknown", "placed", "watermarked"}


def read(path: Path, mime: str, trust_list: str) -> tuple[Credentials, str]:
    """Return the credentials in ``path`` and what they say, in words such as ``was made by AI`` (empty where nothing).

    Args:
        path: a file that holds a manifest store.
        mime: its media type.
        trust_list: certificates of those who are trusted to sign, PEM; empty for nobody.

    Raises:
        c2pa.C2paError: there is no manifest store that can be read.
    """
    settings = {**_NO_NETWORK, "trust": {"trust_anchors": trust_list}} if trust_list else _NO_NETWORK
    with path.open("rb") as stream, c2pa.Context.from_dict(settings) as context, c2pa.Reader(mime, stream, context=context) as reader:
        store: dict[str, Any] = json.loads(reader.json())
    active = store["manifests"][store["active_manifest"]]
    said, signature = _statement(store), active.get("signature_info") or {}
    credentials = Credentials(
        state=_STATES.get(store.get("validation_state"), "invalid"),
        says=said.says,
        signed_by=_signer(signature),
        generator=_generator(active),
        signed_at=plain(signature.get("time") or ""),
        problems=_problems(store.get("validation_status") or []),
    )
    return credentials, said.words


def _signer(signature: Mapping[str, Any]) -> str:
    names = dict.fromkeys(plain(signature.get(name) or "") for name in ("common_name", "issuer"))
    return plain(", ".join(name for name in names if name))


def _generator(manifest: Mapping[str, Any]) -> str:
    program = next(iter(manifest.get("claim_generator_info") or []), None) or {"name": manifest.get("claim_generator") or ""}
    return plain(f"{program.get('name') or ''} {program.get('version') or ''}")


def _problems(failures: list[dict[str, Any]]) -> tuple[str, ...]:
    named = ((failure["code"], failure.get("explanation") or "") for failure in failures if failure["code"] != _OF_THE_STATE)
    words = (_PROBLEMS.get(code) or f"A check failed: {plain(f'{explanation} ({code})')}." for code, explanation in named)
    return tuple(dict.fromkeys(words))[:_MOST_PROBLEMS]


def _statement(store: Mapping[str, Any]) -> SourceType:
    """Return what the active manifest and those of the files that it was made from say: AI anywhere outweighs edits, edits a camera."""
    actions = [action for manifest in _line(store) for action in _actions(manifest)]
    named = [source for action in actions if (source := source_of(str(action.get("digitalSourceType") or "")))]
    found = {source.says: source for source in reversed(named)}
    if "ai-generated" in found:
        return found["ai-generated"]
    if any(str(action.get("action")).removeprefix("c2pa.") not in _HARMLESS for action in actions):
        return SourceType("edited", f"{found['camera'].words} and edited afterwards" if "camera" in found else "was edited")
    return found.get("edited") or found.get("camera") or found.get("unknown") or SourceType("unknown", "")


def _line(store: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the active manifest, that of the file from which its file was made, and so on."""
    label, seen = store["active_manifest"], set[str]()
    while label in store["manifests"] and label not in seen and len(seen) < _MOST_ANCESTORS:
        seen.add(label)
        manifest = store["manifests"][label]
        yield manifest
        parents = (part for part in manifest.get("ingredients") or [] if part.get("relationship") == "parentOf")
        label = next((part.get("active_manifest") for part in parents), None)


def _actions(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for assertion in manifest.get("assertions") or []:
        if str(assertion.get("label")).startswith("c2pa.actions"):
            yield from assertion["data"].get("actions") or []


def main() -> None:
    """Print what ``read`` returns as JSON; ``null`` where the file named by the first argument holds no manifest store, or a far one."""
    try:
        credentials, words = read(Path(sys.argv[1]), sys.argv[2], sys.stdin.read())
    except c2pa.C2paError as error:
        if not isinstance(error, c2pa.C2paError.ManifestNotFound) and not str(error).startswith("Remote"):
            raise
        print("null")
    else:
        print(json.dumps({"credentials": asdict(credentials), "words": words}))


if __name__ == "__main__":
    main()
