"""Each stage depends on all code that it runs, and on no other: on copies of the real code, and live with DVC."""

import shutil
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from realframe.caching.code_digest import CodeTree
from realframe.config import read_yaml
from realframe.runs.git_dvc import checkout_environment
from tests.trained_checkout import ROOT, copy_checkout

_IMPORT_ALL = """
import importlib, sys
for stage in sys.argv[1:]:
    before = set(sys.modules)
    importlib.import_module(f"pipelines.{stage}")
    names = [name for name in sys.modules if name.split(".")[0] in ("realframe", "pipelines")]
    print("IMPORTED", stage, *names)
    for name in names:
        del sys.modules[name]
"""


@cache
def _stages() -> list[str]:
    return [stage for stage in read_yaml(ROOT / "dvc.yaml")["stages"] if stage != "digest_code"]


def _digests(tree: CodeTree) -> dict[str, str]:
    return {stage: tree.digest(f"pipelines.{stage}") for stage in _stages()}


def _file(root: Path, module: str) -> Path:
    path = root / ("" if module.startswith("pipelines") else "src") / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the code of the stages and the package."""
    for folder in ("src/realframe", "pipelines"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.slow
def test_a_changed_constant_in_any_module_makes_exactly_the_stages_stale_that_import_it(code: Path) -> None:
    tree = CodeTree.at(code)
    before = _digests(tree)
    importers: dict[str, set[str]] = defaultdict(set)
    for stage in _stages():
        for module in tree.closure(f"pipelines.{stage}"):
            importers[module].add(stage)
    assert len(importers) > 100
    for module in importers:
        _append(_file(code, module), "\n# a comment\n")
    assert _digests(CodeTree.at(code)) == before
    for module, stages in importers.items():
        file = _file(code, module)
        text = file.read_text()
        file.write_text(text + "\n_CONSTANT = 1\n")
        after = _digests(CodeTree.at(code))
        file.write_text(text)
        stale = {stage for stage in before if after[stage] != before[stage]}
        # with a constant, an __init__.py that only re-exported becomes code of all that import from its package
        assert stale == stages or (file.name == "__init__.py" and stale > stages), module


def test_a_changed_template_makes_the_report_stale(code: Path) -> None:
    before = _digests(CodeTree.at(code))
    template = code / "src" / "realframe" / "reports" / "templates" / "card.md"
    template.write_text(template.read_text() + "x")
    after = _digests(CodeTree.at(code))
    assert {stage for stage in before if after[stage] != before[stage]} == {"report"}


@pytest.mark.slow
def test_all_modules_that_a_stage_imports_at_its_start_are_in_its_closure(root: Path) -> None:
    """The closure comes from syntax trees; here Python itself says what is imported, apart from what functions import later."""
    command = [sys.executable, "-c", _IMPORT_ALL, *_stages()]
    done = subprocess.run(command, cwd=root, env=checkout_environment(root), capture_output=True, text=True, check=True)
    imported = {line.split()[1]: set(line.split()[2:]) for line in done.stdout.splitlines() if line.startswith("IMPORTED")}
    tree = CodeTree.at(root)
    packages = {".".join(path.parent.relative_to(root / "src").parts) for path in (root / "src").rglob("__init__.py")} | {"pipelines"}
    assert set(imported) == set(_stages())
    # packages that only re-export are not in a closure, nor is what only they import
    unused = {"realframe.config.sections", "realframe.config.search_space", "realframe.config.parameters"}
    for stage, modules in imported.items():
        assert modules - packages - set(tree.closure(f"pipelines.{stage}")) <= unused, stage


# the dependencies that were missing when they were written by hand, and some that must not exist
@pytest.mark.parametrize(
    ("module", "stale", "fresh"),
    [
        ("realframe.training.detector_training", {"extract_features", "train", "hold_out_generators"}, {"extract_frames", "report"}),
        ("realframe.media.ffmpeg", {"extract_frames", "harmonize_media", "evaluate", "measure_robustness"}, {"clean_frames", "train"}),
        ("realframe.media.frame_sampling", {"train", "hold_out_generators", "extract_frames"}, {"clean_frames", "split_dataset"}),
        ("realframe.statistics.bootstrap", {"report", "evaluate", "audit_shortcuts"}, {"train", "clean_frames"}),
        ("realframe.data.balance", {"harmonize_media", "balance_classes", "split_dataset"}, {"extract_frames", "train"}),
        ("realframe.models.frame_features", {"extract_features", "train", "evaluate"}, {"catalog", "extract_frames", "clean_frames"}),
        ("realframe.evaluation.source_folds", {"hold_out_sources"}, {"train", "hold_out_generators", "evaluate"}),
        ("realframe.data.source_groups", {"split_dataset", "hold_out_sources", "evaluate"}, {"train", "clean_frames"}),
        ("realframe.training.two_phase", {"train"}, {"extract_frames", "clean_frames", "harmonize_media", "catalog"}),
    ],
)
def test_known_dependencies(root: Path, module: str, stale: set[str], fresh: set[str]) -> None:
    tree = CodeTree.at(root)
    importers = {stage for stage in _stages() if module in tree.closure(f"pipelines.{stage}")}
    assert stale <= importers
    assert not fresh & importers


@pytest.mark.parametrize("module", ["media.probe", "media.extract", "media.harmonize", "media.clean", "models.activations"])
def test_training_parameters_recompute_no_frame_and_no_activation(root: Path, module: str) -> None:
    closure = CodeTree.at(root).closure(f"realframe.{module}")
    assert "realframe.config.frame_sections" in closure
    assert not {"realframe.config.sections", "realframe.config.search_space", "realframe.config.parameters"} & set(closure)


def test_an_answer_depends_on_all_code_that_decides_it(root: Path) -> None:
    closure = CodeTree.at(root).closure("realframe.detection.detector")
    deciding = {
        "detection.cautions",
        "media.decode",
        "media.ffmpeg",
        "provenance.known_tools",
        "statistics.calibration",
        "models.aggregate",
    }
    assert {f"realframe.{module}" for module in deciding} <= set(closure)
    assert not [module for module in closure if f"{module}.".split(".")[1] in ("web", "worker", "training", "cli", "services")]


def test_no_stage_depends_on_the_web_page_or_the_worker(root: Path) -> None:
    tree = CodeTree.at(root)
    packages = {module.split(".")[1] for stage in _stages() for module in tree.closure(f"pipelines.{stage}") if "." in module}
    assert not packages & {"web", "worker", "services", "cli", "governance", "detection", "runs", "scoring", "demo"}


_SMALL_PIPELINE = {
    "dvc.yaml": """
