"""The digest of code follows the imports, and changes with the code only."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from realframe.caching import code_digest
from realframe.caching.code_digest import CodeTree
from realframe.runs.git_dvc import checkout_environment

FILES = {
    "__init__.py": '"""A package."""\n',
    "stage.py": "from realframe.media import crop\nfrom realframe.config import Size\nimport realframe.tables\n",
    "tables.py": "def write():\n    from realframe import files\n    return files\n",
    "files.py": '"""Write files."""\nLIMIT = 1  # bytes\n',
    "types.py": "X = 1\n",
    "media/__init__.py": "",
    "media/crop.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from realframe import types\n",
    "config/__init__.py": "from realframe.config.frame import Size\nfrom realframe.config.training import Rate\n__all__ = ['Size']\n",
    "config/frame.py": "class Size:\n    '''A size.'''\n    side = 1\n",
    "config/training.py": "class Rate: pass\n",
    "worker/__init__.py": "from realframe import files\nQUEUE = files\n",
    "worker/loop.py": "LOOP = 1\n",
    "circle/__init__.py": "",
    "circle/one.py": "from realframe.circle import two\n",
    "circle/two.py": "from . import one\nfrom .one import two as again\n",
    "reports/__init__.py": "",
    "reports/page.py": "PAGE = 1\n",
    "reports/templates/page.html": "<p>",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def closure(package: Path) -> Callable[[str], set[str]]:
    return lambda module: {name.removeprefix("realframe.") for name in CodeTree({"realframe": package}).closure(f"realframe.{module}")}


def test_imports_are_followed_also_in_functions_and_through_reexports(closure: Callable[[str], set[str]]) -> None:
    assert closure("stage") == {"stage", "media.crop", "config.frame", "tables", "files"}


def test_a_package_that_does_more_than_reexport_counts_with_all_its_imports(closure: Callable[[str], set[str]], package: Path) -> None:
    (package / "importer.py").write_text("import realframe.worker.loop\n")
    assert closure("importer") == {"importer", "worker", "worker.loop", "files"}
    (package / "importer.py").write_text("from realframe import config\n")
    assert closure("importer") == {"importer", "config", "config.frame", "config.training"}
    (package / "importer.py").write_text("from realframe.config import *\n")
    assert closure("importer") == {"importer", "config", "config.frame", "config.training"}


def test_modules_that_import_each_other_have_one_closure(closure: Callable[[str], set[str]]) -> None:
    assert closure("circle.one") == closure("circle.two") == {"circle.one", "circle.two"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("files.py", "# bytes", "# at most\n\n"),
        ("files.py", "Write files.", "Write all files."),
        ("files.py", "LIMIT = 1", "LIMIT = (\n    1\n)"),
        ("config/frame.py", "'''A size.'''", "'''Another docstring.'''"),
        ("config/frame.py", "side = 1", "side = 1\n    '''of the frame'''"),
        ("config/training.py", "pass", "rate = 1"),
        ("config/__init__.py", "from realframe.config.training import Rate", "from realframe.config.training import Rate as Speed"),
        ("types.py", "1", "2"),
    ],
)
def test_what_does_not_change_the_code_of_a_module_changes_no_digest(package: Path, file: str, old: str, new: str) -> None:
    before = CodeTree({"realframe": package}).digest("realframe.stage")
    text = (package / file).read_text()
    (package / file).write_text(text.replace(old, new))
    assert (package / file).read_text() != text
    assert CodeTree({"realframe": package}).digest("realframe.stage") == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("files.py", "LIMIT = 1", "LIMIT = 2"),
        ("files.py", "LIMIT = 1", "LIMIT = 1.0"),
        ("media/crop.py", "if TYPE", "SIDE = 3\nif TYPE"),
        ("config/frame.py", "side", "size"),
        ("config/__init__.py", "config.frame import", "config.training import Rate as"),
        ("__init__.py", "package.", 'package."""\nVERSION = 1\n"""'),
    ],
)
def test_changed_code_changes_the_digest(package: Path, file: str, old: str, new: str) -> None:
    before = CodeTree({"realframe": package}).digest("realframe.stage")
    text = (package / file).read_text()
    (package / file).write_text(text.replace(old, new))
    assert (package / file).read_text() != text
    assert CodeTree({"realframe": package}).digest("realframe.stage") != before


def test_a_template_counts_with_the_modules_of_its_package(package: Path) -> None:
    page, stage = (CodeTree({"realframe": package}).digest(f"realframe.{module}") for module in ("reports.page", "stage"))
    (package / "reports" / "templates" / "page.html").write_text("<b>")
    assert CodeTree({"realframe": package}).digest("realframe.reports.page") != page
    assert CodeTree({"realframe": package}).digest("realframe.stage") == stage


def test_a_source_is_parsed_again_where_python_fails_at_random(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = CodeTree({"realframe": package}).digest("realframe.files")
    (package / "files.py").write_text(FILES["files.py"] + "# another text: the first one is in a cache\n")
    failures = iter([SystemError("AST constructor recursion depth mismatch")] * 2)

    def fail_twice(source: bytes) -> ast.Module:
        for failure in failures:
            raise failure
        return ast.parse(source)

    monkeypatch.setattr(code_digest, "ast", SimpleNamespace(**{**vars(ast), "parse": fail_twice}))
    assert CodeTree({"realframe": package}).digest("realframe.files") == expected


def test_faults_are_named(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no module 'realframe\.nothing'"):
        CodeTree({"realframe": package}).digest("realframe.nothing")
    (package / "files.py").write_text("LIMIT = \n")
    with pytest.raises(SyntaxError, match=r"files\.py"):
        CodeTree({"realframe": package}).digest("realframe.stage")


def test_the_running_checkout_is_digested(root: Path) -> None:
    code = "from realframe.caching.code_digest import code_digest; print(code_digest('pipelines.train'), code_digest('pipelines.catalog'))"
    done = subprocess.run([sys.executable, "-c", code], env=checkout_environment(root), capture_output=True, text=True, check=True)
    tree = CodeTree.at(root)
    assert done.stdout.split() == [tree.digest("pipelines.train"), tree.digest("pipelines.catalog")]
