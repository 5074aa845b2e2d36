"""Read the layouts of public data sets: labels, generators, sources, and the groups that keep an identity or a source video in one split.

A layout is recognized by folder and file names that no other data set has; ``realframe ingest --layout NAME`` names it. ``docs/data.md``
describes each set.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from realframe.data.labels import Contradiction, FileEntry, LabelOptions, join_groups, normalize_word, parse_folder_label, parse_split
from realframe.errors import DatasetError, NotMediaError, UnlabeledError

_METADATA_BYTES = 200 << 20

_CELEB_FOLDERS = {"celeb-real": "real", "youtube-real": "real", "celeb-synthesis": "fake"}
_CELEB_NAME = re.compile(r"(id\d+)(?:_(id\d+))?_\d+")
_FORENSICS_ROOTS = {"original_sequences": "real", "manipulated_sequences": "fake"}
_FORENSICS_METHODS = {"deepfakes", "face2face", "faceswap", "neuraltextures", "faceshifter", "deepfakedetection"}
_ACTORS = re.compile(r"(\d{2})(?:_(\d{2}))?__")
_YOUTUBE_PAIR = re.compile(r"(\d{3})(?:_(\d{3}))?(?!\d)")
_GENIMAGE_NAMES = {  # by their letters and digits
    "adm": "ADM",
    "biggan": "BigGAN",
    "glide": "GLIDE",
    "midjourney": "Midjourney",
    "sdv4": "stable-diffusion-1.4",
    "sdv5": "stable-diffusion-1.5",
    "stablediffusionv14": "stable-diffusion-1.4",
    "stablediffusionv15": "stable-diffusion-1.5",
    "vqdm": "VQDM",
    "wukong": "Wukong",
}
_FORENSYNTHS_GENERATORS = set(
    """progan stylegan stylegan2 biggan cyclegan stargan gaugan crn imle seeingdark san deepfake whichfaceisreal guided dalle glide_50_27
    glide_100_10 glide_100_27 ldm_100 ldm_200 ldm_200_cfg""".split()  # noqa: SIM905
)
_PROGAN_CATEGORIES = set(
    """airplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa train
    tvmonitor""".split()  # noqa: SIM905
)
_CIFAKE_NAME = re.compile(r"\d{4}(?: \(\d+\))?\.jpe?g", re.IGNORECASE)


@dataclass(frozen=True)
class FolderTree:
    """The files of a folder, and what tells a layout.

    Attributes:
        root: the folder that is read.
        paths: the media files, relative to it.
        options: may name the layout, and gives the meaning of class folders.
        text_paths: the text files, relative to it.
    """

    root: Path
    paths: tuple[str, ...]
    options: LabelOptions = field(default_factory=LabelOptions)
    text_paths: tuple[str, ...] = ()

    @cached_property
    def root_name(self) -> str:
        """The folder's name, through links."""
        return self.root.resolve().name

    @cached_property
    def children(self) -> Mapping[str, frozenset[str]]:
        """The names of the folders in each folder; the root is an empty string."""
        found: dict[str, set[str]] = {}
        for folder in {path.rpartition("/")[0] for path in self.paths}:
            parts = folder.split("/") if folder else []
            for index, part in enumerate(parts):
                found.setdefault("/".join(parts[:index]), set()).add(part)
        return {folder: frozenset(names) for folder, names in found.items()}

    @cached_property
    def dfdc_rows(self) -> Mapping[str, Mapping[str, str]]:
        """Path of each file that a ``metadata.json`` of DFDC names -> its row. Raises DatasetError."""
        rows: dict[str, Mapping[str, str]] = {}
        for text in self.text_paths:
            if PurePosixPath(text).name.casefold() == "metadata.json":
                folder = PurePosixPath(text).parent
                rows |= {(folder / name).as_posix(): row for name, row in self._read_dfdc(self.root / text).items()}
        return rows

    def _read_dfdc(self, file: Path) -> Mapping[str, Mapping[str, str]]:
        data = b""
        try:
            data = file.read_bytes() if file.stat().st_size <= _METADATA_BYTES else b""
            table = json.loads(data)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) or b'"label"' in data:
                raise DatasetError(
                    file, f"cannot be read: {error}", "It may hold labels. Repair it or move it out of the folder."
                ) from error
            table = None
        is_dfdc = isinstance(table, dict) and all(isinstance(row, dict) and row.get("label") in ("REAL", "FAKE") for row in table.values())
        is_dfdc = bool(is_dfdc and table)
        if not is_dfdc and self.options.layout == "dfdc":
            raise DatasetError(
                file, "is not a metadata.json of DFDC", 'Each file needs a row such as "a.mp4": {"label": "FAKE", "original": "b.mp4"}.'
            )
        return table if is_dfdc else {}  # type: ignore[return-value]

    @cached_property
    def has_celeb_names(self) -> bool:
        """Whether a file or folder is named as in Celeb-DF."""
        return any(_CELEB_NAME.match(part) for path in self.paths for part in path.split("/"))

    @cached_property
    def cifake_folders(self) -> frozenset[str]:
        """The folders that hold ``train/{REAL,FAKE}`` or ``test/{REAL,FAKE}`` with the file names of CIFAKE."""
        found = {
            base for base, names in self.children.items() if {"REAL", "FAKE"} <= names and base.rpartition("/")[2] in ("train", "test")
        }
        pictures: dict[str, list[str]] = {base: [] for base in found}
        for path in self.paths:
            base, _, name = path.rpartition("/")
            pictures.get(base.rpartition("/")[0], []).append(name)
        return frozenset(
            base for base, names in pictures.items() if all(map(_CIFAKE_NAME.fullmatch, names)) and any(" (" in name for name in names)
        )

    @cached_property
    def has_class_folders(self) -> bool:
        """Whether the root holds, below an optional folder of a split, folders with the name of a class (``imagefolder``)."""
        return any(len(_imagefolder_parts(path)) > 1 for path in self.paths)


