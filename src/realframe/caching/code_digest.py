"""Digest source code, so that a cache key changes when the code that computes the cached values changes."""

import hashlib
from pathlib import Path

import realframe


def source_digest(*modules: object) -> str:
    """Return a short hex digest of the source of modules.

    Args:
        modules: imported modules, each with a source file.
    """
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())  # type: ignore[attr-defined]
    return digest.hexdigest()[:16]


def package_digest(*names: str) -> str:
    """Return a short hex digest of the source of all modules in subpackages of ``realframe``, without importing them.

    Args:
        names: of the subpackages, such as ``media``.

    Raises:
        FileNotFoundError: there is no subpackage of that name.
    """
    root, digest = Path(str(realframe.__file__)).parent, hashlib.sha256()
    for folder in (root / name for name in names):
        if not folder.is_dir():
            raise FileNotFoundError(folder)
        for source in sorted(folder.rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
