"""Count the sources of the items, share them out in parts, and choose the sources of the validation split.

A source is where files come from: a repository, a camera, a website. Items without one form one source. A detector that is tuned on
sources of its training may be tuned to their traces, such as sizes and compression; on files of a new source these are of no use.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from realframe.statistics.arrays import Bools, Floats, Ints
from realframe.statistics.source_weights import LABELS, MIN_SOURCES

UNKNOWN_SOURCE = "unknown"
"""The source of all items without one."""
CLASS_NAMES = {"real": "real", "fake": "AI-generated"}
_MAX_SHARE_FACTOR = 2.0  # whole sources seldom have exactly the wanted share of the items: from half of it to twice as much will do


def name_sources(items: pd.DataFrame) -> "pd.Series[str]":
    """Return the source of each item; items without one form one source, ``unknown``."""
    return items["source"].replace("", UNKNOWN_SOURCE)


def count_sources(items: pd.DataFrame, kind: str) -> dict[str, int]:
    """Return the number of sources of each class of a kind."""
    of_kind = items[items["kind"] == kind]
    return {label: int(name_sources(of_kind[of_kind["label"] == label]).nunique()) for label in LABELS}


def describe_shortage(items: pd.DataFrame, kind: str) -> str:
    """Return which sources a kind lacks for a statement about unseen sources, as a sentence; empty if it has enough."""
    counts = count_sources(items, kind)
    if min(counts.values()) >= MIN_SOURCES:
        return ""
    have = " and ".join(
        f"{counts[label] or 'no'} {'source' if counts[label] == 1 else 'sources'} of {CLASS_NAMES[label]}" for label in LABELS
    )
    return f"The dataset has {have} {kind}s: at least {MIN_SOURCES} of each class are needed for a statement about unseen sources."


def list_kinds_with_enough_sources(items: pd.DataFrame) -> list[str]:
    """Return the kinds that have at least 3 sources of each class, sorted."""
    return [str(kind) for kind in sorted(items["kind"].unique()) if not describe_shortage(items, str(kind))]


def list_kinds_validated_on_other_sources(splits: pd.DataFrame) -> list[str]:
    """Return the kinds whose items in ``val`` come from sources that have no item of this kind in ``train``, sorted."""
    sources = name_sources(splits)
    names = {split: sources[splits["split"] == split].groupby(splits["kind"]).agg(set) for split in ("train", "val")}
    return sorted(str(kind) for kind, tested in names["val"].items() if not tested & names["train"].get(kind, set()))


def choose_validation_sources(items: pd.DataFrame, share: float) -> "pd.Series[bool]":
    """Return which items belong to the sources that validate, so that the training is tuned on sources that it does not contain.

    Sources that share a cluster stay together. Of each class of each kind with enough sources, the chosen sources have about ``share`` of
    the items: at least half and at most twice as many.

    Args:
        items: rows with ``media_id``, ``kind``, ``label``, ``source`` and ``cluster``, in any order.
        share: the wanted share of the items, above 0 to 0.5.

    Returns:
        Bool by the index of ``items``; none is chosen where no whole sources fit. Items of kinds without enough sources are not chosen.
    """
    kinds = list_kinds_with_enough_sources(items)
    governed = items[items["kind"].isin(kinds)]
    chosen = pd.Series(data=False, index=items.index)
    if not kinds:
        return chosen
    linked = _link_sources(governed)
    _, of_group = np.unique(linked, return_inverse=True)
    counts = count_items(governed, of_group, kinds)[0]
    shares = counts / counts.sum(axis=0)
    best, best_cost = np.zeros(len(counts), bool), np.inf
    for parts in range(2, int(2 / share) + 1):
        assigned = share_out_sources(counts, parts)
        for part in range(parts):
            reached = shares[assigned == part].sum(axis=0)
            fits = ((reached >= share / _MAX_SHARE_FACTOR) & (reached <= share * _MAX_SHARE_FACTOR)).all()
            cost = ((reached - share) ** 2).sum().round(9)
            if fits and cost < best_cost:
                best, best_cost = assigned == part, cost
    chosen[governed.index] = best[of_group]
    return chosen


def count_items(items: pd.DataFrame, of_source: Ints, kinds: list[str]) -> tuple[Floats, Bools]:
    """Return the items of each kind and class in each source, (sources, strata), and which strata belong to one of ``kinds``, (strata,)."""
    strata = [(str(kind), label) for kind in sorted(items["kind"].unique()) for label in LABELS]
    counts = np.zeros((of_source.max() + 1, len(strata)))
    for column, (kind, label) in enumerate(strata):
        np.add.at(counts[:, column], of_source[((items["kind"] == kind) & (items["label"] == label)).to_numpy()], 1)
    return counts, np.array([kind in kinds for kind, _ in strata])


def share_out_sources(counts: Floats, parts: int) -> Ints:
    """Return the part of each source, (sources,): the largest first, each to the part that it brings nearest to equal shares.

    Both the items and the sources of each stratum are shared out. Deviations are relative to the share of a part.

    Args:
        counts: items of each stratum in each source, (sources, strata).
        parts: their number.
    """
    sizes = np.concatenate([counts, counts > 0], axis=1)
    totals = sizes.sum(axis=0)
    relative = sizes[:, totals > 0] * parts / totals[totals > 0]
    current = np.zeros((parts, relative.shape[1]))
    assigned = np.zeros(len(counts), np.int64)
    for source in np.argsort(-relative.max(axis=1), kind="stable"):
        cost = (relative[source] * (2 * (current - 1) + relative[source])).sum(axis=1).round(9)
        assigned[source] = cost.argmin()
        current[assigned[source]] += relative[source]
    return assigned


def _link_sources(items: pd.DataFrame) -> "pd.Series[str]":
    """Return, for each item, the first source in the alphabet of those that clusters link with its own."""
    names, of_source = np.unique(name_sources(items).to_numpy(str), return_inverse=True)
    _, of_cluster = np.unique(items["cluster"].to_numpy(str), return_inverse=True)
    nodes = len(names) + int(of_cluster.max()) + 1
    edges = coo_array((np.ones(len(items), bool), (of_source, len(names) + of_cluster)), shape=(nodes, nodes))
    _, component = connected_components(edges, directed=False)
    _, first = np.unique(component[: len(names)], return_index=True)
    renumbered = np.unique(component[: len(names)], return_inverse=True)[1]
    return pd.Series(names[first][renumbered][of_source], index=items.index)