def read_public_entry(tree: FolderTree, path: str) -> tuple[str, FileEntry] | None:
    """Return the layout of a file and what it states; None where the file is in no public layout, as far as is certain.

    Where ``tree.options`` names the layout, a file that does not fit it has a problem.
    """
    wanted = tree.options.layout
    for name in (wanted,) if wanted else _CERTAIN_LAYOUTS:
        entry = _READERS[name](tree, path)
        if entry is not None:
            return name, _check_folders(tree, name, entry)
    if wanted:
        problem = UnlabeledError(
            path, f"is not where {wanted} has its files", "Leave it out, or ingest it separately with another --layout."
        )
        return wanted, FileEntry(path, problem=problem)
    return None


def _check_folders(tree: FolderTree, layout: str, entry: FileEntry) -> FileEntry:
    """Mark an entry whose label a folder with a clear name contradicts."""
    if layout == "imagefolder" or not entry.label:
        return entry
    parts = entry.path.split("/")[:-1]
    for index, part in enumerate(parts):
        label, is_clear = parse_folder_label(part, tree.options, "/".join(parts[: index + 1]))
        if is_clear and label and label != entry.label:
            statements = f"{entry.label} as a file of {layout}, {label} by the folder {part}/"
            hint = f"`--labels {part}=none` ignores that folder's name."
            return replace(entry, contradiction=Contradiction(statements, hint))
    return entry


def _read_celeb_df(tree: FolderTree, path: str) -> FileEntry | None:
    """``Celeb-real/id3_0001.mp4``, ``Celeb-synthesis/id3_id7_0001.mp4`` (both people), ``YouTube-real/00001.mp4``; or folders of frames."""
    parts = (tree.root_name, *path.split("/"))
    index = next((index for index, part in enumerate(parts[:-1]) if part.casefold().replace("_", "-") in _CELEB_FOLDERS), None)
    if index is None or not (tree.has_celeb_names or tree.options.layout):
        return None
    folder = parts[index].casefold().replace("_", "-")
    label = _CELEB_FOLDERS[folder]
    if folder == "youtube-real":
        video = PurePosixPath(parts[index + 1]).stem
        return FileEntry(path, label, source="celeb-df-youtube", group=f"celeb-df:youtube-{video}")
    place, match = next(((place, match) for place in range(index + 1, len(parts)) if (match := _CELEB_NAME.match(parts[place]))), (0, None))
    if match is None or (label == "fake") != bool(match[2]):
        problem = UnlabeledError(
            path, "is in a folder of Celeb-DF, but its name does not tell whose face it shows", "Restore its name, such as id3_0001."
        )
        return FileEntry(path, problem=problem)
    groups = join_groups(*(f"celeb-df:{name}" for name in match.groups() if name))
    if label == "real":
        return FileEntry(path, label, source="celeb-df", group=groups)
    method = parts[place - 1] if place > index + 1 else "celeb-df"  # Celeb-DF++: Celeb-synthesis/FaceSwap/SimSwap
    return FileEntry(path, label, method, group=groups)


