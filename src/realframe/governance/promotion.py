"""Set the aliases ``champion`` and ``challenger`` in the model registry. ``reconcile`` calls this, after a decision is in the ledger."""

import logging
from collections.abc import Iterable

from realframe.registry import model_registry
from realframe.registry.model_registry import CHALLENGER, CHAMPION, ModelVersion

log = logging.getLogger(__name__)


def set_champion(version: int, versions: Iterable[ModelVersion]) -> bool:
    """Point the alias ``champion`` to a version.

    Args:
        version: number of the new champion.
        versions: the registry as it was read last; tells which version has the alias now.

    Returns:
        Whether the alias moved.
    """
    current = find_champion_number(versions)
    if current == version:
        return False
    model_registry.set_alias(CHAMPION, version)
    log.info("champion: version %s, as recorded in the ledger (before: %s)", version, current or "none")
    return True


def find_champion_number(versions: Iterable[ModelVersion]) -> int | None:
    """Return the number of the version with the alias ``champion``, or None."""
    return next((version.version for version in versions if CHAMPION in version.aliases), None)


def clear_challenger() -> None:
    """Remove the alias ``challenger``: a decision on that version exists."""
    model_registry.delete_alias(CHALLENGER)
