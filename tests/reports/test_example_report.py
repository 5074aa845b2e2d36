"""Recompute every figure of docs/example-report.html from the scores in docs/example-report, with scikit-learn instead of realframe."""

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn import metrics as sklearn

from realframe.evaluation.figures import EvaluationTables, compute_figures
from realframe.presentation.formatting import format_value

_FIGURE = re.compile(r'<data value="([^"]*)" data-figure="([^"]+)" data-as="(\w+)">([^<]*)</data>')
_CUTS = {"resolution": [480, 720, 1080], "duration": [5, 15], "brightness": [85, 170]}


class Example:
    """The example report and the tables that it was computed from."""

    def __init__(self, docs: Path) -> None:
        folder = docs / "example-report"
        self.html = (docs / "example-report.html").read_text()
        self.metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
        self.tables = {file.stem: pd.read_parquet(file) for file in folder.glob("*.parquet")}
        self.shown = {path: (value, how, text) for value, path, how, text in _FIGURE.findall(self.html)}

    def items(self, split: str) -> pd.DataFrame:
        rows = self.tables["predictions"]
        rows = rows[rows["split"] == split]
        facts = ["label", "kind", "generator", "source", "cluster"]
        return rows.groupby("media_id", as_index=False).agg({**dict.fromkeys(facts, "first"), "score": "mean", "baseline_score": "mean"})

    @cached_property
    def test(self) -> pd.DataFrame:
        return self.items("test")

    @cached_property
    def threshold(self) -> dict[str, float]:
        return {column: _threshold(self.items("val"), column) for column in ("score", "baseline_score")}

    @cached_property
    def scaling(self) -> dict[str, np.ndarray]:
        """Slope and intercept of each kind, and of the baseline."""
        by_kind = {kind: _fit_scaling(self.fitted_items(kind), "score") for kind in self.metrics["verdict"]}
        return by_kind | {"baseline": _fit_scaling(self.items("val").assign(weight=_equal_weights), "baseline_score")}

    def fitted_items(self, kind: str) -> pd.DataFrame:
        """Return the items to which the rule of a kind was fitted, each with its weight."""
        if self.metrics["verdict"][kind]["fitted_on"] == "validation":
            return self.items("val").query("kind == @kind").assign(weight=_equal_weights)
        return self.tables["cross_source"].query("kind == @kind and split != 'test'").assign(weight=_weights_by_source)

    def calibrated(self, items: pd.DataFrame, column: str = "score") -> np.ndarray:
        parameters = np.array([self.scaling[kind if column == "score" else "baseline"] for kind in items["kind"]])
        return np.clip(expit(parameters[:, 0] * _logit(items[column]) + parameters[:, 1]), 0.01, 0.99)


@pytest.fixture(scope="module")
def example(root: Path) -> Example:
    return Example(root / "docs")


def _logit(scores: "pd.Series[float]") -> np.ndarray:
    clipped = np.clip(scores.to_numpy(float), 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def _fake(rows: pd.DataFrame) -> np.ndarray:
    return (rows["label"] == "fake").to_numpy()


def _threshold(val: pd.DataFrame, column: str) -> float:
    """Return the threshold with the best balanced accuracy; ties go to the one closest to 0.5."""
    levels = np.r_[0.0, np.unique(val[column]), 1.0]
    candidates = np.unique(np.r_[0.5, (levels[1:] + levels[:-1]) / 2])
    reached = np.array([sklearn.balanced_accuracy_score(_fake(val), val[column] >= at) for at in candidates])
    best = candidates[reached >= reached.max() - 1e-12]
    return float(best[np.argmin(abs(best - 0.5))])


def _equal_weights(items: pd.DataFrame) -> "pd.Series[float]":
    return 1 / items.groupby("label")["label"].transform("size")


def _weights_by_source(items: pd.DataFrame) -> "pd.Series[float]":
    sources = items.groupby("label")["source"].transform("nunique")
    generators = items.groupby(["label", "source"])["generator"].transform("nunique")
    return 1 / (sources * generators * items.groupby(["label", "source", "generator"])["label"].transform("size"))


def _units(items: pd.DataFrame) -> dict[bool, int]:
    """Return the number of sources of each class, or of items where each has the same weight."""
    fake = _fake(items)
    if "fold" not in items:
        return {False: int((~fake).sum()), True: int(fake.sum())}
    return {label: int(items["source"][fake == label].nunique()) for label in (False, True)}


def _fit_scaling(items: pd.DataFrame, column: str) -> np.ndarray:
    """Fit slope and intercept to Platt's soft targets, with a ridge of 0.0001."""
    fake, units = _fake(items), _units(items)
    targets = np.where(fake, (units[True] + 1) / (units[True] + 2), 1 / (units[False] + 2))
    logits, weights = _logit(items[column]), items["weight"].to_numpy(float)

    def loss(parameters: np.ndarray) -> float:
        scaled = parameters[0] * logits + parameters[1]
        return float(weights @ (np.logaddexp(0, scaled) - targets * scaled) + 1e-4 * parameters @ parameters)

    fitted = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0, None), (None, None)], tol=1e-14)
    return np.asarray(fitted.x)


