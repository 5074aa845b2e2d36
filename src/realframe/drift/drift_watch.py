"""Watch a model for drift: split its predictions into windows, measure each full window, and judge the latest windows by the rules.

A window is compared with the model's training reference. It never changes once it is full, so it is measured once and stored: the scores by
PSI (population stability index) and KS (Kolmogorov-Smirnov), the features by MMD (maximum mean discrepancy).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from realframe import artifacts
from realframe.drift.drift_rules import DriftRules, WindowSize, load_drift_rules
from realframe.errors import RegistryError
from realframe.models import frame_features
from realframe.registry import evidence_bundle, model_registry
from realframe.registry.model_version import ModelVersion
from realframe.settings import Settings
from realframe.statistics import distribution_shift
from realframe.statistics.hypothesis_tests import holm_adjust
from realframe.store.document_base import format_current_time
from realframe.store.predictions import list_predictions
from realframe.store.repository import Store
from realframe.store.user_documents import DriftMeasure, DriftWindow, Prediction

_ITEMS_PER_BIN = 10  # mean number of items in a bin of the PSI: with fewer, empty bins look like a large shift
_MAX_REFERENCE_ROWS = 1000  # of the reference's features: the cost of the test grows with their square


@dataclass(frozen=True)
class PredictionWindow:
    """A window of consecutive predictions.

    Attributes:
        name: its size and number, or its size and the hour at which it begins.
        predictions: its predictions, the oldest first.
    """

    name: str
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True)
class ReferenceSample:
    """The training reference of a model, with which its later predictions are compared.

    Attributes:
        scores: scores of the validation items, float64 (n,); the model was not trained on them, so they look like new items.
        features: mean features of validation and training items, float64 (m, width).
    """

    scores: NDArray[np.float64]
    features: NDArray[np.float64]


def split_into_windows(predictions: Sequence[Prediction], size: WindowSize, until: datetime) -> tuple[list[PredictionWindow], int]:
    """Return the full windows, the oldest first, and the number of predictions whose window is not full yet.

    Args:
        predictions: the predictions of one model.
        size: the size of a window. Windows of hours begin at multiples of that many hours since 1970, UTC.
        until: the current time.
    """
    ordered = sorted(predictions, key=lambda prediction: (prediction.created, prediction.key))
    windows = _split_by_items(ordered, size.items) if size.items else _split_by_hours(ordered, size.hours or 1, until)
    return windows, len(ordered) - sum(len(window.predictions) for window in windows)


def load_reference(version: ModelVersion) -> ReferenceSample:
    """Load the training reference from a version's evidence. Raises RegistryError if there is none."""
    file = evidence_bundle.fetch(version) / artifacts.TRAINING_REFERENCE.name
    if not file.exists():
        hint = f"Evaluate it again: `realframe evaluate {version.version}`."
        raise RegistryError(f"version {version.version}", "was registered without a training reference", hint)
    table = pd.read_parquet(file)
    scores = table.loc[table["split"] == "val", "score"].to_numpy(np.float64)
    features = np.stack(table["features"].to_list())[-_MAX_REFERENCE_ROWS:].astype(np.float64)
    return ReferenceSample(scores, features)


def measure_window(predictions: Sequence[Prediction], reference: ReferenceSample, rules: DriftRules) -> tuple[DriftMeasure, ...]:
    """Return the distance of a window from the reference by three measures; nothing if either has too few items.

    The three measures test one hypothesis, so their p-values are adjusted (Holm). The PSI must exceed its limit and be significant:
    under equal distributions, PSI / (1/n + 1/m) is about chi-squared with bins - 1 degrees of freedom (Yurdakul & Naranjo, J. Risk Model
    Validation 14, 2020).
    """
    if min(len(predictions), len(reference.scores)) < rules.min_items:
        return ()
    scores = np.array([prediction.score for prediction in predictions])
    features = np.stack([frame_features.decode_vector(prediction.features) for prediction in predictions]).astype(np.float64)
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


def _split_by_items(ordered: list[Prediction], items: int) -> list[PredictionWindow]:
    starts = range(0, len(ordered) - len(ordered) % items, items)
    return [PredictionWindow(f"n{items}-{start // items + 1}", tuple(ordered[start : start + items])) for start in starts]


def _split_by_hours(ordered: list[Prediction], hours: int, until: datetime) -> list[PredictionWindow]:
    length = timedelta(hours=hours)
    seconds = length.total_seconds()
    groups = groupby(ordered, key=lambda prediction: int(datetime.fromisoformat(prediction.created).timestamp() // seconds))
    windows = [(datetime.fromtimestamp(number * seconds, UTC), tuple(group)) for number, group in groups]
    return [PredictionWindow(f"h{hours}-{start:%Y%m%dT%H}", group) for start, group in windows if start + length <= until]


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
    full_windows, pending = split_into_windows(list_predictions(store, model), rules.window, datetime.now(UTC))
    known = store.find_keys(DriftWindow)
    store.upsert([_measure(window, model, reference, rules) for window in full_windows if _key(window, model) not in known])
    stored = [store.get(DriftWindow, _key(window, model)) for window in full_windows]
    measured = [window for window in stored if window and window.measures]
    last_alarm = max((index for index, window in enumerate(measured) if window.alarm_raised), default=-1)
    recent = measured[-rules.recent_windows :]
    return DriftStatus(
        model=model,
        windows=tuple(recent),
        pending=pending,
        has_drifted=_enough_drift(recent, rules),
        needs_alarm=_enough_drift(measured[last_alarm + 1 :][-rules.recent_windows :], rules),
    )


def raise_alarm(store: Store, status: DriftStatus) -> None:
    """Mark the latest window as alarmed: the next alarm needs as many drifting windows after it."""
    store.upsert([status.windows[-1].model_copy(update={"alarm_raised": True})])


def _measure(window: PredictionWindow, model: int, reference: ReferenceSample, rules: DriftRules) -> DriftWindow:
    measures = measure_window(window.predictions, reference, rules)
    return DriftWindow(
        window_id=_key(window, model),
        model=model,
        start=window.predictions[0].created,
        end=window.predictions[-1].created,
        items=len(window.predictions),
        measures=measures,
        is_drifting=any(measure.exceeds_limit for measure in measures),
        alarm_raised=False,
        created=format_current_time(),
    )


def _key(window: PredictionWindow, model: int) -> str:
    return f"{model}-{window.name}"


def _enough_drift(windows: list[DriftWindow], rules: DriftRules) -> bool:
    return sum(window.is_drifting for window in windows) >= rules.min_drifting_windows
