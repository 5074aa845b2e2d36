"""What a file says of itself before its pictures are looked at, as columns that a classifier can learn from.

Can file facts alone, without a look at the pictures, tell the classes apart? Then a detector may learn them instead of the traces.

A detector of generated images was seen to be one of JPEG quality and size: Grommelt et al. (2024), "Fake or JPEG? Revealing common
biases in generated image detection datasets".

Which parameters take away the file facts that tell the classes apart: what the audit offers where it stops a run.
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

from realframe.config import Harmonization
from realframe.statistics import bootstrap, classification_metrics
from realframe.statistics.classification_metrics import Bools, Floats

SIZE = ("width", "height", "aspect", "pixels", "rotation")
TIME = ("duration_s", "frames")
RATE = ("fps", "variable_fps")
ENCODING = ("codec", "container", "quantisation", "jpeg_quality", "metadata", "bytes", "bytes_per_pixel", "bits_per_s")
_NAMES = ("codec", "container", "quantisation")
_LISTS = ("metadata",)


def facts_of(items: pd.DataFrame) -> pd.DataFrame:
    """Return the facts of each item, one row per item, without those that are the same for all: what is constant tells nothing.

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
            **{name: items[name] for name in (*_NAMES, *_LISTS)},
        }
    )
    return facts.loc[:, facts.nunique() > 1]


def learner(facts: pd.DataFrame, model: ClassifierMixin) -> Pipeline:
    """Return ``model`` behind an encoding of the columns of ``facts``: a column per word, and per name that a list holds."""
    words = [name for name in facts if name in _NAMES]
    lists = [(_names_of_a_list(), name) for name in facts if name in _LISTS]
    encoding = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), words), *lists, remainder="passthrough", sparse_threshold=0)
    return make_pipeline(encoding, model)


def _names_of_a_list() -> CountVectorizer:
    return CountVectorizer(binary=True, analyzer=_names)


def _names(listed: str) -> list[str]:
    """Return the names in a list, and one that all lists hold: scikit-learn refuses to learn from texts without any word."""
    return ["-", *listed.split()]


_TREES = 200
_ITERATIONS = 1000
_LEAF = 3  # items per leaf, so that a tree can't learn single files by heart
_CALLED_FAKE = 0.5
_RESAMPLES = 2000
_TAIL = 0.025
_DIGITS = 4

Folds = list[tuple[np.ndarray, np.ndarray]]
Report = dict[str, int | float | str | dict[str, float] | None]


def audit_shortcuts(media: pd.DataFrame, folds: int, seed: int) -> dict[str, Report]:
    """Measure, for each kind, how well file facts alone tell real from fake in a grouped, stratified cross-validation.

    Two learners try, and the better one counts: a random forest, which finds sizes and rates that only one class has, and a logistic
    regression, which finds what is a little more in one class throughout, such as the bytes of files that are encoded alike. The better of
    two is a little above chance where there is nothing to find.

    Args:
        media: the rows of ``data/harmonized.parquet``.
        folds: of the cross-validation; fewer where a class has fewer groups.
        seed: of the folds, the forest and the resamples.

    Returns:
        For each kind ``items``, ``real``, ``fake``, ``folds``, ``by`` (the better learner), its ``balanced_accuracy`` (0.5 is chance, 1 is
        complete), the ends ``low`` and ``high`` of the 95 % interval (None where a class has too few groups) and ``facts``: the balanced
        accuracy of a decision tree on each fact alone, the highest first. The interval is of the guesses about held-out items, by a
        bootstrap over groups; that other folds would give other learners is not in it. Over a dozen groups it is too narrow, so ``low`` is
        never above the exact binomial bound for twice the groups of the smaller class. Where there are too few items for folds, or
        where no fact differs, ``note`` says so instead of all these.
    """
    ordered = media.sort_values("media_id", ignore_index=True)
    return {str(kind): _audit_kind(items, folds, seed) for kind, items in ordered.groupby("kind")}


def leaks(report: Report, limit: float) -> bool:
    """Say whether facts tell the classes apart: above ``limit``, and, as few items may get there by luck, with an interval above chance."""
    value, low = report.get("balanced_accuracy"), report.get("low")
    return isinstance(value, float) and isinstance(low, float) and value > limit and low > _CALLED_FAKE


def _audit_kind(items: pd.DataFrame, folds: int, seed: int) -> Report:
    fake = (items["label"] == "fake").to_numpy()
    groups = items["group"].where(items["group"] != "", items["media_id"])
    report: Report = {"items": len(items), "real": int((~fake).sum()), "fake": int(fake.sum())}
    dealt = _folds(fake, groups, folds, seed)
    if not dealt:
        return report | {"note": "too few items for a cross-validation: each class needs at least two groups"}
    facts = facts_of(items)
    if facts.empty:
        return report | {"note": "no fact differs between any two items"}
    tree = DecisionTreeClassifier(min_samples_leaf=_LEAF, class_weight="balanced", random_state=seed)
    alone = {str(name): _accuracy(fake, _scores(tree, facts[[name]], fake, dealt)) for name in facts}
    ranked = sorted(alone.items(), key=lambda fact: (-fact[1], fact[0]))
    guesses = {name: _scores(model, facts, fake, dealt) for name, model in _learners(seed).items()}
    best = max(guesses, key=lambda name: _accuracy(fake, guesses[name]))
    return report | {"folds": len(dealt), "by": best} | _with_interval(fake, guesses[best], groups, seed) | {"facts": dict(ranked)}


