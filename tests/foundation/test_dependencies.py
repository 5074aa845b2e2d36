"""Every imported package is declared, and each use of a library's private interface is in one place and tested with one version."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

OWN = {"realframe", "pipelines", "dags", "tests", "bench", "conftest"}
# distribution: the version with which its private or undocumented interface was tested, and the one file that uses it
PRIVATE = {
    "imbalanced-learn": ("0.14.2", "src/realframe/training/smote.py"),
    "keras-tuner": ("1.4.8", "src/realframe/training/hyperparameter_search.py"),
    "dvc": ("3.67.1", "src/realframe/store/run_artifacts.py"),
    "nx-27017": ("0.8.1", "src/realframe/store/embedded_server.py"),
    "pytest-xdist": ("3.8.0", "tests/conftest.py"),
}
# private attributes that no file of the project defines
DOCUMENTED = {"_fields", "_asdict", "_replace"}  # of the standard library
USES = {
    ("src/realframe/training/smote.py", "_generate_samples"),
    ("src/realframe/training/hyperparameter_search.py", "_random_populate_space"),
    ("src/realframe/training/hyperparameter_search.py", "_duplicate"),
}


def _trees(root: Path, *folders: str) -> dict[str, ast.Module]:
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    return {str(path.relative_to(root)): ast.parse(path.read_text()) for path in paths}


def _imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] not in OWN | set(sys.stdlib_module_names)}


def _declared(root: Path, *groups: str) -> set[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    lists = [project["project"]["dependencies"], *(project["dependency-groups"][group] for group in groups)]
    return {_normalize(re.split(r"[\[<>=!;]", requirement)[0]) for requirements in lists for requirement in requirements}


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


@pytest.mark.parametrize(("folders", "groups"), [(("src", "pipelines", "dags"), ()), (("tests", "bench"), ("dev",))])
def test_every_imported_package_is_declared(folders: tuple[str, ...], groups: tuple[str, ...], root: Path) -> None:
    declared, providers = _declared(root, *groups), packages_distributions()
    missing = {
        (path, module)
        for path, tree in _trees(root, *folders).items()
        for module in _imports(tree)
        if not declared & {_normalize(name) for name in providers.get(module.split(".")[0], [])}
    }
    assert not missing


@pytest.mark.parametrize("package", PRIVATE)
def test_a_private_interface_is_used_with_the_version_that_it_was_tested_with(package: str, root: Path) -> None:
    tested, path = PRIVATE[package]
    assert (root / path).exists()
    assert version(package) == tested, f"read {path} beside the source of {package} {version(package)}, then correct PRIVATE"


def test_private_interfaces_are_used_in_one_place_each(root: Path) -> None:
    trees = _trees(root, "src", "pipelines", "dags", "bench")
    own = {name for tree in trees.values() for name in _defined(tree)}
    assert {(path, name) for path, tree in trees.items() for name in _private_uses(tree, own)} == USES
    assert {path for path, _ in USES} <= {path for _, path in PRIVATE.values()}


def test_no_private_module_is_imported(root: Path) -> None:
    private = [
        (path, module)
        for path, tree in _trees(root, "src", "pipelines", "dags", "bench").items()
        for module in _imports(tree)
        if any(part.startswith("_") or part == "src" for part in module.split(".")[1:])
    ]
    assert not private


def _private_uses(tree: ast.Module, own: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
            of_base_class = isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "super"
            of_os = isinstance(node.value, ast.Name) and node.value.id == "os"  # os._exit is documented
            if of_base_class or not (of_os or node.attr in own | DOCUMENTED):
                yield node.attr


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
