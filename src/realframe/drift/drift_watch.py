"""Watch a model for drift: split its predictions into windows, measure each full window, and judge the latest windows by the rules.

A window is compared with the model's training reference. It never changes once it is full, so it is measured once and stored: the scores by
PSI (population stability index) and KS (Kolmogorov-Smirnov), the features by MMD (maximum mean discrepancy). A check reads only what came
after the last stored window: of each prediction its time, key and score, and the features of one window at a time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from realframe import artifacts
from realframe.drift.drift_rules import DriftRules, WindowSize, load_drift_rules
from realframe.errors import RegistryError
from realframe.registry import evidence_bundle, model_registry
from realframe.registry.model_version import ModelVersion
from realframe.settings import Settings
from realframe.statistics import distribution_shift
from realframe.statistics.hypothesis_tests import holm_adjust
from realframe.store.document_base import format_current_time
from realframe.store.predictions import PredictedScore, count_predictions_after, list_predicted_scores, load_features
from realframe.store.repository import Store
from realframe.store.user_documents import DriftMeasure, DriftWindow

_ITEMS_PER_BIN = 10  # mean number of items in a bin of the PSI: with fewer, empty bins look like a large shift
_MAX_FEATURE_ROWS = 1000  # of a window and of the reference: the cost of the test grows with their square


@dataclass(frozen=True)
class PredictionWindow:
    """A window of consecutive predictions.

    Attributes:
        name: its size and number, or its size and the hour at which it begins.
        rows: its predictions, the oldest first.
    """

    name: str
    rows: tuple[PredictedScore, ...]


@dataclass(frozen=True)
class ReferenceSample:
    """The training reference of a model, with which its later predictions are compared.

    Attributes:
        scores: scores of the validation items, float64 (n,); the model was not trained on them, so they look like new items.
        features: mean features of validation and training items, float64 (m, width).
    """

    scores: NDArray[np.float64]
    features: NDArray[np.float64]


def read_next_window(
    store: Store, model: int, size: WindowSize, last: DriftWindow | None, until: datetime
) -> tuple[PredictionWindow | None, int]:
    """Return the first full window after a stored one; None if there is none yet, with the number of predictions that wait for it.

    Args:
        store: the store.
        model: number of the version.
        size: the size of a window. Windows of hours begin at multiples of that many hours since 1970, UTC.
        last: the newest stored window of this size, or None.
        until: the current time.
    """
    after = PredictedScore(last.end, last.last_prediction, 0.0) if last else None
    if size.items:
        rows = list_predicted_scores(store, model, after, limit=size.items)
        number = int(last.window_id.rpartition("-")[2]) + 1 if last else 1
        return (PredictionWindow(f"{size.name}-{number:08d}", tuple(rows)), 0) if len(rows) == size.items else (None, len(rows))
    first = list_predicted_scores(store, model, after, limit=1)
    if not first:
        return None, 0
    length = timedelta(hours=size.hours or 1)
    seconds = length.total_seconds()
    start = datetime.fromtimestamp(datetime.fromisoformat(first[0].created).timestamp() // seconds * seconds, UTC)
    if start + length > until:
        return None, count_predictions_after(store, model, after)
    rows = list_predicted_scores(store, model, after, before=(start + length).isoformat(timespec="milliseconds"))
    return PredictionWindow(f"{size.name}-{start:%Y%m%dT%H}", tuple(rows)), 0


def load_reference(version: ModelVersion) -> ReferenceSample:
    """Load the training reference from a version's evidence. Raises RegistryError if there is none."""
    file = evidence_bundle.fetch(version) / artifacts.TRAINING_REFERENCE.name
    if not file.exists():
        hint = f"Evaluate it again: `realframe evaluate {version.version}`."
        raise RegistryError(f"version {version.version}", "was registered without a training reference", hint)
    table = pd.read_parquet(file)
    scores = table.loc[table["split"] == "val", "score"].to_numpy(np.float64)
    features = np.stack(table["features"].to_list())[-_MAX_FEATURE_ROWS:].astype(np.float64)
    return ReferenceSample(scores, features)