def _ece(fake: np.ndarray, probabilities: np.ndarray) -> float:
    place = np.minimum((probabilities * 15).astype(int), 14)
    return sum(abs(fake[place == b].mean() - probabilities[place == b].mean()) * (place == b).mean() for b in np.unique(place))


def _eer(fake: np.ndarray, scores: np.ndarray) -> float:
    alarms, found, _ = sklearn.roc_curve(fake, scores, drop_intermediate=False)
    grid = np.linspace(0, 1, 2_000_001)
    misses = 1 - np.interp(grid, np.arange(len(found)) / (len(found) - 1), found)
    falls = np.interp(grid, np.arange(len(alarms)) / (len(alarms) - 1), alarms)
    return float(falls[np.argmin(abs(misses - falls))])


def _metric(name: str, fake: np.ndarray, scores: np.ndarray, threshold: float, probabilities: np.ndarray) -> float:
    called = scores >= threshold
    known: dict[str, Any] = {
        "roc_auc": lambda: sklearn.roc_auc_score(fake, scores),
        "pr_auc": lambda: sklearn.average_precision_score(fake, scores),
        "accuracy": lambda: sklearn.accuracy_score(fake, called),
        "balanced_accuracy": lambda: sklearn.balanced_accuracy_score(fake, called),
        "precision": lambda: sklearn.precision_score(fake, called, zero_division=0),
        "recall": lambda: sklearn.recall_score(fake, called),
        "f1": lambda: sklearn.f1_score(fake, called),
        "mcc": lambda: sklearn.matthews_corrcoef(fake, called),
        "eer": lambda: _eer(fake, scores),
        "log_loss": lambda: sklearn.log_loss(fake, np.clip(probabilities, 1e-6, 1 - 1e-6)),
        "brier": lambda: sklearn.brier_score_loss(fake, probabilities),
        "ece": lambda: _ece(fake, probabilities),
    }
    return float(known[name]())


def _level(example: Example, path: list[str], column: str) -> float:
    """Recompute a path such as ``test.item.f1.value``."""
    split, level, name = path[0], path[1], path[2]
    rows = example.items(split) if level == "item" else example.tables["predictions"].query("split == @split")
    scores = rows[column].to_numpy(float)
    if name == "confusion":
        truth, called = path[3].split("_called_")
        predicted = np.where(scores >= example.threshold[column], "fake", "real")
        return int(((rows["label"] == truth) & (predicted == called)).sum())
    probabilities = example.calibrated(rows, column) if level == "item" else scores
    return _metric(name, _fake(rows), scores, example.threshold[column], probabilities)


def _majority(example: Example, path: list[str]) -> float:
    share = float((example.tables["splits"].query("split == 'train'")["label"] == "fake").mean())
    fake = _fake(example.test)
    constant = np.full(len(fake), share)
    return _metric(path[2], fake, constant, 0.5, constant)


def _kind(example: Example, path: list[str]) -> float:
    part = example.test[example.test["kind"] == path[0]]
    column = {"model": "score", "baseline": "baseline_score"}[path[1]]
    return _metric(path[2], _fake(part), part[column].to_numpy(), example.threshold[column], part[column].to_numpy())


def _slice(example: Example, path: list[str]) -> float:
    dimension, place, figure = path[0], int(path[1]), path[2]
    name = example.metrics["slices"][dimension][place]["name"]
    chosen = _in_slice(example, dimension, name)
    part = example.test[chosen]
    if figure == "accuracy":
        return float(((part["score"] >= example.threshold["score"]) == _fake(part)).mean())
    if part["label"].nunique() == 1:
        others = (example.test["label"] != part["label"].iloc[0]) & example.test["kind"].isin(part["kind"])
        part = example.test[chosen | others]
    return float(sklearn.roc_auc_score(_fake(part), part["score"]))


