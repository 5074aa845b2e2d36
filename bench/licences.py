"""Write the tables of ``docs/licences.md``: the copyleft parts that are installed with realframe, from ``uv.lock`` and the environment.

``make licences`` writes them; ``tests/foundation/test_licences.py`` fails where the page differs, and where a package or a shared library
appears whose licence is not known.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
_BEGIN, _END = "<!-- written by `make licences` -->\n", "<!-- end -->\n"
_COPYLEFT = re.compile(r"GPL|General Public|SSPL|EPL")
_STATED = {  # of packages that `make setup` does not install on every machine
    "apache-airflow-providers-postgres": "Apache-2.0",
    "asyncpg": "Apache-2.0",
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
    "psycopg2-binary": "LGPL-3.0-or-later, with exceptions",
}
_UNSTATED = {  # what the metadata of the package does not say, its source does
    "huey": "MIT",
    "namex": "Apache-2.0",
}
_LIBRARIES = {  # copyleft libraries in the wheels of other packages, by the beginning of the file name
    "libav": "LGPL-2.1-or-later; GPL-2.0-or-later as built here, with x264 and x265",
    "libde265": "LGPL-3.0-or-later",
    "libgfortran": "GPL-3.0-or-later with the GCC runtime exception, which asks nothing of users",
    "libgmp": "LGPL-3.0-or-later or GPL-2.0-or-later",
    "libgnutls": "LGPL-2.1-or-later",
    "libgomp": "GPL-3.0-or-later with the GCC runtime exception, which asks nothing of users",
    "libheif": "LGPL-3.0-or-later",
    "libhogweed": "LGPL-3.0-or-later or GPL-2.0-or-later",
    "libasound": "LGPL-2.1-or-later",
    "libmp3lame": "LGPL-2.0-or-later",
    "libnettle": "LGPL-3.0-or-later or GPL-2.0-or-later",
    "libquadmath": "LGPL-2.1-or-later",
    "libswresample": "as libav*",
    "libswscale": "as libav*",
    "libunistring": "LGPL-3.0-or-later or GPL-2.0-or-later",
    "libx264": "GPL-2.0-or-later",
    "libx265": "GPL-2.0-or-later",
    "libgit2": "GPL-2.0-only with a linking exception",
    "ffmpeg-": "GPL-3.0-or-later: a whole FFmpeg, built with `--enable-gpl --enable-version3`",
}
_PERMISSIVE = set(
    """
    libavif libSvtAv1Enc libXau libaec libbrotlicommon libbrotlidec libcrypto libdav1d libdrm libfreetype libharfbuzz libhdf5 libhdf5_hl
    libjpeg liblcms2 liblzma libopencore libopenjp2 libopus libpcre libpng16 libscipy_openblas libscipy_openblas64_ libsharpyuv
    libsodium libssh2 libssl libsz libtiff libvpl libvpx libwebp libwebpdemux libwebpmux libxcb libzmq libzstd libz
    """.split()  # noqa: SIM905
)
_IMAGES = {  # of docker-compose.yml
    "mongo": "SSPL-1.0: free to use and to pass on; who offers MongoDB itself as a service must publish that service's whole source",
    "postgres": "PostgreSQL licence",
}


@dataclass(frozen=True)
class LockedPackage:
    """A package of the lock: its name, its licence as its metadata states it, and which of the installations has it."""

    name: str
    licence: str
    installations: tuple[str, ...]

    @property
    def is_copyleft(self) -> bool:
        """Return whether its licence, or one that it offers, asks for the source to be passed on."""
        return _COPYLEFT.search(self.licence) is not None


def list_packages() -> list[LockedPackage]:
    """Return the packages of ``uv.lock``, without those for development only. Raises LookupError for a licence that is not known."""
    lock = {package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    own = lock.pop("realframe")
    detect = tomllib.loads((ROOT / "packaging" / "detect" / "pyproject.toml").read_text())["project"]["dependencies"]
    starts = {
        "realframe-detect": [{"name": re.split(r"[\[<>=!; ]", requirement)[0]} for requirement in detect],
        "realframe": own["dependencies"],
        "realframe[server]": own["optional-dependencies"]["server"],
    }
    reached = {installation: reach_packages(lock, names) for installation, names in starts.items()}
    reached["realframe[server]"] -= reached["realframe"]
    return [
        LockedPackage(name, _read_licence(name), tuple(key for key, names in reached.items() if name in names))
        for name in sorted(set().union(*reached.values()))
    ]


def list_libraries(packages: Iterable[LockedPackage]) -> list[tuple[str, str, str]]:
    """Return the copyleft libraries in wheels: package, library, licence. Raises LookupError for a library that is not known here."""
    rows = set()
    for package in packages:
        if (installed := _find(package.name)) is None:
            continue
        for file in installed.files or ():
            if known := _find_library(file.name, str(file)):
                rows.add((package.name, *known))
    return sorted(rows)


def reach_packages(lock: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the packages that entries of the lock (``name`` and perhaps ``extra``) need, directly or not."""
    found: set[tuple[str, str]] = set()
    pending = [(entry["name"], extra) for entry in entries for extra in ("", *entry.get("extra", ()))]
    while pending:
        name, extra = pending.pop()
        if name in lock and (name, extra) not in found:
            found.add((name, extra))
            package = lock[name]
            needed = package.get("optional-dependencies", {}).get(extra, ()) if extra else package.get("dependencies", ())
            pending += [(entry["name"], one) for entry in needed for one in ("", *entry.get("extra", ()))]
    return {name for name, _ in found}


