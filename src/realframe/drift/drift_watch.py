"""Watches what the champion is shown: measures each new window, and says where so many of the last ones drift.

The watch over the version that serves.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from realframe.drift import drift_rules
from realframe.drift.drift_rules import DriftRules
from realframe.drift.drift_windows import DriftReference, PredictionWindow, cut, measures, reference_of
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store.document_base import now
from realframe.store.repository import Store
from realframe.store.user_documents import DriftWindow, Prediction


@dataclass(frozen=True)
class DriftWatch:
    """What the watch has seen.

    Attributes:
        model: the version watched.
        windows: the last ones that could be measured, the oldest first.
        waiting: predictions whose window is not full yet.
        drift: enough of the windows drift.
        alarm: the same of those windows alone that came after the last alarm, so that one drift starts one training.
    """

    model: int
    windows: tuple[DriftWindow, ...]
    waiting: int
    drift: bool
    alarm: bool


def watch(store: Store, model: int, reference: DriftReference, rules: DriftRules) -> DriftWatch:
    """Measure the windows of a model's predictions that are full and not measured yet, store them, and judge the last ones."""
    full, waiting = cut(store.find(Prediction, {"model": model}), rules.window, datetime.now(UTC))
    known = store.keys(DriftWindow)
    store.upsert([_measured(window, model, reference, rules) for window in full if _key(window, model) not in known])
    stored = [store.get(DriftWindow, _key(window, model)) for window in full]
    told = [window for window in stored if window and window.measures]
    last_alarm = max((place for place, window in enumerate(told) if window.raised), default=-1)
    return DriftWatch(
        model=model,
        windows=tuple(told[-rules.last :]),
        waiting=waiting,
        drift=_enough(told[-rules.last :], rules),
        alarm=_enough(told[last_alarm + 1 :][-rules.last :], rules),
    )


def raise_alarm(store: Store, seen: DriftWatch) -> None:
    """Note on the newest window that its drift was told: the next alarm needs as many windows again."""
    store.upsert([seen.windows[-1].model_copy(update={"raised": True})])


def _measured(window: PredictionWindow, model: int, reference: DriftReference, rules: DriftRules) -> DriftWindow:
    found = measures(window.predictions, reference, rules)
    return DriftWindow(
        window_id=_key(window, model),
        model=model,
        begins=window.predictions[0].at,
        ends=window.predictions[-1].at,
        items=len(window.predictions),
        measures=found,
        drifting=any(measure.beyond for measure in found),
        raised=False,
        at=now(),
    )


def _key(window: PredictionWindow, model: int) -> str:
    return f"{model}-{window.name}"


def _enough(windows: list[DriftWindow], rules: DriftRules) -> bool:
    return sum(window.drifting for window in windows) >= rules.drifting


def watch_champion(store: Store, settings: Settings) -> tuple[DriftWatch, DriftRules]:
    """Measure what the champion was shown lately; return that and the rules that it was judged by.

    Raises:
        ParamsError: the rules can't be read.
        RegistryError: there is no champion, or it has no reference.
    """
    rules, champion = drift_rules.load_drift_rules(settings.root), model_registry.named(model_registry.CHAMPION)
    return watch(store, champion.version, reference_of(champion), rules), rules
