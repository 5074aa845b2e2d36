"""Collect people's labels of files: one vote per person and file, and the state of each file's votes."""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realframe.data import takedown_list
from realframe.errors import NotMediaError, NotScoredError
from realframe.files import atomic_path, compute_sha256
from realframe.media.limits import contain_failures
from realframe.media.signature import read_signature
from realframe.store.document_base import Label, format_current_time
from realframe.store.repository import Store
from realframe.store.user_documents import Feedback, Prediction, RegressionItem, Takedown

NOT_SCORED = "not scored"
"""The verdict of a file that could not be scored."""
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


def add_vote(
    store: Store, folder: Path, file: Path, label: Label, reason: str, person: str, name: str = "", verdict: str = ""
) -> LabelCase:
    """Store a person's vote on a file, and a copy of the file; return the file's case with all votes.

    Args:
        store: the store of the votes.
        folder: folder of the copies, ``settings.feedback_dir``.
        file: the file; it is copied and never changed.
        label: the person's label.
        reason: how the person knows.
        person: who votes; a second vote by the same person replaces the first.
        name: original name of the file, if ``file`` has another one.
        verdict: the verdict on the file, if the caller knows it; by default the stored predictions say whether it was scored.

    Raises:
        NotMediaError: the file is neither an image nor a video.
        NotScoredError: the file was not scored: it may be damaged, and it must not get into a dataset unseen.
        TakenDownError: the file was taken down.
    """
    media_id = check_media(store, file)
    if verdict == NOT_SCORED or not (verdict or store.find_keys(Prediction, {"sha256": media_id})):
        problem = "was not scored, so it cannot be labeled"
        raise NotScoredError(name or file, problem, "Score it first: `realframe detect FILE`. If that gives no verdict, use another copy.")
    stored = folder / f"{media_id}{content_suffix(file)}"
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
    case = find_case(store, media_id)
    assert case is not None  # it has this vote
    return case


def find_case(store: Store, media_id: str) -> LabelCase | None:
    """Return the case of a file; None where nobody has voted on it."""
    votes = store.find(Feedback, {"media_id": media_id})
    return next(iter(_build_cases(votes, {media_id} if store.get(RegressionItem, media_id) else set())), None)


def list_cases(store: Store) -> list[LabelCase]:
    """Return the case of every file with a vote, the one with the latest vote last."""
    return _build_cases(store.find(Feedback), store.find_keys(RegressionItem))


def _build_cases(votes: Sequence[Feedback], accepted: Collection[str]) -> list[LabelCase]:
    votes_by_file: dict[str, list[Feedback]] = {}
    for vote in sorted(votes, key=lambda vote: vote.created):
        votes_by_file.setdefault(vote.media_id, []).append(vote)
    cases = [LabelCase(media_id, tuple(own), media_id in accepted) for media_id, own in votes_by_file.items()]
    return sorted(cases, key=lambda case: case.votes[-1].created)


def select_agreed(cases: Sequence[LabelCase]) -> list[LabelCase]:
    """Return the cases that people agree on and that no run has accepted yet."""
    return [case for case in cases if case.state == "agreed"]


def check_media(store: Store, file: Path) -> str:
    """Check that a file is a media file and was not taken down; return its media id. Raises NotMediaError, TakenDownError.

    A file that cannot be read raises UnreadableFileError.
    """
    with contain_failures(file):
        if read_signature(file) is None:
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


def content_suffix(file: Path) -> str:
    """Return the file name suffix of a file's format, such as ``.mp4``, from its content; the name of the file may state another one."""
    signature = read_signature(file)
    return f".{signature.container}" if signature else ""
