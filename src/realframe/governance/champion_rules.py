"""Check the gate rules that compare a version with the champion on the same items."""

import numpy as np
import pandas as pd

from realframe.governance.evidence_files import SCORE, EvidenceFiles
from realframe.governance.gate_rules import ChampionRule, RegressionRule, RuleResult
from realframe.governance.paired_predictions import (
    DEFAULT_SCORER,
    PairedPredictions,
    VersionScorer,
    pair_predictions,
    regression_originals,
    score_items,
)
from realframe.registry.model_registry import ModelVersion
from realframe.settings import get_settings
from realframe.statistics.hypothesis_tests import mcnemar_test, paired_difference

RANKING, MISTAKES, REGRESSION = "ROC-AUC vs. champion", "McNemar vs. champion", "regression set vs. champion"
_NO_CHAMPION = "there is no other champion to compare with"
_RESAMPLES, _SEED = 2000, 0


def check_against_champion(
    rule: ChampionRule, candidate: EvidenceFiles, champion: ModelVersion | None, scorer: VersionScorer = DEFAULT_SCORER
) -> list[RuleResult]:
    """Compare both versions on the candidate's test items.

    The ROC-AUC is compared by the paired bootstrap over clusters, the mistakes by McNemar's exact test.

    Raises:
        RegistryError: the evidence of one version is missing or was changed.
    """
    ranking_required = f"lower end of the ROC-AUC difference at least -{rule.margin:g}"
    mistakes_required = f"no more mistakes with McNemar p at most {rule.alpha:g}"
    requirements = ((RANKING, ranking_required), (MISTAKES, mistakes_required))
    if champion is None:
        return [RuleResult(name, True, _NO_CHAMPION, required) for name, required in requirements]
    paired = pair_predictions(candidate, champion, scorer)
    items = _describe_items(paired)
    if paired.fake.all() or not paired.fake.any():
        return [
            RuleResult(name, None, f"too few items to compare with version {champion.version}: {items}", required)
            for name, required in requirements
        ]
    gap = paired_difference(paired.fake, paired.clusters, paired.candidate, paired.champion, "roc_auc", _RESAMPLES, _SEED)
    ranks = None if np.isnan(gap.low) else gap.low >= -rule.margin
    interval = "too few clusters for an interval" if ranks is None else f"{gap.low:+.3f} to {gap.high:+.3f}"
    ranking = f"ROC-AUC {gap.value:+.3f} ({interval}) compared with version {champion.version} on {items}"
    counts = mcnemar_test(paired.candidate.find_errors(paired.fake), paired.champion.find_errors(paired.fake))
    mistakes = (
        f"of {items}, {counts.only_a} are wrong only by this version and {counts.only_b} only by version {champion.version}, "
        f"McNemar p {_format_p_value(counts.p_value)}"
    )
    return [
        RuleResult(RANKING, ranks, ranking, ranking_required),
        RuleResult(MISTAKES, not (counts.only_a > counts.only_b and counts.p_value <= rule.alpha), mistakes, mistakes_required),
    ]


def check_regression_set(
    rule: RegressionRule, candidate: EvidenceFiles, champion: ModelVersion | None, scorer: VersionScorer = DEFAULT_SCORER
) -> RuleResult:
    """Compare the mistakes of both versions on the regression set, the items that were once reported wrong.

    Raises:
        RegistryError: the evidence of one version is missing or was changed.
    """
    required = f"at most {rule.extra_mistakes_at_most} more mistakes than the champion"
    rows = candidate.regression
    if rows is None:
        return RuleResult(REGRESSION, None, "the regression set was not scored", required)
    if rows.empty:
        return RuleResult(REGRESSION, True, "the regression set is empty", required)
    items, note = rows[rows[SCORE].notna()], _describe_unscored(rows)
    if items.empty:
        return RuleResult(REGRESSION, None, f"none of its items is scored{note}", required)
    if champion is None:
        mistakes = _count_mistakes(items, candidate.threshold)
        return RuleResult(REGRESSION, True, f"{mistakes} mistakes on {len(items)} items; {_NO_CHAMPION}{note}", required)
    champion_evidence = EvidenceFiles.fetch(champion)
    scores: dict[str, float] = {}
    if (champion_rows := champion_evidence.regression) is not None:
        champion_rows = champion_rows.dropna(subset=[SCORE])
        scores = dict(zip(champion_rows["media_id"], champion_rows[SCORE], strict=True))
    unscored = [media_id for media_id in items["media_id"] if media_id not in scores]
    scores |= score_items(champion, unscored, regression_originals(get_settings()), scorer)
    common = items[items["media_id"].isin(scores)]
    candidate_mistakes = _count_mistakes(common, candidate.threshold)
    champion_mistakes = _count_mistakes(common.assign(score=common["media_id"].map(scores)), champion_evidence.threshold)
    if unavailable := len(items) - len(common):
        note = f"; version {champion.version} cannot score {unavailable} of them{note}"
    observed = f"{candidate_mistakes} mistakes on {len(common)} items, version {champion.version} makes {champion_mistakes}{note}"
    return RuleResult(
        REGRESSION, None if common.empty else candidate_mistakes - champion_mistakes <= rule.extra_mistakes_at_most, observed, required
    )


def _describe_unscored(rows: pd.DataFrame) -> str:
    """Return how many items the candidate has no score of, with one reason; empty if it has all."""
    unscored = rows[rows[SCORE].isna()]
    if unscored.empty:
        return ""
    first = unscored.iloc[0]
    return f"; {len(unscored)} not scored, such as {first['media_id'][:12]}: {first['reason']}"


def _count_mistakes(items: pd.DataFrame, threshold: float) -> int:
    return int(((items[SCORE] >= threshold) != (items["label"] == "fake")).sum())


def _format_p_value(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def _describe_items(paired: PairedPredictions) -> str:
    excluded = [(paired.seen_in_training, "seen in the champion's training"), (paired.missing, "not available")]
    reasons = [f"{number} {reason}" for number, reason in excluded if number]
    return f"{len(paired.table)} test items" + (f" ({', '.join(reasons)} left out)" if reasons else "")
