"""The watch over the version that serves."""

from bonafide.drift import rules as drift_rules
from bonafide.drift.measure import reference_of
from bonafide.drift.rules import Rules
from bonafide.drift.watch import Watch, watch
from bonafide.metadata.store import Store
from bonafide.settings import Settings
from bonafide.tracking import registry


def watch_champion(store: Store, settings: Settings) -> tuple[Watch, Rules]:
    """Measure what the champion was shown lately; return that and the rules that it was judged by.

    Raises:
        ParamsError: the rules can't be read.
        RegistryError: there is no champion, or it has no reference.
    """
    rules, champion = drift_rules.load(settings.root), registry.named(registry.CHAMPION)
    return watch(store, champion.version, reference_of(champion), rules), rules
