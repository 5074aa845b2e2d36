"""Collect people's labels of files: one vote per person and file, and the state of each file's votes."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realframe.data import takedown_list
from realframe.errors import NotMediaError
from realframe.files import atomic_path, compute_sha256
from realframe.media.signature import HEAD_BYTES, Signature, detect_signature
from realframe.store.document_base import Label, format_current_time
from realframe.store.repository import Store
from realframe.store.user_documents import Feedback, RegressionItem, Takedown

MIN_VOTES = 2
"""Number of people who must agree on a label."""

LabelState = Literal["waiting", "agreed", "disputed", "accepted"]


@dataclass(frozen=True)
class LabelCase:
    """A file and people's votes on its label.

    Attributes:
        media_id: SHA-256 of the file.
        votes: one vote per person, the oldest first.
        is_accepted: whether a run has accepted the file: it is in the regression set, and so in the originals.
    """

    media_id: str
    votes: tuple[Feedback, ...]
    is_accepted: bool

    @property
    def state(self) -> LabelState:
        """``agreed`` if at least two people give the same label and nobody another, ``accepted`` once a run has accepted the file."""
        if self.is_accepted:
            return "accepted"
        if len({vote.label for vote in self.votes}) > 1:
            return "disputed"
        return "agreed" if len(self.votes) >= MIN_VOTES else "waiting"

    @property
    def people(self) -> str:
        """The people who voted, separated by commas."""
        return ", ".join(vote.person for vote in self.votes)

    @property
    def reasons(self) -> str:
        """Their reasons, separated by semicolons."""
        return "; ".join(vote.reason for vote in self.votes if vote.reason)


def add_vote(store: Store, folder: Path, file: Path, label: Label, reason: str, person: str, name: str = "") -> LabelCase:
    """Store a person's vote on a file, and a copy of the file; return the file's case with all votes.

    Args:
        store: the store of the votes.
        folder: folder of the copies, ``settings.feedback_dir``.
        file: the file; it is copied and never changed.
        label: the person's label.
        reason: how the person knows.
        person: who votes; a second vote by the same person replaces the first.
        name: original name of the file, if ``file`` has another one.

    Raises:
        NotMediaError: the file is neither an image nor a video.
        TakenDownError: the file was taken down.
    """
    media_id = check_media(store, file)
    stored = folder / f"{media_id}{file.suffix.lower() or _usual_suffix(file)}"
    copy_if_missing(file, stored)
    vote = Feedback(
        feedback_id=f"{media_id}-{person}",
        media_id=media_id,
        file=name or file.name,
        stored_name=stored.name,
        label=label,
        reason=reason,
        person=person,
        created=format_current_time(),
    )
    store.upsert([vote])
    return next(case for case in list_cases(store) if case.media_id == media_id)


def list_cases(store: Store) -> list[LabelCase]:
    """Return the case of every file with a vote, the one with the latest vote last."""
    accepted = store.find_keys(RegressionItem)
    votes_by_file: dict[str, list[Feedback]] = {}
    for vote in sorted(store.find(Feedback), key=lambda vote: vote.created):
        votes_by_file.setdefault(vote.media_id, []).append(vote)
    cases = [LabelCase(media_id, tuple(votes), media_id in accepted) for media_id, votes in votes_by_file.items()]
    return sorted(cases, key=lambda case: case.votes[-1].created)


def select_agreed(cases: Sequence[LabelCase]) -> list[LabelCase]:
    """Return the cases that people agree on and that no run has accepted yet."""
    return [case for case in cases if case.state == "agreed"]


def check_media(store: Store, file: Path) -> str:
    """Check that a file is a media file and was not taken down; return its media id. Raises NotMediaError, TakenDownError."""
    if _read_signature(file) is None:
        raise NotMediaError(file, "is neither an image nor a video", "Name a media file.")
    media_id = compute_sha256(file)
    if store.get(Takedown, media_id):
        raise takedown_list.make_taken_down_error(file, media_id)
    return media_id


def copy_if_missing(source: Path, target: Path) -> None:
    """Copy a file, unless the target exists."""
    if not target.exists():
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)


def _usual_suffix(file: Path) -> str:
    signature = _read_signature(file)
    return f".{signature.container}" if signature else ""


def _read_signature(file: Path) -> Signature | None:
    with file.open("rb") as stream:
        return detect_signature(stream.read(HEAD_BYTES))
