"""Open registered versions for detection: only as they were registered and, where a decision exists, as they were decided on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from realframe.errors import MetadataError, RegistryError
from realframe.registry import answer_bundle, model_registry
from realframe.registry.detector_folder import AnswerBundle
from realframe.registry.model_version import ModelVersion
from realframe.settings import get_settings
from realframe.store.repository import open_store
from realframe.store.user_documents import LedgerEntry

log = logging.getLogger(__name__)


@contextmanager
def open_version(model_ref: str) -> Iterator[AnswerBundle]:
    """Yield the bundle of a version, by its number or alias. Raises RegistryError if there is none, or something was changed."""
    with open_approved_bundle(model_registry.resolve_version(model_ref)) as bundle:
        yield bundle


@contextmanager
def open_approved_bundle(version: ModelVersion) -> Iterator[AnswerBundle]:
    """Yield the bundle of a version. Raises RegistryError if something in it is missing or was changed.

    Where the ledger cannot be read, the bundle is compared with the registry only, and a warning is logged.
    """
    with answer_bundle.open_registered(version) as bundle:
        _compare_with_ledger(version, bundle.digest)
        yield bundle


def check_local_bundle(version: ModelVersion) -> None:
    """Check the bundle of a version if it is in a folder of this machine, before cached answers of the version are used.

    A bundle on a server is checked when it is downloaded, which is when the version scores a file.
    """
    if answer_bundle.is_on_this_machine(version):
        with open_approved_bundle(version):
            pass


def _compare_with_ledger(version: ModelVersion, digest: str) -> None:
    try:
        with open_store(get_settings()) as store:
            entries = store.find(LedgerEntry, {"version": version.version})
    except MetadataError as error:
        log.warning("version %s is compared with the registry only: the ledger cannot be read: %s", version.version, error)
        return
    decisions = [entry for entry in entries if entry.model_sha256 == version.sha256]  # of this file, not of a registry that was replaced
    if not decisions:
        return
    newest = max(decisions, key=lambda entry: entry.sequence)
    if (newest.evidence.get("candidate") or {}).get("answer_digest") != digest:
        reason = f"what decides its answers differs from what ledger entry {newest.sequence} was about: {newest.action.replace('_', ' ')}"
        hint = (
            "Check the ledger: `realframe registry verify`. Restore the version from a backup, or roll back: `realframe registry rollback`."
        )
        raise RegistryError(f"version {version.version}", reason, hint)
