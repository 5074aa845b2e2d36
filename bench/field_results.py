"""Write docs/results.md: the results of the pipeline on media of many sources and generators. ``make field`` runs it."""

import argparse
import json
import platform
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bench.field_sandbox import FieldSandbox, field_data_folder, field_sources_folder
from realframe import artifacts
from realframe.data.split import SPLITS
from realframe.files import write_text
from realframe.markdown import escape_markdown
from realframe.registry.model_registry import format_metric_with_interval
from realframe.registry.unseen_sources import describe_kind, list_kinds
from realframe.runs.compare_recipes import extract_section
from realframe.runs.git_dvc import git
from realframe.runs.run_versions import find_newest_dataset_tag
from realframe.settings import Settings, get_settings
from realframe.store.run_artifacts import RevisionSource

RESULTS = Path("docs") / "results.md"
SEEDS = (42, 43, 44)


@dataclass(frozen=True)
class FieldCase:
    """One row of the tables: a recipe and the parameters that it is trained with, on one or more splits."""

    title: str
    recipe: str
    settings: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = SEEDS[:1]


CASES = (
    FieldCase("images and videos, `efficientnetv2b0`", "efficientnetv2b0"),
    FieldCase("videos, `mobilenetv2-rnn`", "mobilenetv2-rnn", {}, SEEDS),
)
# the original data, whose file facts separate the classes (the page says so). docs/example-report.html has unseen generators and robustness
ORIGINAL_DATA = {"shortcuts.allow_shortcuts": "true"}
WITHOUT_FURTHER_TRAININGS = {"evaluate.leave_one_generator_out": "false", "evaluate.robustness_items": "0"}


@dataclass(frozen=True)
class Outcome:
    """The metrics of a run."""

    case: FieldCase
    seed: int
    metrics: dict[str, Any]
    training: dict[str, Any]


_FILES = ("reports/metrics.json", "models/training.json")


def main() -> None:
    """Run all cases and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed per case")
    parser.add_argument("--recipes", action="store_true", help="compare all recipes on the videos too, which takes another hour")
    options = parser.parse_args()
    sandbox = FieldSandbox("field", get_settings(), field_data_folder(), field_sources_folder())
    sandbox.prepare(ORIGINAL_DATA)
    outcomes = [_train_case(sandbox, case, seed) for case in CASES for seed in (case.seeds[:1] if options.quick else case.seeds)]
    recipes = extract_section(RESULTS)
    earlier = EARLIER if recipes and not options.recipes else ""
    write_text(RESULTS, results_page(outcomes, sandbox.settings) + "\n" + earlier + recipes)
    if options.recipes:
        options_without = [part for key, value in WITHOUT_FURTHER_TRAININGS.items() for part in ("-S", f"{key}={value}")]
        sandbox.realframe("compare-recipes", "--allow-random-weights", "--output", str(RESULTS.resolve()), *options_without)
    print(f"wrote {RESULTS}")


def _train_case(sandbox: FieldSandbox, case: FieldCase, seed: int) -> Outcome:
    folds = {} if seed == case.seeds[0] else {"evaluate.source_folds": "0"}  # one measurement of each case is enough
    branch = sandbox.train({"recipe": case.recipe, "seed": str(seed), **WITHOUT_FURTHER_TRAININGS, **folds, **case.settings})
    metrics, training = (json.loads(git(sandbox.settings.root, "show", f"{branch}:{name}")) for name in _FILES)
    return Outcome(case, seed, metrics, training)


def results_page(outcomes: list[Outcome], settings: Settings) -> str:
    """Return docs/results.md."""
    commit = git(settings.root, "rev-parse", "--short", "HEAD")
    return "\n".join(
        [
            "# Results on field data",
            "",
            "Written by `make field` on photos and clips of cameras, scans and stock, and on the output of many generators, of two sets:",
            "one large source of images and clips of ten generators, and 32 small sources. All figures are those of the stage `evaluate`,",
            "per media item, with 95 % intervals.",
            f"Machine: {settings.workers} cores, {platform.machine()}; commit `{commit}`.",
            "",
            *_unseen_source_tables(outcomes),
            *_verdict_tables(outcomes),
            "## Test split: other items of the sources of the training",
            "",
            "The older protocol: no cluster is in two splits, but train and test have the same sources and generators. The baseline is a",
            "logistic regression on the features of the same backbone before training. Intervals are over clusters of items.",
            "",
            *_result_table(outcomes),
            "",
            *_seed_table([outcome for outcome in outcomes if len(outcome.case.seeds) > 1]),
            "## Weakest slices",
            "",
            *_slice_table(outcomes[0]),
            "",
            "## Data",
            "",
            *_describe_data(settings),
            "",
            REMARKS,
        ]
    )


REMARKS = """## Limitations