def _find_library(name: str, path: str) -> tuple[str, str] | None:
    """Return the library and the licence of a file, None if it is no copyleft library of another project."""
    if not (".libs/" in path or name.startswith("ffmpeg-")) or name.endswith((".py", ".pyc")):
        return None
    stem = re.match(r"ffmpeg-|lib[A-Za-z]+[A-Za-z0-9_+]*?(?=[-.])", name)
    library = stem.group(0) if stem else name
    if library in _PERMISSIVE:
        return None
    for prefix, licence in _LIBRARIES.items():
        if library.startswith(prefix):
            return {"ffmpeg-": "ffmpeg (program)", "libav": "libav*"}.get(prefix, library), licence
    raise LookupError(f"{path}: add the licence of {library} to bench/licences.py")


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _read_licence(name: str) -> str:
    if (installed := _find(name)) is None:
        if name not in _STATED:
            raise LookupError(f"{name} is not installed: add its licence to bench/licences.py")
        return _STATED[name]
    metadata = installed.metadata
    classifiers = [line.split("::")[-1].strip() for line in metadata.get_all("Classifier") or () if line.startswith("License ::")]
    first_line = next(iter((metadata.get("License") or "").strip().splitlines()), "")
    licence = metadata.get("License-Expression") or (first_line if len(first_line) < 80 else "") or ", ".join(classifiers)
    if any(_COPYLEFT.search(classifier) for classifier in classifiers) and not _COPYLEFT.search(licence):
        licence = ", ".join(dict.fromkeys(filter(None, (licence, *classifiers))))
    if not (licence or name in _UNSTATED):
        raise LookupError(f"{name} states no licence: add it to bench/licences.py")
    return (licence or _UNSTATED[name]).replace(" | ", " or ")


def _image_rows() -> Iterator[str]:
    text = (ROOT / "docker-compose.yml").read_text()
    for image in sorted(set(re.findall(r"^ +image: (\S+)$", text, re.MULTILINE))):
        name = image.split(":")[0]
        if name not in _IMAGES:
            raise LookupError(f"add the licence of the image {image} to bench/licences.py")
        yield f"| `{image}` | {_IMAGES[name]} |"


def render_tables() -> str:
    """Return the tables of the page."""
    packages = list_packages()
    installations = {package.name: ", ".join(package.installations) for package in packages}
    lines = ["| Python package | licence | installed with |", "| --- | --- | --- |"]
    lines += [f"| `{package.name}` | {package.licence} | {installations[package.name]} |" for package in packages if package.is_copyleft]
    lines += ["", "| library | in the wheel of | licence | installed with |", "| --- | --- | --- | --- |"]
    lines += [f"| {library} | `{name}` | {licence} | {installations[name]} |" for name, library, licence in list_libraries(packages)]
    lines += ["", "| image of `docker-compose.yml` | licence |", "| --- | --- |", *_image_rows()]
    return "\n".join(lines) + "\n"


def render_page(page: str) -> str:
    """Return the page with its tables written anew."""
    before, rest = page.split(_BEGIN)
    return f"{before}{_BEGIN}{render_tables()}{_END}{rest.split(_END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(render_page(PAGE.read_text()))
