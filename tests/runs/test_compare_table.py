"""The table of compared recipes says what was measured and what it is worth, and takes its own place in a page alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from realframe.runs.compare_recipes import FIGURES, Compared, markdown, put_into, section_of

PAGE = "# Results\n\nBefore.\n"


def figure(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high}


def compared(recipe: str, low: float | None = 0.71, weights: str = "imagenet", items: str = "abcd") -> Compared:
    return Compared(
        recipe=recipe,
        version=3,
        backbone=f"mobilenetv2 ({weights})",
        head="lstm",
        figures={name: figure(0.811, low, 0.912) for name in FIGURES},
        baseline=figure(0.7, 0.6, 0.8),
        validation=figure(0.75, 0.65, 0.85),
        test_items=frozenset(items),
        run_s=125.4,
        training_s=61.6,
        model_bytes=9_840_000,
        clip_s=0.456,
        reload_gap=2.34e-6,
    )


def cells(text: str, recipe: str) -> dict[str, str]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    return dict(zip(lines[0], next(line for line in lines if line[0] == recipe), strict=True))


def remark(text: str, beginning: str) -> str:
    return next((line for line in text.splitlines() if line.startswith(beginning)), "")


def test_a_row_for_each_recipe_in_their_order() -> None:
    text = markdown([compared("lstm"), compared("gap", low=0.6)])
    row = cells(text, "lstm")
    assert row["backbone (weights)"] == "mobilenetv2 (imagenet)"
    assert row["head"] == "lstm"
    assert {row[name] for name in FIGURES} == {"0.811 (0.710 to 0.912)"}
    assert row["baseline, roc_auc"] == "0.700 (0.600 to 0.800)"
    assert row["validation, roc_auc"] == "0.750 (0.650 to 0.850)"
    assert [row[name] for name in ("run, s", "training, s", "model, MB", "s per clip")] == ["125", "62", "9.8", "0.46"]
    assert text.index("| lstm ") < text.index("| gap ")


def test_a_figure_without_value_is_unknown() -> None:
    row = compared("lstm")
    assert cells(markdown([replace(row, figures=row.figures | {"f1": figure(None)})]), "lstm")["f1"] == "unknown"


def test_the_largest_gap_after_reloading_is_said() -> None:
    text = markdown([compared("lstm"), replace(compared("gap"), reload_gap=4.5e-5)])
    assert "4.5e-05." in text


def test_recipes_no_better_than_chance_are_named() -> None:
    rows = [compared("good"), compared("edge", low=0.5), compared("poor", low=0.31), compared("just", low=0.501)]
    assert remark(markdown(rows), "No better than chance") == (
        "No better than chance (the interval of ROC-AUC reaches down to 0.5): edge, poor."
    )
    assert "chance" not in markdown([compared("good")])


def test_recipes_without_an_interval_are_not_called_chance() -> None:
    text = markdown([compared("few", low=None), compared("poor", low=0.4)])
    assert remark(text, "No better than chance").endswith(": poor.")
    assert remark(text, "Too few test clips") == "Too few test clips for an interval, so nothing is said of chance: few."


def test_recipes_with_random_weights_are_named() -> None:
    text = markdown([compared("lstm"), compared("gap", weights="random")])
    assert remark(text, "Random weights").endswith(": gap.")
    assert "Random weights" not in markdown([compared("lstm")])


@pytest.mark.parametrize(
    ("others", "said"),
    [("abcd", "All were tested on the same 4 clips;"), ("abcde", "The test splits differ: "), ("abce", "The test splits differ: ")],
)
def test_it_says_whether_the_test_splits_are_the_same(others: str, said: str) -> None:
    text = markdown([compared("lstm"), compared("gap", items=others)])
    assert said in text
    assert ("same" in text) is (others == "abcd")


def test_a_new_page_holds_the_table(tmp_path: Path) -> None:
    put_into(tmp_path / "page.md", "| a |")
    assert "| a |" in (tmp_path / "page.md").read_text()


@pytest.mark.parametrize("after", ["", "\n## Later\n\nAfter.\n"])
def test_only_its_own_section_is_replaced(after: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    put_into(page, "| first |")
    page.write_text(page.read_text() + after)
    put_into(page, "| second |")

    text = page.read_text()
    assert text.startswith(PAGE)
    assert "| second |" in text and "| first |" not in text
    assert text.endswith(after or "<!-- compare-recipes: end -->\n")
    assert text.count("## The recipes on the videos") == 1


def test_putting_the_same_table_twice_gives_the_same_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    put_into(page, "| a |")
    page.write_text(page.read_text() + "\nAfter.\n")
    put_into(page, "| b |")
    once = page.read_bytes()
    put_into(page, "| b |")
    assert page.read_bytes() == once


def test_nothing_is_lost_where_someone_took_the_end_mark_away(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{PAGE}\n<!-- compare-recipes: begin -->\nold\n\nAfter.\n")
    for _ in range(2):
        put_into(page, "| a |")
        assert page.read_text().startswith(PAGE)
        assert page.read_text().endswith("After.\n")
        assert page.read_text().count("| a |") == 1


def test_the_section_can_be_taken_out_of_a_page_and_put_behind_another(tmp_path: Path) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text(PAGE)
    assert section_of(page) == section_of(tmp_path / "none.md") == ""
    put_into(page, "| a |")
    other.write_text("# Other\n\n" + section_of(page))
    assert "| a |" in other.read_text() and "Before." not in other.read_text()
    put_into(other, "| b |")
    assert "| a |" not in other.read_text()
