"""Watch a model for drift: measure each new window of its predictions, store it, and judge the latest windows by the rules."""

from dataclasses import dataclass
from datetime import UTC, datetime

from realframe.drift.drift_rules import DriftRules, load_drift_rules
from realframe.drift.drift_windows import PredictionWindow, ReferenceSample, load_reference, measure_window, split_into_windows
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store.document_base import now
from realframe.store.predictions import list_predictions
from realframe.store.repository import Store
from realframe.store.user_documents import DriftWindow


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
        created=now(),
    )


def _key(window: PredictionWindow, model: int) -> str:
    return f"{model}-{window.name}"


def _enough_drift(windows: list[DriftWindow], rules: DriftRules) -> bool:
    return sum(window.is_drifting for window in windows) >= rules.min_drifting
