"""The comparison table lists metrics and remarks, and replaces only its own section of a page."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from realframe.runs.compare_recipes import FIGURES, RecipeResult, comparison_markdown, extract_section, insert_section

PAGE = "# Results\n\nBefore.\n"


def figure(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high}


def recipe_result(recipe: str, low: float | None = 0.71, weights: str = "imagenet", items: str = "abcd") -> RecipeResult:
    return RecipeResult(
        recipe=recipe,
        version=3,
        backbone=f"mobilenetv2 ({weights})",
        head="lstm",
        unseen_sources="0.620 (0.510 to 0.730)",
        unseen_generators="not measured",
        figures={name: figure(0.811, low, 0.912) for name in FIGURES},
        baseline=figure(0.7, 0.6, 0.8),
        validation=figure(0.75, 0.65, 0.85),
        test_items=frozenset(items),
        run_s=125.4,
        training_s=61.6,
        model_bytes=9_840_000,
        clip_s=0.456,
        reload_difference=2.34e-6,
    )


def cells(text: str, recipe: str) -> dict[str, str]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    return dict(zip(lines[0], next(line for line in lines if line[0] == recipe), strict=True))


def remark(text: str, beginning: str) -> str:
    return next((line for line in text.splitlines() if line.startswith(beginning)), "")


def test_the_table_has_a_row_per_recipe_in_order() -> None:
    text = comparison_markdown([recipe_result("lstm"), recipe_result("gap", low=0.6)])
    row = cells(text, "lstm")
    assert row["backbone (weights)"] == "mobilenetv2 (imagenet)"
    assert row["head"] == "lstm"
    assert {row[name] for name in FIGURES} == {"0.811 (0.710 to 0.912)"}
    assert row["unseen sources, roc_auc"] == "0.620 (0.510 to 0.730)"
    assert row["unseen generators, roc_auc"] == "not measured"
    assert row["baseline, roc_auc"] == "0.700 (0.600 to 0.800)"
    assert row["validation, roc_auc"] == "0.750 (0.650 to 0.850)"
    assert [row[name] for name in ("run, s", "training, s", "model, MB", "s per clip")] == ["125", "62", "9.8", "0.46"]
    assert text.index("| lstm ") < text.index("| gap ")


def test_a_figure_without_value_is_unknown() -> None:
    row = recipe_result("lstm")
    assert cells(comparison_markdown([replace(row, figures=row.figures | {"f1": figure(None)})]), "lstm")["f1"] == "unknown"


def test_remarks_state_the_largest_difference_after_reloading() -> None:
    text = comparison_markdown([recipe_result("lstm"), replace(recipe_result("gap"), reload_difference=4.5e-5)])
    assert "4.5e-05." in text


def test_recipes_no_better_than_chance_are_named() -> None:
    rows = [recipe_result("good"), recipe_result("edge", low=0.5), recipe_result("poor", low=0.31), recipe_result("just", low=0.501)]
    assert remark(comparison_markdown(rows), "No better than chance") == (
        "No better than chance (the interval of the ROC-AUC includes 0.5): edge, poor."
    )
    assert "chance" not in comparison_markdown([recipe_result("good")])


def test_recipes_without_an_interval_are_not_called_chance() -> None:
    text = comparison_markdown([recipe_result("few", low=None), recipe_result("poor", low=0.4)])
    assert remark(text, "No better than chance").endswith(": poor.")
    assert remark(text, "Too few test clips") == "Too few test clips for an interval, so a comparison with chance is not possible: few."


def test_recipes_with_random_weights_are_named() -> None:
    text = comparison_markdown([recipe_result("lstm"), recipe_result("gap", weights="random")])
    assert remark(text, "Random weights").endswith(": gap.")
    assert "Random weights" not in comparison_markdown([recipe_result("lstm")])


@pytest.mark.parametrize(
    ("others", "sentence"),
    [("abcd", "All were tested on the same 4 clips;"), ("abcde", "The test splits differ: "), ("abce", "The test splits differ: ")],
)
def test_remarks_state_whether_the_test_splits_are_the_same(others: str, sentence: str) -> None:
    text = comparison_markdown([recipe_result("lstm"), recipe_result("gap", items=others)])
    assert sentence in text
    assert ("same" in text) is (others == "abcd")


def test_a_new_page_holds_the_table(tmp_path: Path) -> None:
    insert_section(tmp_path / "page.md", "| a |")
    assert "| a |" in (tmp_path / "page.md").read_text()


@pytest.mark.parametrize("after", ["", "\n## Later\n\nAfter.\n"])
def test_only_its_own_section_is_replaced(after: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    insert_section(page, "| first |")
    page.write_text(page.read_text() + after)
    insert_section(page, "| second |")

    text = page.read_text()
    assert text.startswith(PAGE)
    assert "| second |" in text and "| first |" not in text
    assert text.endswith(after or "<!-- compare-recipes: end -->\n")
    assert text.count("## The recipes on the videos") == 1


def test_inserting_the_same_table_twice_gives_the_same_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    insert_section(page, "| a |")
    page.write_text(page.read_text() + "\nAfter.\n")
    insert_section(page, "| b |")
    first = page.read_bytes()
    insert_section(page, "| b |")
    assert page.read_bytes() == first


def test_text_stays_if_the_end_mark_was_removed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{PAGE}\n<!-- compare-recipes: begin -->\nold\n\nAfter.\n")
    for _ in range(2):
        insert_section(page, "| a |")
        assert page.read_text().startswith(PAGE)
        assert page.read_text().endswith("After.\n")
        assert page.read_text().count("| a |") == 1


def test_the_section_can_be_extracted_and_appended_to_another_page(tmp_path: Path) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text(PAGE)
    assert extract_section(page) == extract_section(tmp_path / "none.md") == ""
    insert_section(page, "| a |")
    other.write_text("# Other\n\n" + extract_section(page))
    assert "| a |" in other.read_text() and "Before." not in other.read_text()
    insert_section(other, "| b |")
    assert "| a |" not in other.read_text()
