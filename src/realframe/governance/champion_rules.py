"""The rules that a version meets or fails beside the present champion, on the same items."""

import numpy as np
import pandas as pd

from realframe.governance import paired_predictions
from realframe.governance.evidence_files import SCORE, Documents
from realframe.governance.gate_rules import ChampionRule, RegressionRule, RuleResult
from realframe.governance.paired_predictions import PairedPredictions, pair_predictions
from realframe.registry.model_registry import ModelVersion
from realframe.settings import get_settings
from realframe.statistics.hypothesis_tests import difference, mcnemar

RANKING, MISTAKES, REGRESSION = "ranks no worse than the champion", "no more mistakes than the champion", "regression set no worse"
_NO_RIVAL = "there is no other champion to compare it with"
_RESAMPLES, _SEED = 2000, 0


def champion(rule: ChampionRule, candidate: Documents, rival: ModelVersion | None) -> list[RuleResult]:
    """Compare both on the candidate's test items: ROC-AUC by the paired bootstrap over clusters, mistakes by McNemar's exact test.

    Raises RegistryError where the evidence of one of them is missing or was changed.
    """
    needed = (f"difference of ROC-AUC surely above -{rule.margin:g}", f"not more mistakes with p at or below {rule.alpha:g}")
    if rival is None:
        return [RuleResult(name, True, _NO_RIVAL, need) for name, need in zip((RANKING, MISTAKES), needed, strict=True)]
    same = pair_predictions(candidate, rival)
    beside = f"version {rival.version} on {_items(same)}"
    if same.fake.all() or not same.fake.any():
        said = f"too few items are left beside {beside}"
        return [RuleResult(name, None, said, need) for name, need in zip((RANKING, MISTAKES), needed, strict=True)]
    gap = difference(same.fake, same.clusters, same.candidate, same.rival, "roc_auc", _RESAMPLES, _SEED)
    ranks = None if np.isnan(gap.low) else gap.low >= -rule.margin
    interval = "too few clusters for an interval" if ranks is None else f"{gap.low:+.3f} to {gap.high:+.3f}"
    counts = mcnemar(same.candidate.wrong(same.fake), same.rival.wrong(same.fake))
    alone = f"it alone is wrong {counts.only_a} times, version {rival.version} alone {counts.only_b} times"
    told = f"of {_items(same)} {alone}, McNemar p {_probability(counts.p)}"
    return [
        RuleResult(RANKING, ranks, f"ROC-AUC {gap.value:+.3f} ({interval}) beside {beside}", needed[0]),
        RuleResult(MISTAKES, not (counts.only_a > counts.only_b and counts.p <= rule.alpha), told, needed[1]),
    ]


def regression(rule: RegressionRule, candidate: Documents, rival: ModelVersion | None) -> RuleResult:
    """Count the mistakes of both on the items that were once reported wrong. Raises RegistryError as ``champion`` does."""
    needed = f"at most {rule.more_mistakes_at_most} more mistakes than the champion"
    items = candidate.regression
    if items is None:
        return RuleResult(REGRESSION, None, "the regression set was not scored", needed)
    if items.empty:
        return RuleResult(REGRESSION, True, "the regression set is empty", needed)
    if rival is None:
        return RuleResult(REGRESSION, True, f"{_mistakes(items, candidate.threshold)} mistakes on {len(items)} items; {_NO_RIVAL}", needed)
    other = Documents.of(rival)
    known = {} if other.regression is None else dict(zip(other.regression["media_id"], other.regression[SCORE], strict=True))
    fresh = [media_id for media_id in items["media_id"] if media_id not in known]
    known |= paired_predictions.scores(rival, fresh, paired_predictions.of_regression(get_settings()))
    both = items[items["media_id"].isin(known)]
    mine, theirs = _mistakes(both, candidate.threshold), _mistakes(both.assign(score=both["media_id"].map(known)), other.threshold)
    said = f"{mine} mistakes on {len(both)} items, version {rival.version} makes {theirs}"
    return RuleResult(REGRESSION, None if both.empty else mine - theirs <= rule.more_mistakes_at_most, said, needed)


def _mistakes(items: pd.DataFrame, threshold: float) -> int:
    return int(((items[SCORE] >= threshold) != (items["label"] == "fake")).sum())


def _probability(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def _items(same: PairedPredictions) -> str:
    left_out = [f"{number} {why}" for number, why in ((same.seen, "seen in its training"), (same.lost, "lost")) if number]
    return f"{len(same.table)} test items" + (f" ({', '.join(left_out)} left out)" if left_out else "")