def _read_faceforensics(tree: FolderTree, path: str) -> FileEntry | None:
    """``manipulated_sequences/METHOD/c23/videos/000_003.mp4``, ``original_sequences/youtube/...``; or ``original/`` beside methods."""
    parts = (tree.root_name, *path.split("/"))
    index = next((index for index, part in enumerate(parts[:-1]) if part.casefold() in _FORENSICS_ROOTS), None)
    if index is not None and index + 2 < len(parts):
        label, method = _FORENSICS_ROOTS[parts[index].casefold()], parts[index + 1]
    else:
        index = next((index for index in range(len(parts) - 1) if _is_forensics_folder(tree, parts, index)), None)
        if index is None:
            return None
        label, method = ("real", "youtube") if parts[index].casefold() == "original" else ("fake", parts[index])
    if any(part.casefold() == "masks" for part in parts[index:-1]):
        return FileEntry(path, problem=NotMediaError(path, "is a mask of FaceForensics++, not a picture", ""))
    has_actors = method.casefold() in ("actors", "deepfakedetection")
    pattern, prefix = (_ACTORS, "actor-") if has_actors else (_YOUTUBE_PAIR, "")
    match = next((match for part in parts[index + 1 :] if (match := pattern.match(part))), None)
    if match is None:
        problem = UnlabeledError(
            path, "is in a folder of FaceForensics++, but its name does not tell its source videos", "Restore its name, such as 000_003."
        )
        return FileEntry(path, problem=problem)
    groups = join_groups(*(f"faceforensics:{prefix}{name}" for name in match.groups() if name))
    return FileEntry(path, label, method if label == "fake" else "", f"faceforensics-{method}" if label == "real" else "", groups)


def _is_forensics_folder(tree: FolderTree, parts: tuple[str, ...], index: int) -> bool:
    """Whether a folder is ``original`` or a method, and ``original`` and at least two methods lie beside each other."""
    if index == 0:  # the root itself: what lies beside it is not known
        return False
    names = {name.casefold() for name in tree.children.get("/".join(parts[1:index]), ())}
    return "original" in names and len(names & _FORENSICS_METHODS) > 1 and parts[index].casefold() in _FORENSICS_METHODS | {"original"}


def _read_dfdc(tree: FolderTree, path: str) -> FileEntry | None:
    """A file that ``metadata.json`` in its folder names. A fake and its original are one group."""
    row = tree.dfdc_rows.get(path)
    if row is None:
        return None
    label = row["label"].casefold()
    group = f"dfdc:{row.get('original') or PurePosixPath(path).name}"
    return FileEntry(path, label, "dfdc" if label == "fake" else "", "dfdc" if label == "real" else "", group)


def _read_genimage(tree: FolderTree, path: str) -> FileEntry | None:
    """``GENERATOR/imagenet_.../{train,val}/{ai,nature}/``."""
    if (pair := _find_class_pair(tree, path, "nature", "ai")) is None:
        return None
    label, split, above = pair
    if label == "real":
        return FileEntry(path, label, source="imagenet", split=split)
    generator = _find_genimage_generator(above, PurePosixPath(path).name)
    return FileEntry(path, label, "" if _is_guess(above, generator) else generator, split=split)


def _read_forensynths(tree: FolderTree, path: str) -> FileEntry | None:
    """``[SPLIT/]GENERATOR/[CATEGORY/]{0_real,1_fake}/``; the train and val sets hold categories of ProGAN."""
    if (pair := _find_class_pair(tree, path, "0_real", "1_fake")) is None:
        return None
    label, split, above = pair
    generator = _find_forensynths_generator(above, split)
    generator = "" if _is_guess(above, generator) else generator
    if label == "real":
        return FileEntry(path, label, source=f"forensynths-{generator}" if generator else "forensynths", split=split)
    return FileEntry(path, label, generator, split=split)


def _find_class_pair(tree: FolderTree, path: str, real: str, fake: str) -> tuple[str, str, list[str]] | None:
    """Return the label of the outermost of two class folders that lie beside each other, and what ``_split_above`` says of it."""
    parts = (tree.root_name, *path.split("/"))
    for index in range(1, len(parts) - 1):
        is_pair = tree.options.layout or {real, fake} <= tree.children.get("/".join(parts[1:index]), frozenset())
        if parts[index] in (real, fake) and is_pair:
            return ("real" if parts[index] == real else "fake", *_split_above(parts, index))
    return None


def _split_above(parts: tuple[str, ...], index: int) -> tuple[str, list[str]]:
    """Return the split of the outermost folder that names one, and the other folders above ``parts[index]``."""
    place = next((position for position in range(1, index) if parse_split(parts[position])), None)
    split = parse_split(parts[place]) if place is not None else ""
    return split, [part for position, part in enumerate(parts[:index]) if position != place]


