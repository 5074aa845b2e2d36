"""Digest the code that a value depends on, so that a cache key or a stage changes when that code changes.

The code of a module is its import closure: the module, and all modules of ``realframe`` and ``pipelines`` that it imports, directly or
indirectly, also inside functions. It is derived from the syntax trees; nothing is imported, and nothing is listed by hand.

- Imports under ``if TYPE_CHECKING`` do not run, so they are not followed.
- An ``__init__.py`` that only re-exports names adds the modules whose names are imported through it, not the others.
- Files that are not Python, such as templates, count with the modules of their package.
- Comments, docstrings and formatting are not part of a syntax tree, so they change no digest.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Self

import realframe

_DIGEST_LENGTH = 16
_PARSE_ATTEMPTS = 5


@dataclass(frozen=True)
class _Import:
    """An import statement's target: ``module``, and the name imported from it; an empty name is the module itself, ``*`` all its names."""

    module: str
    name: str


@dataclass(frozen=True)
class _Source:
    """What the source of a module says.

    Attributes:
        digest: of its code.
        imports: what it imports.
        origins: of an ``__init__.py`` that only re-exports names, where each name is from; None for any other module.
    """

    digest: bytes
    imports: tuple[_Import, ...]
    origins: Mapping[str, _Import] | None


class CodeTree:
    """The modules of a checkout; each file is read once.

    Args:
        folders: the top-level packages, by name; one that does not exist holds no modules.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._files = {name: file for package, folder in folders.items() for name, file in _find_modules(package, folder)}
        self._sources: dict[str, _Source] = {}

    @classmethod
    def at(cls, root: Path) -> Self:
        """Return the code tree of the checkout ``root``."""
        return cls({"realframe": root / "src" / "realframe", "pipelines": root / "pipelines"})

    def closure(self, *modules: str) -> tuple[str, ...]:
        """Return the names of the modules and of all modules that they import, sorted.

        Raises:
            ModuleNotFoundError: there is no such module.
            SyntaxError: a file is not Python.
        """
        for module in modules:
            if module not in self._files:
                raise ModuleNotFoundError(f"no module {module!r} among {len(self._files)} modules", name=module)
        found: set[str] = set()
        pending = [name for module in modules for name in (module, *self._resolve_package(module.rpartition(".")[0]))]
        while pending:
            module = pending.pop()
            if module not in found:
                found.add(module)
                pending += [target for statement in self._read(module).imports for target in self._resolve(statement)]
        return tuple(sorted(found))

    def digest(self, *modules: str) -> str:
        """Return a hex digest, 16 digits, of the code of modules. Raises ModuleNotFoundError, SyntaxError."""
        digest = hashlib.sha256()
        closure = self.closure(*modules)
        for module in closure:
            digest.update(f"{module}\0".encode() + self._read(module).digest)
        for file in sorted(_find_data_files({self._files[module].parent for module in closure})):
            digest.update(f"{file.parent.name}/{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:_DIGEST_LENGTH]

    def _read(self, module: str) -> _Source:
        if module not in self._sources:
            file = self._files[module]
            is_package = file.name == "__init__.py"
            try:
                self._sources[module] = _analyze(file.read_bytes(), module if is_package else module.rpartition(".")[0], is_package)
            except SyntaxError as error:
                error.filename = str(file)
                raise
        return self._sources[module]

    def _resolve(self, statement: _Import) -> Iterator[str]:
        """Yield the modules that an import statement runs; modules of other packages are left out."""
        module, name = statement.module, statement.name
        yield from self._resolve_package(module.rpartition(".")[0])
        if f"{module}.{name}" in self._files:
            yield from self._resolve_package(module)
            yield f"{module}.{name}"
        elif module in self._files:
            origin = (self._read(module).origins or {}).get(name)
            yield from self._resolve(origin) if origin else (module,)

    def _resolve_package(self, package: str) -> Iterator[str]:
        """Yield the package and its parents, except those that only re-export: importing a submodule uses no name of them."""
        parts = package.split(".")
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[:length])
            if name in self._files and self._read(name).origins is None:
                yield name


@cache
def _own_tree() -> CodeTree:
    package = Path(str(realframe.__file__)).resolve().parent
    return CodeTree({"realframe": package, "pipelines": package.parents[1] / "pipelines"})


@cache
def code_digest(*modules: str) -> str:
    """Return a hex digest, 16 digits, of the code of modules in the running checkout, which is that of their import closure.

    Args:
        modules: dotted names, such as ``realframe.media.extract``.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    return _own_tree().digest(*modules)


def _find_modules(package: str, folder: Path) -> Iterator[tuple[str, Path]]:
    for file in folder.rglob("*.py"):
        parts = (package, *file.relative_to(folder).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def _find_data_files(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are not Python in folders and their subfolders, without those of packages in them."""
    for folder in folders:
        for path in folder.iterdir():
            if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
                yield from (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
            elif path.is_file() and path.suffix not in (".py", ".pyc"):
                yield path


@lru_cache(maxsize=1024)
def _analyze(source: bytes, package: str, is_package: bool) -> _Source:
    """Return what a source in ``package`` says; the syntax tree, which takes a hundred times the memory, is not kept."""
    tree = _parse(source)
    imports = tuple(_find_imports(tree, package))
    only_reexports = is_package and all(isinstance(node, ast.ImportFrom) or _is_bare_string(node) or _is_all(node) for node in tree.body)
    origins = {
        alias.asname or alias.name: _Import(_absolute(node, package), alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return _Source(hashlib.sha256("\0".join(_dump(tree)).encode()).digest(), imports, origins if only_reexports else None)


def _parse(source: bytes) -> ast.Module:
    """Parse a source; further attempts are made where Python fails without a reason.

    In Python 3.11 and early versions of 3.12, another thread that parses at the same time can make it raise SystemError ("AST constructor
    recursion depth mismatch", python/cpython#106905).
    """
    for _ in range(_PARSE_ATTEMPTS - 1):
        with suppress(SystemError):
            return ast.parse(source)
    return ast.parse(source)


def _find_imports(tree: ast.Module, package: str) -> Iterator[_Import]:
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (_Import(alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (_Import(_absolute(node, package), alias.name) for alias in node.names)
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            pending += node.orelse
        else:
            pending += ast.iter_child_nodes(node)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute name of the module that a statement in a module of ``package`` imports from."""
    if not node.level:
        return str(node.module)
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING")


def _is_bare_string(node: ast.stmt) -> bool:
    """Return whether a statement is only a string, such as a docstring: it has no effect."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]


def _dump(value: object) -> Iterator[str]:
    """Yield the parts of a syntax tree, without docstrings, positions and what is empty: equal for equal code in each version of Python."""
    if isinstance(value, ast.AST):
        yield type(value).__name__
        for field in value._fields:
            part = getattr(value, field, None)
            if part is not None and part != [] and field != "ctx":
                yield field
                yield from _dump(part)
        yield ")"
    elif isinstance(value, list):
        for part in value:
            if not (isinstance(part, ast.stmt) and _is_bare_string(part)):
                yield from _dump(part)
        yield "]"
    else:
        yield repr(value)
