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


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        *(f"docs/{page}" for page in ("architecture.md", "using.md", "api.md", "review.md", "loop.md", "recipes.md")),
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