- File facts alone separate the classes (`audit_shortcuts`, above): part of every metric may come from size, codec or frame rate, through
  the pixels.
- The test split has other items than the training split, but of the same sources and generators: see *Unseen sources*.
  [example-report.html](example-report.html) (`make example`) has the results on unseen generators, with harmonized file facts.
- The sets are small, so the intervals are wide. Labels are those of the uploaders.
"""


UNSEEN_SOURCES = """## Unseen sources

For at most four folds, a detector was trained without some sources, with none of their items of either class and none of the items of their
generators or nearly identical ones, and tested on all items of these sources. `pooled` ranks the items of all folds on one scale, and
`within folds` is the mean over the folds. Intervals come from resampled sources, and generators within them. `real against real` tells how
well the same frozen features tell two real sources apart. A mistake of a source or generator is counted at the threshold that is best on
the other folds.
"""


def _unseen_source_tables(outcomes: list[Outcome]) -> list[str]:
    """Return the figures on unseen sources, and the worst source and generator, one row per case and kind."""
    titles = ("data, backbone", "kind", "items, sources (real / AI)", "pooled", "within folds", "test split", "recall at 5 %", "at 1 %")
    rows, worst = [f"| {' | '.join(titles)} | real against real |", "| --- " * 9 + "|"], []
    for outcome in (outcome for outcome in outcomes if outcome.seed == outcome.case.seeds[0]):
        for kind, part in list_kinds(outcome.metrics).items():
            counts = f"{part['items']['real']} / {part['items']['fake']}, {part['sources']['real']} / {part['sources']['fake']}"
            own = outcome.metrics["per_kind"].get(kind, {}).get("model")
            test = format_metric_with_interval(own["roc_auc"]) if own else "too few items"
            if "too_few" in part:
                rows.append(f"| {outcome.case.title} | {kind}s | {counts} | {part['too_few']} | | {test} | | | |")
                continue
            names = ("roc_auc", "within_folds")
            figures = [*(part[name] for name in names), *part["recall_at"].values(), part["real_versus_real"]]
            pooled, within, high, low, between = map(format_metric_with_interval, figures)
            rows.append(f"| {outcome.case.title} | {kind}s | {counts} | {pooled} | {within} | {test} | {high} | {low} | {between} |")
            worst.append(f"- {outcome.case.title}: {escape_markdown(describe_kind(kind, part))}")
    return [UNSEEN_SOURCES, *rows, "", *worst, ""]


EARLIER = """The next table is of an earlier commit, and of the data of that time; `make field ARGS=--recipes` measures it again.

"""
VERDICTS = """## Verdicts on unseen sources