stages:
  digest_code:
    cmd: python -m pipelines.digest_code
    always_changed: true
    outs: [build/code: {cache: false}]
  prepare:
    cmd: python -m pipelines.prepare
    deps: [build/code/prepare.sha256]
    outs: [prepared.txt]
  count:
    cmd: python -m pipelines.count
    deps: [prepared.txt, build/code/count.sha256]
    outs: [count.txt]
""",
    "pipelines/prepare.py": "from realframe import preparing\nopen('prepared.txt', 'w').write(str(preparing.VALUE))\n",
    "pipelines/count.py": "from realframe import counting\nopen('count.txt', 'w').write(str(counting.VALUE))\n",
    "src/realframe/preparing.py": "VALUE = 1\n",
    "src/realframe/counting.py": "VALUE = 1\n",
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the real stage ``digest_code`` and two small stages, which has run."""
    root = copy_checkout(tmp_path_factory.mktemp("checkout"))
    for file in (root / "pipelines").glob("*.py"):
        if file.stem not in ("__init__", "digest_code"):
            file.unlink()
    for name, text in _SMALL_PIPELINE.items():
        (root / name).write_text(text)
    assert _reproduce(root) == ["digest_code", "prepare", "count"]
    return root


def _reproduce(root: Path, *options: str) -> list[str]:
    """Run ``dvc repro`` and return the stages whose command ran."""
    command = [sys.executable, "-m", "dvc", "repro", *options]
    done = subprocess.run(command, cwd=root, env=checkout_environment(root), capture_output=True, text=True, check=True)
    return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]


def _append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


@pytest.mark.slow
def test_dvc_repro_recomputes_exactly_the_stages_whose_code_changed(pipeline: Path) -> None:
    package = pipeline / "src" / "realframe"
    assert _reproduce(pipeline) == ["digest_code"]
    _append(package / "preparing.py", "# a comment\n")
    _append(pipeline / "pipelines" / "count.py", '"""A string that is not code."""\n')
    assert _reproduce(pipeline) == ["digest_code"]
    _append(package / "counting.py", "UNUSED = 1\n")
    assert _reproduce(pipeline) == ["digest_code", "count"]
    _append(package / "preparing.py", "UNUSED = 1\n")
    assert _reproduce(pipeline) == ["digest_code", "prepare"]  # its output is the same, so the next stage does not run
    (package / "preparing.py").write_text("VALUE = 2\n")
    assert _reproduce(pipeline) == ["digest_code", "prepare", "count"]
    status = subprocess.run(["git", "status", "--porcelain", "--", "build"], cwd=pipeline, capture_output=True, text=True, check=True)
    assert status.stdout == ""


@pytest.mark.slow
def test_a_stage_that_runs_alone_sees_the_code_as_it_is(pipeline: Path) -> None:
    """As a task of Airflow runs it: the digests may be missing, or older than an edit of the worktree."""
    script = ROOT / "src" / "realframe" / "runs" / "dvc_stage.py"

    def run(stage: str) -> str:
        command = [sys.executable, "-P", str(script), stage]
        done = subprocess.run(command, cwd=pipeline, env=checkout_environment(pipeline), capture_output=True, text=True, check=True)
        return done.stdout

    _reproduce(pipeline)
    assert "stage count: unchanged" in run("count")
    _append(pipeline / "src" / "realframe" / "counting.py", "MORE = 1\n")
    shutil.rmtree(pipeline / "build" / "code")
    assert "stage count: done" in run("count")
    assert "stage count: unchanged" in run("count")
