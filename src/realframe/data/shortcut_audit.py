"""Audit shortcuts: measure whether file facts alone tell the classes apart, and suggest the harmonization that removes these facts.

Where size, frame rate or encoding give the label away, a detector may learn them instead of the traces of generation. Detectors of
generated images were found to detect JPEG quality and size: Grommelt et al. (2024), "Fake or JPEG? Revealing common biases in generated
image detection datasets".
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import beta
from sklearn.base import ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from realframe.config import HarmonizeParams
from realframe.data.clusters import find_group_components
from realframe.statistics import bootstrap, classification_metrics
from realframe.statistics.classification_metrics import Bools, Floats

SIZE_FACTS = ("width", "height", "aspect", "pixels", "rotation")
TIME_FACTS = ("duration_s", "frames")
RATE_FACTS = ("fps", "variable_fps")
ENCODING_FACTS = ("codec", "container", "quantization", "jpeg_quality", "metadata", "bytes", "bytes_per_pixel", "bits_per_s")
_CATEGORICAL_FACTS = ("codec", "container", "quantization")
_LIST_FACTS = ("metadata",)

_TREES = 200
_ITERATIONS = 1000
_LEAF_ITEMS = 3  # at least so many items per leaf, so that a tree cannot memorize single files
_CHANCE = 0.5  # balanced accuracy of guessing, and the score above which an item is called fake
_RESAMPLES = 2000
_TAIL = 0.025
_DIGITS = 4
_LOST_SHARE = 0.05  # share of the items that a suggested crop or cut may exclude
_NAMED_FACTS = 3

Folds = list[tuple[np.ndarray, np.ndarray]]
AuditReport = dict[str, int | float | str | dict[str, float] | None]


def audit_shortcuts(media: pd.DataFrame, folds: int, seed: int) -> dict[str, AuditReport]:
    """Measure, for each kind, how well file facts alone tell real from fake in a grouped, stratified cross-validation.

    Two classifiers are compared and the better one counts: a random forest, which finds sizes and rates that only one class has, and a
    logistic regression, which finds small differences over a whole class, such as the bytes of files of equal encoding. The better of two
    is slightly above chance where there is nothing to find.

    Args:
        media: the rows of ``data/harmonized.parquet``.
        folds: of the cross-validation; fewer where a class has fewer groups.
        seed: of the folds, the forest and the resamples.

    Returns:
        For each kind ``items``, ``real``, ``fake``, ``folds``, ``classifier`` (the better one), its ``balanced_accuracy`` (0.5 is chance, 1
        is perfect), the ends ``low`` and ``high`` of the 95 % interval (None where a class has too few groups) and ``facts``: the balanced
        accuracy of a decision tree on each fact alone, in descending order. The interval is that of the predictions for held-out items,
        by a bootstrap over groups; it does not include the variance over folds. For a dozen groups it is too narrow, so ``low`` is never
        above the exact binomial bound for twice the groups of the smaller class. Where there are too few items for folds, or where no
        fact differs, ``note`` says so and the figures are missing.
    """
    ordered = media.sort_values("media_id", ignore_index=True)
    return {str(kind): _audit_kind(items, folds, seed) for kind, items in ordered.groupby("kind")}


def has_shortcut(report: AuditReport, limit: float) -> bool:
    """Say whether facts tell the classes apart: the accuracy is above ``limit``, and its interval above chance (few items may be luck)."""
    value, low = report.get("balanced_accuracy"), report.get("low")
    return isinstance(value, float) and isinstance(low, float) and value > limit and low > _CHANCE


def find_predictive_facts(facts: Mapping[str, float], limit: float) -> list[str]:
    """Return the facts that each tell the classes apart beyond ``limit``, the most predictive first, but at least the first three."""
    return [name for rank, (name, accuracy) in enumerate(facts.items()) if rank < _NAMED_FACTS or accuracy > limit]


def suggest_settings(facts: Collection[str], kind: str, items: pd.DataFrame, harmonization: HarmonizeParams) -> dict[str, str]:
    """Return the parameters, dotted key -> value, that make ``facts`` equal for all items; parameters that are set already are left out.

    Args:
        facts: names of columns of :func:`compute_file_facts`.
        kind: ``image`` or ``video``.
        items: the rows of that kind, with their file facts. The suggested size, length and rate keep 19 of 20 items.
        harmonization: the current parameters.
    """
    settings: dict[str, str] = {}
    if not {*SIZE_FACTS}.isdisjoint(facts):
        settings[f"harmonize.crop.{kind}"] = str(int(_low_quantile(items[["width", "height"]].min(axis=1))) // 2 * 2)
    if not {*TIME_FACTS}.isdisjoint(facts):
        settings["harmonize.seconds"] = f"{np.floor(_low_quantile(items['duration_s']) * 10) / 10:g}"
    if not {*RATE_FACTS, "frames"}.isdisjoint(facts):
        settings["harmonize.fps"] = f"{max(1, np.floor(_low_quantile(items['fps']))):g}"
    if "harmonize.fps" in settings or not {*ENCODING_FACTS}.isdisjoint(facts):
        settings["harmonize.reencode"] = "true"
    current = {
        "harmonize.crop.image": harmonization.crop.image,
        "harmonize.crop.video": harmonization.crop.video,
        "harmonize.seconds": harmonization.seconds,
        "harmonize.fps": harmonization.fps,
        "harmonize.reencode": harmonization.reencode,
    }
    return {name: value for name, value in settings.items() if not current[name]}


def suggest_match(facts: Collection[str], harmonization: HarmonizeParams) -> str:
    """Return a value of ``harmonize.match`` against these facts, such as ``[pixels,duration_s]``; empty where matching cannot help."""
    matchable = {"pixels": SIZE_FACTS, "duration_s": TIME_FACTS}
    useful = [name for name, removed in matchable.items() if name not in harmonization.match and not {*removed}.isdisjoint(facts)]
    return f"[{','.join((*harmonization.match, *useful))}]" if useful else ""


def compute_file_facts(items: pd.DataFrame) -> pd.DataFrame:
    """Return the facts of each item, one row per item, without constant columns.

    Args:
        items: rows with the file facts of ``data/media.parquet``.
    """
    pixels = (items["width"] * items["height"]).clip(lower=1)
    facts = pd.DataFrame(
        {
            **{name: items[name] for name in ("width", "height", "rotation", "fps", "frames", "duration_s", "bytes", "jpeg_quality")},
            "aspect": items["width"] / items["height"].clip(lower=1),
            "pixels": pixels,
            "bytes_per_pixel": items["bytes"] / (pixels * items["frames"].clip(lower=1)),
            "bits_per_s": 8 * items["bytes"] / items["duration_s"].where(items["duration_s"] > 0, np.inf),
            "variable_fps": items["variable_fps"].astype(int),
            **{name: items[name] for name in (*_CATEGORICAL_FACTS, *_LIST_FACTS)},
        }
    )
    return facts.loc[:, facts.nunique() > 1]


def make_classifier(facts: pd.DataFrame, model: ClassifierMixin) -> Pipeline:
    """Return ``model`` behind an encoding of the columns of ``facts``: one-hot for categories, one column per name for lists."""
    categories = [name for name in facts if name in _CATEGORICAL_FACTS]
    lists = [(CountVectorizer(binary=True, analyzer=_split_names), name) for name in facts if name in _LIST_FACTS]
    encoding = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), categories), *lists, remainder="passthrough", sparse_threshold=0
    )
    return make_pipeline(encoding, model)


def _split_names(text: str) -> list[str]:
    """Return the names in a list, and one that all lists hold: scikit-learn rejects texts without any word."""
    return ["-", *text.split()]


def _audit_kind(items: pd.DataFrame, folds: int, seed: int) -> AuditReport:
    fake = (items["label"] == "fake").to_numpy()
    groups = find_group_components(items)
    report: AuditReport = {"items": len(items), "real": int((~fake).sum()), "fake": int(fake.sum())}
    usable_folds = _make_folds(fake, groups, folds, seed)
    if not usable_folds:
        return report | {"note": "too few items for a cross-validation: each class needs at least two groups"}
    facts = compute_file_facts(items)
    if facts.empty:
        return report | {"note": "no fact differs between any two items"}
    tree = DecisionTreeClassifier(min_samples_leaf=_LEAF_ITEMS, class_weight="balanced", random_state=seed)
    accuracies = {str(name): _balanced_accuracy(fake, _cross_validate(tree, facts[[name]], fake, usable_folds)) for name in facts}
    ranked = sorted(accuracies.items(), key=lambda fact: (-fact[1], fact[0]))
    scores = {name: _cross_validate(model, facts, fake, usable_folds) for name, model in _make_models(seed).items()}
    best = max(scores, key=lambda name: _balanced_accuracy(fake, scores[name]))
    figures = _accuracy_with_interval(fake, scores[best], groups, seed)
    return report | {"folds": len(usable_folds), "classifier": best} | figures | {"facts": dict(ranked)}


def _make_models(seed: int) -> dict[str, ClassifierMixin]:
    return {
        "random forest": RandomForestClassifier(_TREES, min_samples_leaf=_LEAF_ITEMS, class_weight="balanced", random_state=seed),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=_ITERATIONS)),
    }


def _make_folds(fake: Bools, groups: "pd.Series[str]", folds: int, seed: int) -> Folds:
    """Return (training positions, held-out positions) of each fold whose training part has both classes."""
    possible = min(folds, *(groups[fake == label].nunique() for label in (True, False)))
    if possible < 2:
        return []
    candidates = StratifiedGroupKFold(possible, shuffle=True, random_state=seed).split(groups, fake, groups)
    return [(train, test_rows) for train, test_rows in candidates if len(set(fake[train])) == 2 and len(test_rows)]


def _cross_validate(model: ClassifierMixin, facts: pd.DataFrame, fake: Bools, folds: Folds) -> Floats:
    """Return the score of each item by a model that was not trained on its group, (n,); NaN for an item that no fold held out."""
    scores = np.full(len(facts), np.nan)
    for train, test_rows in folds:
        scores[test_rows] = make_classifier(facts, model).fit(facts.iloc[train], fake[train]).predict_proba(facts.iloc[test_rows])[:, 1]
    return scores


def _balanced_accuracy(fake: Bools, scores: Floats) -> float:
    is_scored = ~np.isnan(scores)
    metrics = classification_metrics.compute_metrics(fake[is_scored], scores[is_scored], _CHANCE)
    return round(float(metrics["balanced_accuracy"][0]), _DIGITS)


def _accuracy_with_interval(fake: Bools, scores: Floats, groups: "pd.Series[str]", seed: int) -> dict[str, float | None]:
    is_scored = ~np.isnan(scores)
    fake, scores, groups = fake[is_scored], scores[is_scored], groups[is_scored]
    resamples = bootstrap.draw_resamples(groups, fake, _RESAMPLES, seed)
    resampled = classification_metrics.compute_metrics(fake, scores, _CHANCE, resamples)["balanced_accuracy"]
    minority = bootstrap.count_minority_clusters(groups, fake)
    interval = bootstrap.percentile_interval(_balanced_accuracy(fake, scores), resampled, minority)
    interval = replace(interval, low=min(interval.low, _exact_lower_bound(interval.value, 2 * minority)))
    rounded = {name: None if value is None else round(value, _DIGITS) for name, value in interval.as_dict().items()}
    return {"balanced_accuracy": rounded.pop("value"), **rounded}


def _exact_lower_bound(share: float, trials: int) -> float:
    """Return the lower end of the 95 % interval of Clopper & Pearson (1934) for a share of successes."""
    return float(beta.ppf(_TAIL, share * trials, trials * (1 - share) + 1)) if share > 0 else 0.0


def _low_quantile(values: "pd.Series[float]") -> float:
    return float(values.quantile(_LOST_SHARE, interpolation="lower"))
