"""The documentation agrees with the tree: settings, paths and links."""

import re
import subprocess
from pathlib import Path

import pytest

from bench.settings_page import PAGE, page
from realframe.settings import Settings

NOT_SETTINGS = {"REALFRAME_KEY", "REALFRAME_URL"}  # shell variables in the examples of docs/api.md


def _tracked(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root, capture_output=True, check=True)
    return [root / name for name in listed.stdout.decode().split("\0") if name and (root / name).is_file()]


def test_the_settings_page_is_up_to_date(root: Path) -> None:
    assert (root / PAGE).read_text() == page(), "run `make settings`"


def test_every_setting_has_a_description() -> None:
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_every_environment_variable_is_on_the_settings_page(root: Path) -> None:
    used = {
        name
        for path in _tracked(root)
        if path.suffix in (".py", ".md", ".yml", ".yaml", ".example", ".sh", "") and path.name != "test_docs.py"
        for name in re.findall(r"\bREALFRAME_[A-Z_]*[A-Z]\b", path.read_text(errors="replace"))
    }
    listed = set(re.findall(r"`([A-Z_]+)`", page()))
    assert used - listed - NOT_SETTINGS == set()


def test_the_places_named_in_contributing_exist(root: Path) -> None:
    section = (root / "CONTRIBUTING.md").read_text().partition("## Where is what")[2].partition("\n## ")[0]
    places = [
        name
        for row in section.splitlines()
        if row.startswith("|")
        for name in re.findall(r"`([\w./]+)`", row.split("|")[2])
        if "/" in name or "." in name
    ]
    assert len(places) >= 24
    assert not [name for name in places if not any((base / name).exists() for base in (root, root / "src" / "realframe"))]


EXAMPLES = {  # what the worked examples of CONTRIBUTING.md add to the project
    "pipelines/count_colors.py",
    "data/colors.parquet",
    "recipes/resnet50.yaml",
    "src/realframe/web/pages/colors_page.py",
    "src/realframe/web/templates/colors.html",
    "count_colors",
    "_conv1d",
}


def test_the_paths_and_names_in_contributing_exist(root: Path) -> None:
    text = re.sub(r"```.*?```", "", (root / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    quoted = {name for name in re.findall(r"`([\w./]+)`", text) if name not in EXAMPLES and not name.startswith(("/", ".", "build/"))}
    paths = {name for name in quoted if "/" in name and "." in name.rpartition("/")[2]}
    assert len(paths) > 40
    assert not [name for name in paths if not any((base / name).exists() for base in (root, root / "src" / "realframe"))]
    names = {name for name in quoted if re.fullmatch(r"[A-Za-z_][\w]*_\w+|[A-Z]+[a-z]\w*[A-Z]\w*", name)}
    assert len(names) > 10
    code = "".join(path.read_text(errors="replace") for path in _tracked(root) if path.suffix in (".py", ".yaml", ".html"))
    assert not [name for name in names if not re.search(rf"\b{name}\b", code)]


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        *(f"docs/{page}" for page in ("architecture.md", "using.md", "data.md", "api.md", "review.md", "loop.md", "recipes.md")),
    ],
)
def test_relative_links_lead_somewhere(name: str, root: Path) -> None:
    text = (root / name).read_text()
    targets = [target.partition("#")[0] for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text)]
    assert not [target for target in targets if target and not ((root / name).parent / target).exists()]


def test_decisions_are_listed(root: Path) -> None:
    folder = root / "docs" / "decisions"
    listed = set(re.findall(r"\(([\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("0*.md")}
