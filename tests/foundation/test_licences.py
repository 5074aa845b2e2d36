"""``docs/licences.md`` names every part with a licence that asks something of those who pass it on."""

import re
import sys
from pathlib import Path

import pytest

from bench import licences
from bench.licences import LockedPackage


@pytest.fixture(scope="module")
def packages() -> list[LockedPackage]:
    return licences.list_packages()


def test_every_copyleft_package_of_the_lock_is_on_the_page(packages: list[LockedPackage]) -> None:
    page = licences.PAGE.read_text()
    copyleft = [package.name for package in packages if package.is_copyleft]
    assert {"grandalf", "pygit2", "psycopg2-binary"} <= set(copyleft)
    assert not [name for name in copyleft if f"| `{name}` |" not in page], "write the page again: make licences"


def test_the_known_gpl_parts_and_the_sspl_are_on_the_page(root: Path) -> None:
    page = licences.PAGE.read_text()
    for part in ("`imageio-ffmpeg`", "libx264 | `av`", "libx265 | `pillow-heif`", "SSPL-1.0", "`mongo:"):
        assert part in page
    images = re.findall(r"^ +image: (\S+)$", (root / "docker-compose.yml").read_text(), re.MULTILINE)
    assert not [image for image in images if f"`{image}`" not in page]


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries in the wheels of other systems have other names")
def test_the_tables_are_those_of_the_environment() -> None:
    page = licences.PAGE.read_text()
    assert licences.render_page(page) == page, "write the page again: make licences"


def test_a_library_of_unknown_licence_is_an_error() -> None:
    assert licences._find_library("libx265-f5385bb8.so.216", "av.libs/libx265-f5385bb8.so.216") == ("libx265", "GPL-2.0-or-later")
    assert licences._find_library("libopus-114e2b1a.so.0", "av.libs/libopus-114e2b1a.so.0") is None
    with pytest.raises(LookupError, match="add the licence of libunheard"):
        licences._find_library("libunheard-1.so", "some.libs/libunheard-1.so")


def test_notice_and_licence_are_in_the_wheels(root: Path) -> None:
    for folder in (root, root / "packaging" / "detect"):
        assert 'license-files = ["LICENSE", "NOTICE"]' in (folder / "pyproject.toml").read_text()
        assert (folder / "NOTICE").read_text() == (root / "NOTICE").read_text()
        assert (folder / "LICENSE").read_text() == (root / "LICENSE").read_text()
