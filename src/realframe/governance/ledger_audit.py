"""Compare the ledger with everything outside its store that knows of a decision, and find what was changed or removed.

Outside are the heads anchored in git, the entry ids noted on the model versions in MLflow, and the digests of what decides their answers.
What they know and the ledger lacks is an alarm. It stays open, and nothing is repaired and no decision is recorded, until the ledger is
restored or a person settles the alarm (``decisions.settle``), which is an entry of the ledger itself.

Read in this order: versions, anchors, ledger. A decision is written to the ledger first, so one that is recorded meanwhile is no alarm.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from realframe.errors import LedgerError, RunError
from realframe.governance import ledger
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.runs import ledger_anchor
from realframe.runs.ledger_anchor import AnchoredHeads, RemoteAnchors
from realframe.settings import get_settings
from realframe.store.repository import Store
from realframe.store.user_documents import LedgerEntry

SETTLED = "settled"
"""In the evidence of a settlement: the alarms that it settles."""
ALARM_HINT = f"{ledger.RESTORE_HINT} Or look into it, and settle it with your reason: `realframe registry settle --reason WHY`."


@dataclass(frozen=True)
class LedgerAlarm:
    """A contradiction between the ledger and what is stored elsewhere.

    Attributes:
        subject: the ledger entry or the version.
        reason: what is wrong.
        content: digests that identify the contradiction, so that a later one at the same place is another alarm.
    """

    subject: str
    reason: str
    content: str

    @property
    def key(self) -> str:
        """Identifies it in a settlement; the reason does not, since its words follow the state of the ledger."""
        return f"{self.subject}: {self.content}"

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"


@dataclass(frozen=True)
class LedgerAudit:
    """The outcome of an audit.

    Attributes:
        chain: the entries, oldest first.
        open_alarms: the alarms that nobody has settled.
        settled_alarms: those that a person has settled.
        unanchored: the entries whose head is not anchored in git.
        remarks: sentences that are no alarms: what is not anchored, not pushed, or could not be compared.
        is_anchoring_impossible: git cannot be used here.
    """

    chain: list[LedgerEntry]
    open_alarms: list[LedgerAlarm]
    settled_alarms: list[LedgerAlarm]
    unanchored: list[LedgerEntry]
    remarks: list[str]
    is_anchoring_impossible: bool


def audit_ledger(store: Store, *, includes_remote: bool = False) -> LedgerAudit:
    """Compare the ledger with the anchors and the registry.

    Args:
        store: of the ledger.
        includes_remote: also compare with the git remote, over the network; call it without a lock.

    Raises:
        MetadataError: the store cannot be reached.
    """
    settings, remote = get_settings(), RemoteAnchors()
    if includes_remote:
        try:
            remote = ledger_anchor.compare_remote(settings)
        except RunError as error:
            remote = RemoteAnchors(note=f"The git remote {settings.git_remote} was not compared: {error.reason}.")
    versions = model_registry.list_versions()
    anchors = ledger_anchor.read_heads(settings)
    return _audit(ledger.list_entries(store), versions, anchors, remote)


def find_open_alarms(chain: list[LedgerEntry], versions: Sequence[ModelVersion], anchors: AnchoredHeads) -> list[LedgerAlarm]:
    """Return the alarms that nobody has settled, of values that were read in the order that this module states."""
    return _audit(chain, versions, anchors, RemoteAnchors()).open_alarms


def list_ledger_alarms(store: Store) -> list[str]:
    """Return a warning for each open alarm, for pages and commands. Raises MetadataError."""
    return [f"The ledger is contradicted: {alarm}. {ALARM_HINT}" for alarm in audit_ledger(store).open_alarms]


def require_no_alarm(store: Store) -> None:
    """Raise LedgerError if an alarm is open: a decision must not be built on a ledger that was changed."""
    for alarm in audit_ledger(store).open_alarms:
        raise LedgerError(alarm.subject, alarm.reason, ALARM_HINT)


def _audit(chain: list[LedgerEntry], versions: Sequence[ModelVersion], anchors: AnchoredHeads, remote: RemoteAnchors) -> LedgerAudit:
    unanchored = [entry for entry in chain if ledger.format_entry_id(entry) not in anchors.heads]
    alarms = [*_chain_alarms(chain), *_anchor_alarms(chain, anchors), *_note_alarms(chain, versions)]
    alarms += [LedgerAlarm("git remote", remote.problem.rstrip("."), f"{remote.lost} {remote.commit}")] if remote.problem else []
    settled = _settled_keys(chain, anchors)
    return LedgerAudit(
        chain=chain,
        open_alarms=[alarm for alarm in alarms if alarm.key not in settled],
        settled_alarms=[alarm for alarm in alarms if alarm.key in settled],
        unanchored=unanchored,
        remarks=[*_describe_unanchored(chain, unanchored, anchors), *([remote.note] if remote.note else [])],
        is_anchoring_impossible=bool(anchors.unavailable),
    )


def _chain_alarms(chain: list[LedgerEntry]) -> Iterator[LedgerAlarm]:
    entries = {entry.sequence: entry for entry in chain}
    for number, reason in ledger.find_chain_faults(chain):
        content = ledger.compute_entry_hash(entries[number]) if number in entries else "missing"
        yield LedgerAlarm(f"ledger entry {number}", reason, content)


def _anchor_alarms(chain: list[LedgerEntry], anchors: AnchoredHeads) -> Iterator[LedgerAlarm]:
    known = {ledger.format_entry_id(entry) for entry in chain}
    sequences = {entry.sequence for entry in chain}
    for head in sorted(anchors.heads - known, key=lambda head: int(head.split()[0])):
        number = int(head.split()[0])
        change = "was replaced: the entry in the ledger is another one" if number in sequences else "was removed: the ledger lacks it"
        yield LedgerAlarm(f"ledger entry {number}", f"is anchored in git, and {change}", head)


def _note_alarms(chain: list[LedgerEntry], versions: Sequence[ModelVersion]) -> Iterator[LedgerAlarm]:
    entries = {ledger.format_entry_id(entry): entry for entry in chain}
    for version in versions:
        if not version.decision:
            continue
        subject, number, entry = f"version {version.version}", version.decision.split()[0], entries.get(version.decision)
        if entry is None:
            reason = f"the decision that is noted on it in MLflow, ledger entry {number}, is not in the ledger"
            yield LedgerAlarm(subject, reason, version.decision)
        elif (entry.version, entry.model_sha256) != (version.version, version.sha256):
            reason = f"the decision that is noted on it in MLflow, ledger entry {number}, is about another version or another file"
            yield LedgerAlarm(subject, reason, f"{version.decision} {version.sha256}")
        elif _decided_digest(entry) not in ("", version.answer_digest):
            reason = f"what decides its answers is registered with another digest than in ledger entry {number}"
            yield LedgerAlarm(subject, reason, f"{version.decision} {version.answer_digest}")


def _decided_digest(entry: LedgerEntry) -> str:
    return str((entry.evidence.get("candidate") or {}).get("answer_digest", ""))


def _settled_keys(chain: list[LedgerEntry], anchors: AnchoredHeads) -> set[str]:
    """Return the alarms that were settled; a settlement that was written past realframe has no anchor, and has no effect."""
    entries = [entry for entry in chain if entry.action == "settle"]
    valid = [entry for entry in entries if anchors.unavailable or ledger.format_entry_id(entry) in anchors.heads]
    return {str(key) for entry in valid for key in entry.evidence.get(SETTLED, ())}


def _describe_unanchored(chain: list[LedgerEntry], unanchored: list[LedgerEntry], anchors: AnchoredHeads) -> Iterator[str]:
    if anchors.unavailable and chain:
        yield f"{anchors.unavailable} A ledger that is written anew as a whole cannot be detected here."
    elif unanchored:
        numbers = ", ".join(str(entry.sequence) for entry in unanchored)
        yield (
            f"Not anchored in this repository: ledger {'entry' if len(unanchored) == 1 else 'entries'} {numbers}. Possible causes: another "
            "machine recorded them, git could not be used, or they were not written by realframe. `realframe registry settle` anchors them."
        )
