"""Can file facts alone, without a look at the pictures, tell the classes apart? Then a detector may learn them instead of the traces.

A detector of generated images was seen to be one of JPEG quality and size: Grommelt et al. (2024), "Fake or JPEG? Revealing common
biases in generated image detection datasets".
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import beta
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from bonafide.dataset.file_facts import facts_of, learner
from bonafide.statistics import bootstrap, metrics
from bonafide.statistics.metrics import Bools, Floats

_TREES = 200
_ITERATIONS = 1000
_LEAF = 3  # items per leaf, so that a tree can't learn single files by heart
_CALLED_FAKE = 0.5
_RESAMPLES = 2000
_TAIL = 0.025
_DIGITS = 4

Folds = list[tuple[np.ndarray, np.ndarray]]
Report = dict[str, int | float | str | dict[str, float] | None]


def audit(media: pd.DataFrame, folds: int, seed: int) -> dict[str, Report]:
    """Measure, for each kind, how well file facts alone tell real from fake in a grouped, stratified cross-validation.

    Two learners try, and the better one counts: a random forest, which finds sizes and rates that only one class has, and a logistic
    regression, which finds what is a little more in one class throughout, such as the bytes of files that are encoded alike. The better of
    two is a little above chance where there is nothing to find.

    Args:
        media: the rows of ``data/cured.parquet``.
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
    return round(float(metrics.figures(fake[guessed], scores[guessed], _CALLED_FAKE)["balanced_accuracy"][0]), _DIGITS)


def _with_interval(fake: Bools, scores: Floats, groups: "pd.Series[str]", seed: int) -> dict[str, float | None]:
    guessed = ~np.isnan(scores)
    fake, scores, groups = fake[guessed], scores[guessed], groups[guessed]
    drawn = metrics.figures(fake, scores, _CALLED_FAKE, bootstrap.draw(groups, fake, _RESAMPLES, seed))["balanced_accuracy"]
    smaller = bootstrap.smaller_class(groups, fake)
    found = bootstrap.interval(_accuracy(fake, scores), drawn, smaller)
    found = replace(found, low=min(found.low, _exact_low(found.value, 2 * smaller)))
    rounded = {name: None if value is None else round(value, _DIGITS) for name, value in found.as_dict().items()}
    return {"balanced_accuracy": rounded.pop("value"), **rounded}


def _exact_low(share: float, tries: int) -> float:
    """Return the lower end of the 95 % interval of Clopper & Pearson (1934) for a share of right guesses."""
    return float(beta.ppf(_TAIL, share * tries, tries * (1 - share) + 1)) if share > 0 else 0.0