def measure_window(
    scores: NDArray[np.float64], features: NDArray[np.float64], reference: ReferenceSample, rules: DriftRules
) -> tuple[DriftMeasure, ...]:
    """Return the distance of a window from the reference by three measures; nothing if either has too few items.

    The three measures test one hypothesis, so their p-values are adjusted (Holm). The PSI must exceed its limit and be significant:
    under equal distributions, PSI / (1/n + 1/m) is about chi-squared with bins - 1 degrees of freedom (Yurdakul & Naranjo, J. Risk Model
    Validation 14, 2020).

    Args:
        scores: of the window's items, (n,).
        features: of the window's items or a sample of them, (m, width).
        reference: the training reference.
        rules: the limits.
    """
    if min(len(scores), len(features), len(reference.scores)) < rules.min_items:
        return ()
    bins = min(distribution_shift.BINS, max(2, min(len(scores), len(reference.scores)) // _ITEMS_PER_BIN))
    psi, ks, mmd = (
        distribution_shift.compute_psi(reference.scores, scores, bins),
        distribution_shift.compute_ks(reference.scores, scores),
        distribution_shift.compute_mmd(reference.features, features),
    )
    psi_p_value = float(chi2.sf(psi.value / (1 / len(reference.scores) + 1 / len(scores)), bins - 1))
    adjusted_psi, adjusted_ks, adjusted_mmd = holm_adjust([psi_p_value, float(ks.p_value or 0.0), float(mmd.p_value or 0.0)])
    return (
        DriftMeasure(
            name="score_psi",
            value=psi.value,
            p_value=adjusted_psi,
            exceeds_limit=psi.value > rules.max_psi and adjusted_psi < rules.significance,
        ),
        DriftMeasure(name="score_ks", value=ks.value, p_value=adjusted_ks, exceeds_limit=adjusted_ks < rules.significance),
        DriftMeasure(name="feature_mmd", value=mmd.value, p_value=adjusted_mmd, exceeds_limit=adjusted_mmd < rules.significance),
    )


@dataclass(frozen=True)
class DriftStatus:
    """The drift of a model version.

    Attributes:
        model: number of the version.
        windows: the latest measured windows, the oldest first.
        pending: number of predictions whose window is not full yet.
        has_drifted: whether enough of the windows drift.
        needs_alarm: whether enough of the windows after the last alarm drift, so that one drift starts one training.
    """

    model: int
    windows: tuple[DriftWindow, ...]
    pending: int
    has_drifted: bool
    needs_alarm: bool


def watch_champion(store: Store, settings: Settings) -> tuple[DriftStatus, DriftRules]:
    """Measure the champion's new predictions; return its drift status and the rules that apply.

    Raises:
        ParamsError: the rules cannot be read.
        RegistryError: there is no champion, or it has no reference.
    """
    rules = load_drift_rules(settings.root)
    champion = model_registry.resolve_version(model_registry.CHAMPION)
    return watch_model(store, champion.version, load_reference(champion), rules), rules


def watch_model(store: Store, model: int, reference: ReferenceSample, rules: DriftRules) -> DriftStatus:
    """Measure and store the full windows of a model's predictions that are not stored yet, and judge the latest ones."""
    query: dict[str, Any] = {"model": model, "size": rules.window.name}
    last = next(iter(store.find_page(DriftWindow, query, 1)), None)
    while True:
        window, pending = read_next_window(store, model, rules.window, last, datetime.now(UTC))
        if window is None:
            break
        last = _measure(window, model, reference, rules, store)
        store.upsert([last])
    # an alarm before these windows lets all of them count, so that no older one is needed
    measured = store.find_page(DriftWindow, query | {"is_measured": True}, rules.recent_windows)[::-1]
    last_alarm = max((index for index, window in enumerate(measured) if window.alarm_raised), default=-1)
    return DriftStatus(
        model=model,
        windows=tuple(measured),
        pending=pending,
        has_drifted=_enough_drift(measured, rules),
        needs_alarm=_enough_drift(measured[last_alarm + 1 :], rules),
    )


def raise_alarm(store: Store, status: DriftStatus) -> None:
    """Mark the latest window as alarmed: the next alarm needs as many drifting windows after it."""
    store.upsert([status.windows[-1].model_copy(update={"alarm_raised": True})])


def _measure(window: PredictionWindow, model: int, reference: ReferenceSample, rules: DriftRules, store: Store) -> DriftWindow:
    rows = window.rows
    sample_indices = np.linspace(0, len(rows) - 1, min(len(rows), _MAX_FEATURE_ROWS)).astype(int)
    sample = [rows[index].prediction_id for index in sample_indices]
    scores = np.array([row.score for row in rows])
    measures = measure_window(scores, load_features(store, sample).astype(np.float64), reference, rules)
    return DriftWindow(
        window_id=f"{model}-{window.name}",
        model=model,
        size=rules.window.name,
        start=rows[0].created,
        end=rows[-1].created,
        last_prediction=rows[-1].prediction_id,
        items=len(rows),
        is_measured=bool(measures),
        measures=measures,
        is_drifting=any(measure.exceeds_limit for measure in measures),
        alarm_raised=False,
        created=format_current_time(),
    )


def _enough_drift(windows: list[DriftWindow], rules: DriftRules) -> bool:
    return sum(window.is_drifting for window in windows) >= rules.min_drifting_windows
