"""The structure of the package: import directions, module names and sizes, no old vocabulary, light start of the command."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

from realframe import artifacts
from realframe.config import read_yaml

LAYERS = [
    {"child_processes", "errors", "files", "logs", "markdown", "process_environment", "progress"},
    {"disk_space"},
    {"permissions"},
    {"artifacts", "config", "settings", "threads", "caching", "statistics", "tables"},
    {"media", "notifications", "webhooks"},
    {"data", "provenance"},
    {"models"},
    {"registry", "store"},
    {"training", "evaluation", "feedback", "drift"},
    {"detection", "runs"},
    {"presentation"},
    {"reports"},
    {"governance", "scoring"},
    {"web"},
    {"worker", "services"},
    {"demo"},
    {"cli"},
]
LAYER = {name: layer for layer, names in enumerate(LAYERS) for name in names}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def test_one_place_silences_standard_error(root: Path) -> None:
    places = [path.name for path in (root / "src").rglob("*.py") if "os.dup2(" in path.read_text() or "os.devnull" in path.read_text()]
    assert places == ["logs.py"]


def test_imports_run_one_way(root: Path) -> None:
    package = root / "src" / "realframe"
    backwards = []
    for path in package.rglob("*.py"):
        here = path.relative_to(package).parts[0].removesuffix(".py")
        if here in ("__init__", "__main__"):
            continue
        for module in _imports(path):
            if module.split(".")[0] in ("pipelines", "dags"):
                backwards.append((str(path), module))
            if module.startswith("realframe."):
                there = module.split(".")[1]
                if there in LAYER and there != here and LAYER[there] >= LAYER[here]:
                    backwards.append((str(path.relative_to(package)), module))
    assert not backwards


def test_within_a_package_nothing_imports_in_a_circle(root: Path) -> None:
    source = root / "src"
    for package in {path.parent for path in (source / "realframe").rglob("*.py")}:
        name = ".".join(package.relative_to(source).parts)
        graph: dict[str, set[str]] = {}
        for path in package.rglob("*.py"):
            here = path.relative_to(package).parts[0].removesuffix(".py")
            there = {module.removeprefix(f"{name}.").split(".")[0] for module in _imports(path) if module.startswith(f"{name}.")}
            graph.setdefault(here, set()).update(there - {here})
        modules = {child: others & set(graph) for child, others in graph.items() if child != "__init__"}
        tuple(TopologicalSorter(modules).static_order())  # raises CycleError, which names the circle


def test_every_module_has_a_layer(root: Path) -> None:
    package = root / "src" / "realframe"
    modules = {p.stem for p in package.iterdir() if p.suffix == ".py" or p.is_dir()} - {"__init__", "__main__", "__pycache__"}
    assert modules == set(LAYER)


# The private vocabulary that the glossary replaced. No module, function, class, parameter or attribute may bear one of these names again.
OLD_NAMES = set(
    """
    dealt deal lot reign Reign _crown CROWNING follow notice alone on_figures on_rival checked Checked same_items SameItems
    split_uses SplitUses given lay_out again strip counted Sieve run_sieved asked added opinions Case said taking take_in
    door Door insist ending Ending LeavingError pulse Pulse Held spare Spare Seat Warm exercise Room pace Pace Watching
    SmallBodies Unforeseen calling Visitor detected Looked Detected answering Given Answering Shown shown Told told _told
    _said silent tell NotThereError NotKeptError SlowError LaterError TooOftenError NoRoomError CallerError several
    at_threshold boundary barred touched erase thing below_floor gap_to_floor floor Floor cure Cure Caller looked kept
    beside
    """.split()  # noqa: SIM905
)


def _modules(root: Path) -> list[Path]:
    return [path for path in (root / "src" / "realframe").rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]


def test_module_names_are_unique(root: Path) -> None:
    counts = Counter(path.name for path in _modules(root))
    assert not [name for name, count in counts.items() if count > 1]


def test_public_class_names_are_unique(root: Path) -> None:
    trees = (_tree(path) for path in _modules(root))
    counts = Counter(node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
    assert not [name for name, count in counts.items() if count > 1]


def test_module_sizes(root: Path) -> None:
    sizes = {path: path.read_text().count("\n") for path in _modules(root)}
    assert not [path for path, size in sizes.items() if size > 350]
    assert len(sizes) <= 275
    assert 100 <= median(sizes.values()) <= 150


def _defined_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.AnnAssign):
            yield (node.target.id if isinstance(node.target, ast.Name) else ""), node.lineno
        elif isinstance(node, ast.Assign):
            yield from ((target.id, node.lineno) for target in node.targets if isinstance(target, ast.Name))


@pytest.mark.parametrize("folder", ["src/realframe", "pipelines", "dags", "bench"])
def test_no_definition_bears_an_old_name(folder: str, root: Path) -> None:
    paths = list((root / folder).rglob("*.py"))
    named = [(path.stem, f"{path.relative_to(root)}:1") for path in paths]
    named += [(name, f"{path.relative_to(root)}:{line}") for path in paths for name, line in _defined_names(_tree(path))]
    assert not [f"{place} {name}" for name, place in named if name in OLD_NAMES]


def test_dvc_yaml_and_artifacts_name_the_same_paths(root: Path) -> None:
    stages = read_yaml(root / "dvc.yaml")["stages"]
    entries = [entry for stage in stages.values() for section in ("outs", "metrics") for entry in stage.get(section, [])]
    written = {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}
    named = {str(value) for value in vars(artifacts).values() if isinstance(value, Path)}
    of_a_folder = {path for path in written if any(path.startswith(f"{folder}/") for folder in named)}
    assert written - of_a_folder <= named


@pytest.mark.slow
@pytest.mark.parametrize("module", ["realframe.web.app", "realframe.cli.detect_run"])
def test_the_web_process_and_cached_detections_import_no_tensorflow(module: str, root: Path) -> None:
    code = f"import sys, {module}; print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [["--help"], ["detect", "--help"], ["registry", "--help"], ["run", "--help"]])
def test_help_imports_nothing_heavy(command: list[str], root: Path) -> None:
    heavy = ("tensorflow", "keras", "mlflow", "pandas", "airflow", "cv2", "sklearn", "dvc")
    code = f"import sys; sys.argv = ['realframe', *{command!r}]; from realframe.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert "HEAVY []" in done.stdout
    assert "Usage" in done.stdout


def test_the_only_code_dependency_of_a_stage_is_its_digest(root: Path) -> None:
    stages = read_yaml(root / "dvc.yaml")["stages"]
    assert {name: stage["cmd"] for name, stage in stages.items()} == {name: f"python -m pipelines.{name}" for name in stages}
    del stages["digest_code"]
    code = {name: [dep for dep in stage["deps"] if dep.startswith(("src", "pipelines", "build/code"))] for name, stage in stages.items()}
    assert code == {name: [f"build/code/{name}.sha256"] for name in stages}


def test_stages_are_drawn_not_listed_in_dags(root: Path) -> None:
    names = read_yaml(root / "dvc.yaml")["stages"]
    code = "".join(path.read_text() for path in (root / "dags").glob("*.py"))
    assert not [name for name in names if f'"{name}"' in code]


def test_dag_files_are_wiring(root: Path) -> None:
    for path in (root / "dags").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 80, path