def _learners(seed: int) -> dict[str, ClassifierMixin]:
    return {
        "random forest": RandomForestClassifier(_TREES, min_samples_leaf=_LEAF, class_weight="balanced", random_state=seed),
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=_ITERATIONS)),
    }


def _folds(fake: Bools, groups: "pd.Series[str]", folds: int, seed: int) -> Folds:
    """Return (positions to learn from, positions held out) of each fold in which both classes can be learnt."""
    possible = min(folds, *(groups[fake == label].nunique() for label in (True, False)))
    if possible < 2:
        return []
    dealt = StratifiedGroupKFold(possible, shuffle=True, random_state=seed).split(groups, fake, groups)
    return [(train, held_out) for train, held_out in dealt if len(set(fake[train])) == 2 and len(held_out)]


def _scores(model: ClassifierMixin, facts: pd.DataFrame, fake: Bools, folds: Folds) -> Floats:
    """Return what is guessed of each item by a model that never saw its group, (n,); NaN of an item that no fold held out."""
    scores = np.full(len(facts), np.nan)
    for train, held_out in folds:
        scores[held_out] = learner(facts, model).fit(facts.iloc[train], fake[train]).predict_proba(facts.iloc[held_out])[:, 1]
    return scores


def _accuracy(fake: Bools, scores: Floats) -> float:
    guessed = ~np.isnan(scores)
    return round(float(classification_metrics.all_metrics(fake[guessed], scores[guessed], _CALLED_FAKE)["balanced_accuracy"][0]), _DIGITS)


def _with_interval(fake: Bools, scores: Floats, groups: "pd.Series[str]", seed: int) -> dict[str, float | None]:
    guessed = ~np.isnan(scores)
    fake, scores, groups = fake[guessed], scores[guessed], groups[guessed]
    drawn = classification_metrics.all_metrics(fake, scores, _CALLED_FAKE, bootstrap.draw(groups, fake, _RESAMPLES, seed))[
        "balanced_accuracy"
    ]
    smaller = bootstrap.smaller_class(groups, fake)
    found = bootstrap.interval(_accuracy(fake, scores), drawn, smaller)
    found = replace(found, low=min(found.low, _exact_low(found.value, 2 * smaller)))
    rounded = {name: None if value is None else round(value, _DIGITS) for name, value in found.as_dict().items()}
    return {"balanced_accuracy": rounded.pop("value"), **rounded}


def _exact_low(share: float, tries: int) -> float:
    """Return the lower end of the 95 % interval of Clopper & Pearson (1934) for a share of right guesses."""
    return float(beta.ppf(_TAIL, share * tries, tries * (1 - share) + 1)) if share > 0 else 0.0


_SPARED = 0.05  # share of the items that a crop or a cut may cost
_MOST_NAMED = 3


def revealing_facts(facts: Mapping[str, float], limit: float) -> list[str]:
    """Return the facts that each tell the classes apart beyond ``limit``, the most telling first, and at least three if there are."""
    return [name for place, (name, accuracy) in enumerate(facts.items()) if place < _MOST_NAMED or accuracy > limit]


def suggested_settings(facts: Collection[str], kind: str, items: pd.DataFrame, harmonization: Harmonization) -> dict[str, str]:
    """Return the parameters, dotted key -> value, that make ``facts`` the same for all items; those that are set already are left out.

    Args:
        facts: names of ``file_facts``.
        kind: ``image`` or ``video``.
        items: the rows of that kind, with their file facts; sizes, lengths and rates are such that 19 of 20 items go through.
        harmonization: what is set.
    """
    offered: dict[str, str] = {}
    if not {*SIZE}.isdisjoint(facts):
        offered[f"harmonize.crop.{kind}"] = str(int(_low(items[["width", "height"]].min(axis=1))) // 2 * 2)
    if not {*TIME}.isdisjoint(facts):
        offered["harmonize.seconds"] = f"{np.floor(_low(items['duration_s']) * 10) / 10:g}"
    if not {*RATE, "frames"}.isdisjoint(facts):
        offered["harmonize.fps"] = f"{max(1, np.floor(_low(items['fps']))):g}"
    if "harmonize.fps" in offered or not {*ENCODING}.isdisjoint(facts):
        offered["harmonize.reencode"] = "true"
    is_set = {
        "harmonize.crop.image": harmonization.crop.image,
        "harmonize.crop.video": harmonization.crop.video,
        "harmonize.seconds": harmonization.seconds,
    }
    is_set |= {"harmonize.fps": harmonization.fps, "harmonize.reencode": harmonization.reencode}
    return {name: value for name, value in offered.items() if not is_set[name]}


def suggested_match(facts: Collection[str], harmonization: Harmonization) -> str:
    """Return what ``harmonize.match`` may name against these facts, such as ``[pixels,duration_s]``; empty where it can do no more."""
    against = {"pixels": SIZE, "duration_s": TIME}
    useful = [name for name, harmonized in against.items() if name not in harmonization.match and not {*harmonized}.isdisjoint(facts)]
    return f"[{','.join((*harmonization.match, *useful))}]" if useful else ""


def _low(values: "pd.Series[float]") -> float:
    return float(values.quantile(_SPARED, interpolation="lower"))