def _is_guess(above: list[str], generator: str) -> bool:
    """Whether only the root's name states the generator, and is not that of a known one."""
    known = {*_FORENSYNTHS_GENERATORS, *(name.casefold() for name in _GENIMAGE_NAMES.values())}
    return above == [generator] and generator.casefold() not in known


def _find_genimage_generator(above: list[str], file: str) -> str:
    """Return the generator by the folder above the class; in ``imagenet_ai``, which holds those of all, by the file."""
    folder = above[-1].casefold()
    name = above[-1] if not folder.startswith("imagenet_") else folder.rpartition("_")[2] if folder != "imagenet_ai" else ""
    words = [name] if name else re.split(r"[_.]", file.casefold())
    return next((_GENIMAGE_NAMES[key] for word in words if (key := re.sub("[^a-z0-9]", "", word.casefold())) in _GENIMAGE_NAMES), name)


def _find_forensynths_generator(above: list[str], split: str) -> str:
    """Return the nearest known generator; the train and val sets hold categories of ProGAN."""
    known = next((part for part in reversed(above) if part.casefold() in _FORENSYNTHS_GENERATORS), "")
    is_progan = split in ("train", "val") and above[-1].casefold() in _PROGAN_CATEGORIES
    return known or ("progan" if is_progan else above[-1])


def _read_cifake(tree: FolderTree, path: str) -> FileEntry | None:
    """``{train,test}/{REAL,FAKE}/0000 (2).jpg``: pictures of CIFAR-10 and of Stable Diffusion 1.4."""
    parts = path.split("/")
    if len(parts) < 3 or parts[-2] not in ("REAL", "FAKE") or parts[-3] not in ("train", "test"):
        return None
    if not tree.options.layout and "/".join(parts[:-2]) not in tree.cifake_folders:
        return None
    label = parts[-2].casefold()
    return FileEntry(path, label, "stable-diffusion-1.4" if label == "fake" else "", "cifar-10" if label == "real" else "", split=parts[-3])


def _imagefolder_parts(path: str) -> list[str]:
    """Return the parts of a path from the class folder on."""
    parts = path.split("/")
    return parts[1:] if len(parts) > 1 and parse_split(parts[0]) else parts


def _read_imagefolder(tree: FolderTree, path: str) -> FileEntry | None:
    """``[SPLIT/]CLASS/**``, as torchvision and Hugging Face read it. The meaning of a class is its word's, or that of ``--labels``."""
    parts = _imagefolder_parts(path)
    split = parse_split(path.split("/")[0]) if len(parts) < len(path.split("/")) else ""
    if len(parts) < 2:
        return FileEntry(path, split=split) if not tree.has_class_folders else None  # a table states the labels
    name = parts[0]
    word, meanings = normalize_word(name), tree.options.meanings
    label = meanings.get(word, parse_folder_label(name, tree.options)[0])
    if not label and word not in meanings:
        names = sorted({_imagefolder_parts(other)[0] for other in tree.paths if len(_imagefolder_parts(other)) > 1})
        hint = "Say what each means, such as `--labels " + ",".join(f"{name}=real" for name in names[:3]) + "` (real, fake or none)."
        raise DatasetError(tree.root, f"has a class folder {name}, which is neither real nor fake (all: {', '.join(names[:10])})", hint)
    below = parts[1] if len(parts) > 2 else ""
    return FileEntry(path, label, below if label == "fake" else "", below if label == "real" else "", split=split)


_READERS: Mapping[str, Callable[[FolderTree, str], FileEntry | None]] = {
    "celeb-df": _read_celeb_df,
    "faceforensics": _read_faceforensics,
    "dfdc": _read_dfdc,
    "genimage": _read_genimage,
    "forensynths": _read_forensynths,
    "cifake": _read_cifake,
    "imagefolder": _read_imagefolder,
}
LAYOUT_NAMES = tuple(sorted(_READERS))
_CERTAIN_LAYOUTS = tuple(name for name in _READERS if name != "imagefolder")


def list_layout_notes(tree: FolderTree, counts: Mapping[str, int]) -> list[str]:
    """Return a sentence for each layout that was read: how many files (``counts``, by layout), and what the reader should know."""
    notes = [f"{count} files are laid out as {name}" for name, count in sorted(counts.items())]
    missing = sorted(set(tree.dfdc_rows) - set(tree.paths)) if "dfdc" in counts else []
    return notes + ([f"metadata.json names {len(missing)} files that are not there, such as {missing[0]}"] if missing else [])
