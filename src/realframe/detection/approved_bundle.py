"""Open registered versions for detection: only as they were registered and, where a decision exists, as they were decided on.

An approval may record kinds that are judged although the version is not shown to be competent on them (``judged_kinds`` of its evidence).
They decide answers too, so they are part of the key of an answer.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from realframe.errors import MetadataError, RegistryError
from realframe.registry import answer_bundle, model_registry
from realframe.registry.detector_folder import AnswerBundle, make_answer_key
from realframe.registry.model_version import ModelVersion
from realframe.settings import get_settings
from realframe.store.repository import open_store
from realframe.store.user_documents import JUDGED_KINDS, LedgerEntry

log = logging.getLogger(__name__)


@contextmanager
def open_version(model_ref: str) -> Iterator[AnswerBundle]:
    """Yield the bundle of a version, by its number or alias. Raises RegistryError if there is none, or something was changed."""
    with open_approved_bundle(model_registry.resolve_version(model_ref)) as bundle:
        yield bundle


@contextmanager
def open_approved_bundle(version: ModelVersion) -> Iterator[AnswerBundle]:
    """Yield the bundle of a version. Raises RegistryError if something in it is missing or was changed.

    Where the ledger cannot be read, the bundle is compared with the registry only, no incompetent kind is judged, and a warning is logged.
    """
    with answer_bundle.open_registered(version) as bundle:
        decisions = _read_decisions_or_warn(version)
        _compare_with_ledger(version, decisions, bundle.digest)
        yield replace(bundle, judged_kinds=find_judged_kinds(decisions))


def check_serving_bundles() -> None:
    """Check what decides the answers of the champion and the challenger. Raises RegistryError."""
    for version in model_registry.list_versions():
        if {model_registry.CHAMPION, model_registry.CHALLENGER} & set(version.aliases):
            with open_approved_bundle(version):
                pass


def find_answer_key(version: ModelVersion) -> str:
    """Return what identifies the answers of a version as it is now; see ``AnswerBundle.answer_key``. Raises MetadataError."""
    return make_answer_key(version.answer_digest, find_judged_kinds(_read_decisions(version)))


def find_judged_kinds(decisions: Iterable[LedgerEntry]) -> dict[str, str]:
    """Return the kinds that the last approval among the decisions on a version lets be judged, with the reason.

    A rejection or a request for changes after it ends this; a rollback to the version does not.
    """
    judged: dict[str, str] = {}
    for entry in sorted(decisions, key=lambda entry: entry.sequence):
        if entry.action == "approve":
            judged = dict(entry.evidence.get(JUDGED_KINDS) or {})
        elif entry.action in ("reject", "request_changes"):
            judged = {}
    return judged


def _read_decisions(version: ModelVersion) -> list[LedgerEntry]:
    with open_store(get_settings()) as store:
        entries = store.find(LedgerEntry, {"version": version.version})
    return [entry for entry in entries if entry.model_sha256 == version.sha256]  # of this file, not of a registry that was replaced


def check_local_bundle(version: ModelVersion) -> None:
    """Check the bundle of a version if it is in a folder of this machine, before cached answers of the version are used.

    A bundle on a server is checked when it is downloaded, which is when the version scores a file.
    """
    if answer_bundle.is_on_this_machine(version):
        with open_approved_bundle(version):
            pass


def _read_decisions_or_warn(version: ModelVersion) -> list[LedgerEntry]:
    try:
        return _read_decisions(version)
    except MetadataError as error:
        log.warning("version %s is compared with the registry only: the ledger cannot be read: %s", version.version, error)
        return []


def _compare_with_ledger(version: ModelVersion, decisions: list[LedgerEntry], digest: str) -> None:
    if not decisions:
        return
    newest = max(decisions, key=lambda entry: entry.sequence)
    if (newest.evidence.get("candidate") or {}).get("answer_digest") != digest:
        reason = f"what decides its answers differs from what ledger entry {newest.sequence} was about: {newest.action.replace('_', ' ')}"
        hint = (
            "Check the ledger: `realframe registry verify`. Restore the version from a backup, or roll back: `realframe registry rollback`."
        )
        raise RegistryError(f"version {version.version}", reason, hint)
