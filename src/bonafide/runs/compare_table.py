"""The table of ``bonafide compare-recipes`` as Markdown, and its place in a page."""

from collections.abc import Sequence
from pathlib import Path

from bonafide.files import write_text
from bonafide.runs.compare import FIGURES, Compared
from bonafide.tracking.registry import shown

_BEGIN, _END = "<!-- compare-recipes: begin -->", "<!-- compare-recipes: end -->"
_CHANCE = 0.5


def markdown(compared: Sequence[Compared]) -> str:
    """Return the table, what it was measured on, and the recipes that are no better than chance."""
    heads = [
        "recipe",
        "backbone (weights)",
        "head",
        "validation, roc_auc",
        *FIGURES,
        "floor, roc_auc",
        "run, s",
        "training, s",
        "model, MB",
        "s per clip",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads), *map(_line, compared), "", *_remarks(compared)]
    return "\n".join(lines)


def put_into(page: Path, text: str) -> None:
    """Put the table into a Markdown page, in the place of the last one; at its end where there was none."""
    section = f"{_BEGIN}\n## The recipes on the videos\n\n{text}\n{_END}\n"
    before = page.read_text() if page.exists() else ""
    head, _, rest = before.partition(_BEGIN)
    old, end, after = rest.partition(_END)
    tail = (after if end else old).lstrip("\n")  # without the end mark nobody knows where the old table ends: all of it stays
    write_text(page, (head.rstrip("\n") + "\n\n" if head.strip() else "") + section + (f"\n{tail}" if tail.strip() else ""))


def section_of(page: Path) -> str:
    """Return the section of a page that holds the table, with its marks; empty where there is none."""
    _, begin, rest = (page.read_text() if page.exists() else "").partition(_BEGIN)
    return begin + rest.partition(_END)[0] + _END + "\n" if _END in rest else ""


def _line(row: Compared) -> str:
    figures = [shown(row.figures[name]) for name in FIGURES]
    costs = [f"{row.run_s:.0f}", f"{row.training_s:.0f}", f"{row.model_bytes / 1e6:.1f}", f"{row.clip_s:.2f}"]
    return "| " + " | ".join([row.recipe, row.backbone, row.head, shown(row.validation), *figures, shown(row.floor), *costs]) + " |"


def _remarks(compared: Sequence[Compared]) -> list[str]:
    same = len({row.test_items for row in compared}) == 1
    counts = sorted({len(row.test_items) for row in compared})
    split = f"All were tested on the same {counts[0]} clips" if same else f"The test splits differ: {counts} clips"
    remarks = [
        "Choose by `validation`: a test split that is chosen by says less each time.",
        f"{split}; figures are per clip, with 95 % intervals by bootstrap over clusters of clips.",
        "`run` is the whole run, features included where no earlier run had computed them; `s per clip` is the median of decoding and",
        "scoring a test clip by the model loaded from the registry in a fresh process. Its scores differ from the evaluation's by at most",
        f"{max(row.reload_gap for row in compared):.1e}.",
    ]
    lows = {row.recipe: row.figures["roc_auc"].get("low") for row in compared}
    chance = [recipe for recipe, low in lows.items() if low is not None and low <= _CHANCE]
    if chance:
        remarks += ["", f"No better than chance (the interval of ROC-AUC reaches down to 0.5): {', '.join(chance)}."]
    unsure = [recipe for recipe, low in lows.items() if low is None]
    if unsure:
        remarks += ["", f"Too few test clips for an interval, so nothing is said of chance: {', '.join(unsure)}."]
    random = [row.recipe for row in compared if "(random)" in row.backbone]
    if random:
        remarks += ["", f"Random weights, which say nothing of what the recipe reaches with ImageNet's: {', '.join(random)}."]
    return remarks