def _in_slice(example: Example, dimension: str, name: str) -> "pd.Series[bool]":
    facts = example.test[["media_id"]].merge(example.tables["splits"], on="media_id", validate="one_to_one")
    if dimension in ("source", "codec"):
        return facts[dimension].replace("", "unknown") == name
    if dimension == "generator":
        return facts["generator"].replace("", "unknown").eq(name) & facts["label"].eq("fake")
    brightness = example.tables["quality"].query("is_kept").groupby("media_id")["brightness"].mean()
    number = {
        "resolution": facts[["width", "height"]].min(axis=1),
        "duration": facts["duration_s"],
        "brightness": facts["media_id"].map(brightness),
    }[dimension]
    named = {
        "resolution": ["under 480", "480 to 719", "720 to 1079", "1080 and more"],
        "duration": ["under 5 s", "5 to 15 s", "15 s and more"],
        "brightness": ["dark", "medium", "bright"],
    }[dimension]
    names = pd.Series(np.array(named)[np.digitize(number, _CUTS[dimension])])
    if dimension == "duration":
        names = names.where(facts["kind"] == "video", "image")
    return names == name


def _held_out(example: Example, path: list[str]) -> float:
    tested = example.tables["held_out"].query("split == 'test'")
    if path[0] == "generators":
        held_out = example.metrics["held_out"]["generators"][int(path[1])]["name"]
        return _area(tested[tested["held_out"] == held_out])
    if path[0] == "macro":
        names = example.metrics["held_out"]["macro"]["generators"]
        return float(np.mean([_area(tested.query("held_out == @name")) for name in names]))
    both = tested.merge(example.test[["media_id", "score"]], on="media_id", suffixes=("", "_seen"))
    names = example.metrics["held_out"]["same_items"]["seen"]["generators"]
    mean = {
        column: float(np.mean([_area(both.query("held_out == @name"), column) for name in names])) for column in ("score", "score_seen")
    }
    return {"seen": mean["score_seen"], "unseen": mean["score"], "drop": mean["score_seen"] - mean["score"]}[path[1]]


def _cross_source(example: Example, path: list[str]) -> float:
    """Recompute a path such as ``kinds.image.roc_auc.value``. Features are not in the example: real-versus-real is taken as it is."""
    _, kind, figure, *rest = path
    metrics, rows = example.metrics["cross_source"]["kinds"][kind], example.tables["cross_source"].query("kind == @kind")
    if figure == "within_folds":
        return float(np.mean([_area(part) for _, part in rows.groupby("fold") if part["label"].nunique() == 2]))
    if figure == "generators_by_name":
        name, source = (metrics[figure][int(rest[0])][key] for key in ("name", "source"))
        is_named = (rows["generator"].replace("", "unknown") == name) & (rows["source"] == source) & _fake(rows)
        return _area(rows[is_named | ~_fake(rows)])
    if figure.startswith("worst_"):
        listed, share = {"worst_source": ("real_sources", "false_positive_rate"), "worst_generator": ("generators_by_name", "miss_rate")}[
            figure
        ]
        return max(row[share]["value"] for row in metrics[listed] if row["items"] >= 5)
    between = metrics["real_versus_real"]["value"]
    return {"roc_auc": lambda: _area(rows), "margin": lambda: _area(rows) - between, "real_versus_real": lambda: float(between)}[figure]()


def _area(rows: pd.DataFrame, column: str = "score") -> float:
    return float(sklearn.roc_auc_score(_fake(rows), rows[column]))


def _robustness(example: Example, path: list[str]) -> float:
    name, figure = path[1], path[3]
    rows = example.tables["robustness"]
    level = example.metrics["robustness"]["curves"][name][int(path[2])]["level"]
    part = rows[(rows["perturbation"] == name) & (rows["level"] == level)]
    if figure == "balanced_accuracy":
        return float(sklearn.balanced_accuracy_score(_fake(part), part["score"] >= example.threshold["score"]))
    unchanged = rows.query("perturbation == 'none'").set_index("media_id")["score"]
    before = float(sklearn.roc_auc_score(_fake(part), part["media_id"].map(unchanged)))
    return {"roc_auc": _area(part), "drop": before - _area(part)}[figure]


def _calibration(example: Example, path: list[str]) -> float:
    raw = example.test["score"].to_numpy()
    probabilities = raw if path[0] == "before" else example.calibrated(example.test)
    return _metric(path[1], _fake(example.test), raw, 0.5, probabilities)


def _verdicts(example: Example, path: list[str]) -> float:
    bands = {kind: _band(example, kind) for kind in example.metrics["verdict"]}
    low, high = np.array([bands[kind] for kind in example.test["kind"]]).T
    probabilities, fake = example.calibrated(example.test), _fake(example.test)
    verdicts = np.select([probabilities < low, probabilities > high], ["real", "ai-generated"], "uncertain")
    if path[0] == "uncertain":
        return float((verdicts == "uncertain").mean())
    return float((verdicts[fake] == "real").mean() if path[1] == "fake" else (verdicts[~fake] == "ai-generated").mean())


