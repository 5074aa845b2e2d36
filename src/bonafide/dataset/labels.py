"""The words by which people name the classes and the splits, in folder names and in CSV cells."""

_WORDS = {
    "real": "real reals 0 0-real authentic original originals original-sequences camera genuine bonafide bona-fide celeb-real youtube-real",
    "fake": "fake fakes 1 1-fake ai ai-generated aigc generated synthetic synthesized synthesised deepfake deepfakes manipulated "
    "manipulated-sequences celeb-synthesis",
}
_LABELS = {word: label for label, words in _WORDS.items() for word in words.split()}
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}
_ONLY_IN_CELLS = {"0", "1"}


def label_of_cell(word: str) -> str:
    """Return ``real`` or ``fake`` for a CSV cell (1 is fake), or an empty string where it says neither."""
    return _LABELS.get(_plain(word), "")


def label_of_folder(name: str) -> str:
    """Return ``real`` or ``fake`` for a folder's name, or an empty string where it says neither."""
    return "" if name in _ONLY_IN_CELLS else label_of_cell(name)


def split_of(word: str) -> str:
    """Return ``train``, ``val`` or ``test`` for a folder's name or a CSV cell, or an empty string where it says none."""
    return _SPLITS.get(_plain(word), "")


def _plain(word: str) -> str:
    return word.strip().casefold().replace("_", "-").replace(" ", "-")
