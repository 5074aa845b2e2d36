"""Choosing the items of the dataset so that neither class outweighs the other.

Leaving items out happens before the split; repeating and weighting happen after it, in train only, so that val and test stay what they are.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heapreplace

import numpy as np
import pandas as pd

from bonafide.params import Balance

LEFT_OUT_KIND = "kind"  # balance.kinds does not name it
NO_FRAME = "no-frame"  # extraction or cleaning left no frame of it
UNMATCHED = "unmatched"  # the other class has no item of its size or duration left
SURPLUS = "surplus"  # undersampling left it out


def choose(media: pd.DataFrame, quality: pd.DataFrame, balance: Balance, seed: int, unmatched: Collection[str] = ()) -> pd.DataFrame:
    """Return ``media`` with the columns ``included`` (bool) and ``why`` (empty, ``kind``, ``no-frame``, ``unmatched`` or ``surplus``).

    Args:
        media: the rows of ``data/media.parquet``.
        quality: the rows of ``data/quality.parquet``.
        balance: which kinds are taken, and the method.
        seed: which of the items of a surplus are left out.
        unmatched: the ``media_id`` of the items that the cure left out.
    """
    rows = media.sort_values("media_id", ignore_index=True)
    usable = set(quality.loc[quality["kept"], "media_id"])
    why = np.where(rows["media_id"].isin(usable), "", NO_FRAME).astype(object)
    why[rows["media_id"].isin(list(unmatched)).to_numpy()] = UNMATCHED
    why[~rows["kind"].isin(balance.kinds).to_numpy()] = LEFT_OUT_KIND
    if balance.method == "undersample":
        candidates = rows[why == ""]
        why[rows["media_id"].isin(_surplus(candidates, seed)).to_numpy()] = SURPLUS
    return rows.assign(included=why == "", why=why.astype(str))


def train_repeats(media_ids: Sequence[str], labels: Sequence[str], seed: int) -> np.ndarray:
    """Return how often each training item is shown so that the smaller class is shown as often as the larger (random oversampling).

    The repeats are spread evenly: no item is shown more than once more often than another of its class.

    Returns:
        int32 (N,), at least 1.
    """
    repeats = np.ones(len(media_ids), np.int32)
    counts = Counter(labels)
    most = max(counts.values(), default=0)
    for label, count in counts.items():
        members = sorted((at for at, each in enumerate(labels) if each == label), key=lambda at: lot(media_ids[at], seed))
        repeats[members] = most // count
        repeats[members[: most % count]] += 1
    return repeats


def train_weights(labels: Sequence[str]) -> np.ndarray:
    """Return the class weight of each training item: items / (classes x items of its class).

    King and Zeng (2001), "Logistic Regression in Rare Events Data"; scikit-learn's ``class_weight="balanced"``.

    Returns:
        float64 (N,), above 0, of mean 1.
    """
    sizes = Counter(labels)
    return np.array([len(labels) / (len(sizes) * sizes[label]) for label in labels], np.float64)


def lot(name: str, seed: int) -> str:
    """Return the hex digits by which items or clusters are shuffled: they depend on the seed and the name, not on the other items."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def _surplus(rows: pd.DataFrame, seed: int) -> set[str]:
    """Return the items of the larger class to leave out.

    Each time one leaves the kind in which the class is furthest ahead, so that the kind says less about the label; there it leaves the
    largest set of one generator and source, so that the small ones stay whole.
    """
    counts = Counter(rows["label"])
    if len(counts) < 2:
        return set()
    (larger, most), (smaller, fewest) = counts.most_common(2)
    own = rows[rows["label"] == larger]
    ahead = Counter(own["kind"])
    ahead.subtract(rows.loc[rows["label"] == smaller, "kind"])
    heaps = {kind: _largest_first(members, seed) for kind, members in own.groupby("kind")}
    left_out = set()
    for _ in range(most - fewest):
        kind = max((kind for kind in heaps if heaps[kind]), key=lambda kind: (ahead[kind], kind))
        ahead[kind] -= 1
        size, stratum, members = heaps[kind][0]
        left_out.add(members.pop())
        if members:
            heapreplace(heaps[kind], (size + 1, stratum, members))
        else:
            heappop(heaps[kind])
    return left_out


def _largest_first(rows: pd.DataFrame, seed: int) -> list[tuple[int, tuple[str, str], list[str]]]:
    """Return a heap of (minus size, (generator, source), items in the order of their lots)."""
    strata: dict[tuple[str, str], list[str]] = {}
    for media_id, *stratum in rows[["media_id", "generator", "source"]].itertuples(index=False):
        strata.setdefault((stratum[0], stratum[1]), []).append(media_id)
    heap = [(-len(members), stratum, sorted(members, key=lambda name: lot(name, seed))) for stratum, members in strata.items()]
    heapify(heap)
    return heap
