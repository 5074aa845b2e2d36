"""Opinions on files: who says that a file is what, and what two who agree make of it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realframe.data import takedown_list
from realframe.errors import NotMediaError
from realframe.files import atomic_path, sha256_of
from realframe.media.signature import HEAD_BYTES, sniff
from realframe.store.document_base import Label, now
from realframe.store.repository import Store
from realframe.store.user_documents import Feedback, RegressionItem, Takedown

ENOUGH = 2
"""People who must agree."""

State = Literal["waits", "agreed", "disputed", "taken in"]


@dataclass(frozen=True)
class LabelCase:
    """A file and what people say of it.

    Attributes:
        media_id: the file.
        said: one opinion per person, the oldest first.
        taken: it is in the regression set, and so in the originals.
    """

    media_id: str
    said: tuple[Feedback, ...]
    taken: bool

    @property
    def state(self) -> State:
        """``agreed`` where at least two say the same and nobody says otherwise; ``taken in`` where a run took it."""
        if self.taken:
            return "taken in"
        if len({opinion.label for opinion in self.said}) > 1:
            return "disputed"
        return "agreed" if len(self.said) >= ENOUGH else "waits"

    @property
    def by(self) -> str:
        """The people, with commas between."""
        return ", ".join(opinion.by for opinion in self.said)

    @property
    def why(self) -> str:
        """Their reasons."""
        return "; ".join(opinion.why for opinion in self.said if opinion.why)


def add_vote(store: Store, folder: Path, file: Path, label: Label, why: str, by: str, name: str = "") -> LabelCase:
    """Keep a person's opinion of a file, and the file; return all that is said of it now.

    Args:
        store: where it is kept.
        folder: where the file is kept, ``settings.feedback_dir``.
        file: copied; it is never changed.
        label: what it is.
        why: how the person knows.
        by: the person. The same person again replaces the earlier opinion.
        name: as its owner calls the file, where it is called otherwise here.

    Raises:
        NotMediaError: the file is no image and no video.
        TakenDownError: somebody asked to use it no longer.
    """
    media_id = checked(store, file)
    kept = folder / f"{media_id}{file.suffix.lower() or _usual_suffix(file)}"
    copy(file, kept)
    said = Feedback(
        feedback_id=f"{media_id}-{by}", media_id=media_id, file=name or file.name, kept=kept.name, label=label, why=why, by=by, at=now()
    )
    store.upsert([said])
    return next(case for case in cases(store) if case.media_id == media_id)


def cases(store: Store) -> list[LabelCase]:
    """Return every file of which something is said, the latest news last."""
    taken = store.keys(RegressionItem)
    opinions = sorted(store.find(Feedback), key=lambda opinion: opinion.at)
    by_file: dict[str, list[Feedback]] = {}
    for opinion in opinions:
        by_file.setdefault(opinion.media_id, []).append(opinion)
    found = [LabelCase(media_id, tuple(said), media_id in taken) for media_id, said in by_file.items()]
    return sorted(found, key=lambda case: case.said[-1].at)


def checked(store: Store, file: Path) -> str:
    """Return the media id of a file that may be used. Raises NotMediaError, TakenDownError."""
    with file.open("rb") as stream:
        if sniff(stream.read(HEAD_BYTES)) is None:
            raise NotMediaError(file, "is no image or video", "Name a media file.")
    media_id = sha256_of(file)
    if store.get(Takedown, media_id):
        raise takedown_list.refusal(file)
    return media_id


def copy(source: Path, target: Path) -> None:
    """Copy a file to its place; what is there already stays."""
    if not target.exists():
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)


def agreed(found: Sequence[LabelCase]) -> list[LabelCase]:
    """Return those that wait to be taken in."""
    return [case for case in found if case.state == "agreed"]


def _usual_suffix(file: Path) -> str:
    with file.open("rb") as stream:
        signature = sniff(stream.read(HEAD_BYTES))
    return f".{signature.container}" if signature else ""