`stated` is the error that an answer states for its kind: of AI-generated files from generators that the detector was not trained on, at
most so many are called real, and of real files from other sources, at most so many are called AI-generated. `wrong` and `verdict given`
were measured on the items of each fold, by the rule that was fitted without them; every source counts equally, and the intervals come from
resampled sources. They also count where a kind gets no verdict because its ROC-AUC is too low.
"""


def _verdict_tables(outcomes: list[Outcome]) -> list[str]:
    """Return the stated and the measured error of the verdicts, one row per case, kind and class, and why a kind gets no verdict."""
    titles = ("data, backbone", "kind", "class", "stated", "wrong", "verdict given", "ECE")
    rows, withheld = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|"], []
    for outcome in (outcome for outcome in outcomes if outcome.seed == outcome.case.seeds[0]):
        for kind, rule in outcome.metrics["verdict"].items():
            if not rule["competence"]["is_competent"]:
                withheld.append(f"- {outcome.case.title}: {escape_markdown(rule['competence']['reason'])}")
            for label, name in (("real", "real"), ("fake", "AI-generated")):
                if measured := rule["measured"]:
                    figures = [format_metric_with_interval(measured[part][label]) for part in ("wrong", "coverage")]
                    ece, stated = format_metric_with_interval(measured["ece"]), f"at most {rule['band']['error']:.0%}"
                    rows.append(f"| {outcome.case.title} | {kind}s | {name} | {stated} | {' | '.join(figures)} | {ece} |")
    return [VERDICTS, *rows, "", *(["No verdict is given:", "", *withheld, ""] if withheld else [])]


def _result_table(outcomes: list[Outcome]) -> list[str]:
    head = "| data, backbone | items in test | ROC-AUC | baseline | accuracy | precision | recall | F1 | training, s |"
    rows = [head, "| --- " * 9 + "|"]
    for outcome in outcomes:
        if outcome.seed != outcome.case.seeds[0]:  # the others have a table of their own
            continue
        item, baseline = outcome.metrics["test"]["item"], outcome.metrics["baseline"]["test"]["item"]["roc_auc"]
        figures = [
            format_metric_with_interval(item["roc_auc"]),
            format_metric_with_interval(baseline),
            *(format_metric_with_interval(item[name]) for name in ("accuracy", "precision", "recall", "f1")),
        ]
        below = " **below its baseline**" if outcome.metrics["below_baseline"] else ""
        items = sum(item["confusion"].values())
        rows.append(f"| {outcome.case.title}{below} | {items} | " + " | ".join(figures) + f" | {outcome.training['seconds']:.0f} |")
    return rows


def _seed_table(outcomes: list[Outcome]) -> list[str]:
    """Return a table of the same case on several splits: one small test split is not enough."""
    if len(outcomes) < 2:
        return []
    title = outcomes[0].case.title
    rows = [f"## {title}: {len(outcomes)} splits", "", "| seed of the split | ROC-AUC | baseline |", "| --- | --- | --- |"]
    pairs = [(o.metrics["test"]["item"]["roc_auc"], o.metrics["baseline"]["test"]["item"]["roc_auc"]) for o in outcomes]
    rows += [
        f"| {outcome.seed} | {format_metric_with_interval(model)} | {format_metric_with_interval(baseline)} |"
        for outcome, (model, baseline) in zip(outcomes, pairs, strict=True)
    ]
    means = [statistics.mean(pair[side]["value"] for pair in pairs) for side in (0, 1)]
    return [*rows, f"| mean | {means[0]:.3f} | {means[1]:.3f} |", ""]


def _slice_table(outcome: Outcome) -> list[str]:
    """Return a table per kind and generator, of one case."""
    rows = [f"{outcome.case.title}, test split:", "", "| slice | fakes found | ROC-AUC |", "| --- | --- | --- |"]
    for kind, slice_ in outcome.metrics["per_kind"].items():
        hits = slice_["model"]["confusion"]["fake_called_fake"] if "model" in slice_ else "?"
        rows.append(f"| {kind}s | {hits} of {slice_['counts']['fake']} | {_format_roc_auc(slice_.get('model', slice_))} |")
    for slice_ in outcome.metrics["slices"]["generator"]:
        rows.append(
            f"| {slice_['name']} | {round(slice_['accuracy']['value'] * slice_['fake'])} of {slice_['fake']} | {_format_roc_auc(slice_)} |"
        )
    return rows


def _describe_data(settings: Settings) -> list[str]:
    """Return the number of files used and quarantined, the splits, and the shortcut audit of the dataset version."""
    version = RevisionSource(settings.root, str(find_newest_dataset_tag(settings.root)))

    def table(path: Path) -> pd.DataFrame:
        content = version.read_table(path)
        if content is None:
            raise SystemExit(f"the run of the dataset version did not write {path}")
        return content

    balanced, splits = table(artifacts.BALANCED), table(artifacts.SPLITS)
    rejected = {
        stage: table(artifacts.QUARANTINE / f"{stage}.parquet")
        for stage in ("catalog", "harmonize_media", "extract_frames", "clean_frames")
    }
    codes = pd.concat(rejected.values())["code"].value_counts()
    quarantined = ", ".join(f"{count} {code}" for code, count in codes.items()) or "none"
    counts = splits.groupby(["split", "kind", "label"]).size()
    shares = {split: ", ".join(f"{count} {label} {kind}s" for (kind, label), count in counts[split].items()) for split in SPLITS}
    audits = json.loads(version.read(artifacts.SHORTCUTS) or b'{"kinds": {}}')
    return [
        f"- {len(balanced) + len(rejected['catalog'])} files: {len(splits)} used; in quarantine: {quarantined}.",
        *[f"- {split}: {share}" for split, share in shares.items()],
        *[
            f"- {kind}s: file facts alone reach a balanced accuracy of {row['balanced_accuracy']:.2f} (chance: 0.50)"
            for kind, row in audits["kinds"].items()
        ],
    ]


def _format_roc_auc(slice_: dict[str, Any]) -> str:
    return format_metric_with_interval(slice_["roc_auc"]) if "roc_auc" in slice_ else slice_.get("too_few", "too few to compare with")


if __name__ == "__main__":
    main()