def _stated_error(example: Example, kind: str) -> float:
    units = _units(example.fitted_items(kind))
    return max(example.metrics["verdict"][kind]["band"]["requested_error"], *(1 / (count + 1) for count in units.values()))


def _band(example: Example, kind: str) -> tuple[float, float]:
    """Return the ends of a band: beyond each lies at most the error less 1 / (K + 1) of the weight of the other class."""
    items = example.fitted_items(kind)
    if items["label"].nunique() < 2:
        return 0.0, 1.0
    probabilities, fake, units, error = example.calibrated(items), _fake(items), _units(items), _stated_error(example, kind)

    def reaches(rows: np.ndarray, label: bool, level: float) -> bool:
        return bool(items["weight"][rows].sum() * units[label] / (units[label] + 1) >= 1 - error - 1e-9)

    real = min(level for level in np.unique(probabilities[~fake]) if reaches(~fake & (probabilities <= level), False, level))
    generated = max(level for level in np.unique(probabilities[fake]) if reaches(fake & (probabilities >= level), True, level))
    if generated <= real:
        return float(generated), float(real)
    return float(np.nextafter(real, 1)), float(np.nextafter(generated, 0))


def _rule(example: Example, path: list[str]) -> float:
    """Recompute a path such as ``image.band.low``. What is measured without each fold has a test of its own (``test_verdict_fit``)."""
    kind, part, *rest = path
    if part == "measured":
        figure: dict[str, Any] = example.metrics["verdict"][kind]["measured"]
        return float(figure[rest[0]][rest[1]]["value"])
    return _stated_error(example, kind) if rest == ["error"] else _band(example, kind)[("low", "high").index(rest[0])]


def recompute(example: Example, path: str) -> float:
    """Recompute a figure of the report, given by its path in metrics.json."""
    first, *rest = path.split(".")
    functions = {
        "threshold": lambda: example.threshold["score"],
        "verdict": lambda: _rule(example, rest),
        "counts": lambda: int((example.items(rest[0])["label"] == rest[2]).sum()),
        "majority": lambda: _majority(example, rest),
        "baseline": lambda: _level(example, rest, "baseline_score"),
        "per_kind": lambda: _kind(example, rest),
        "slices": lambda: _slice(example, rest),
        "cross_source": lambda: _cross_source(example, rest),
        "held_out": lambda: _held_out(example, rest),
        "robustness": lambda: _robustness(example, rest),
        "calibration": lambda: _calibration(example, rest),
        "verdicts": lambda: _verdicts(example, rest),
        "gap_to_baseline": lambda: _area(example.test) - _area(example.test, "baseline_score"),
    }
    return functions[first]() if first in functions else _level(example, [first, *rest], "score")


def test_every_figure_matches_scikit_learn(example: Example) -> None:
    assert len(example.shown) > 100
    for path, (value, how, text) in example.shown.items():
        if value == "None":
            continue
        found = recompute(example, path)
        assert float(value) == pytest.approx(found, abs=2e-4 if "band" in path else 2e-5), path
        assert text == format_value(json.loads(value), how), path


def test_every_number_in_a_table_has_a_source(example: Example) -> None:
    bare = re.sub(r"<data .*?</data>|<style>.*?</style>", "", example.html, flags=re.DOTALL)
    tables = re.findall(r'<td class="number[^"]*">\s*(?:<b>)?([+-]?\d+\.\d+)', bare)
    assert not tables


@pytest.mark.slow
def test_the_intervals_can_be_recomputed_from_the_tables(example: Example) -> None:
    tables = {name: example.tables[name] for name in ("predictions", "splits", "quality", "held_out", "robustness", "cross_source")}
    shortcuts = example.metrics["shortcuts"]
    params = json.loads((Path(__file__).parents[2] / "docs/example-report/params.json").read_text())
    recomputed = compute_figures(
        EvaluationTables(shortcuts=shortcuts, **tables),
        example.metrics["aggregate"],
        resamples=params["evaluate"]["bootstrap"],
        error=params["evaluate"]["error"],
        auc_limit=params["evaluate"]["min_cross_source_auc"],
        seed=params["seed"],
        per_frame=example.metrics["per_frame"],
    )
    for name in ("test", "held_out", "robustness", "slices", "verdict", "verdicts", "gap_to_baseline"):
        assert _equal(json.loads(json.dumps(recomputed[name])), example.metrics[name]), name


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return set(found) == set(expected) and all(_equal(found[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(_equal(one, other) for one, other in zip(found, expected, strict=True))
    return found == pytest.approx(expected, abs=1e-9) if isinstance(expected, float) else found == expected
