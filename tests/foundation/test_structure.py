"""The house keeps its shape: imports run one way, light doors stay light, one word for one path."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from realframe import artifacts
from realframe.config import read_yaml

LAYERS = [
    {"errors", "files", "logs"},
    {"artifacts", "config", "settings", "caching", "statistics"},
    {"media"},
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


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


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
        rooms = {child: others & set(graph) for child, others in graph.items() if child != "__init__"}
        tuple(TopologicalSorter(rooms).static_order())  # raises CycleError, which names the circle


def test_every_module_has_a_layer(root: Path) -> None:
    package = root / "src" / "realframe"
    rooms = {p.name.removesuffix(".py") for p in package.iterdir() if p.name not in ("__init__.py", "__main__.py", "__pycache__")}
    assert rooms == set(LAYER)


def test_dvc_yaml_and_artifacts_name_the_same_paths(root: Path) -> None:
    stages = read_yaml(root / "dvc.yaml")["stages"]
    entries = [entry for stage in stages.values() for section in ("outs", "metrics") for entry in stage.get(section, [])]
    written = {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}
    named = {str(value) for value in vars(artifacts).values() if isinstance(value, Path)}
    of_a_folder = {path for path in written if any(path.startswith(f"{folder}/") for folder in named)}
    assert written - of_a_folder <= named


@pytest.mark.parametrize("command", [["--help"], ["detect", "--help"], ["registry", "--help"], ["run", "--help"]])
def test_help_imports_nothing_heavy(command: list[str], root: Path) -> None:
    heavy = ("tensorflow", "keras", "mlflow", "pandas", "airflow", "cv2", "sklearn", "dvc")
    code = f"import sys; sys.argv = ['realframe', *{command!r}]; from realframe.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert "HEAVY []" in done.stdout
    assert "Usage" in done.stdout


def test_stages_are_drawn_not_listed_in_dags(root: Path) -> None:
    names = read_yaml(root / "dvc.yaml")["stages"]
    code = "".join(path.read_text() for path in (root / "dags").glob("*.py"))
    assert not [name for name in names if f'"{name}"' in code]


def test_dag_files_are_wiring(root: Path) -> None:
    for path in (root / "dags").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 80, path
