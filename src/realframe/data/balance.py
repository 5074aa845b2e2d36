"""Choosing the items of the dataset so that neither class outweighs the other.

Leaving items out happens before the split; repeating and weighting happen after it, in train only, so that val and test stay what they are.

Coarsened exact matching: as many items of one class as of the other in each bin of size and duration.

Iacus, King & Porro (2012), "Causal Inference without Balance Checking: Coarsened Exact Matching", Political Analysis 20. Bins are of
equal width in the logarithm: half an octave.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from heapq import heapify, heappop, heapreplace

import numpy as np
import pandas as pd

from realframe.config import Balance

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
        unmatched: the ``media_id`` of the items that harmonization left out.
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
        members = sorted((at for at, each in enumerate(labels) if each == label), key=lambda at: shuffle_key(media_ids[at], seed))
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


def shuffle_key(name: str, seed: int) -> str:
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
    heap = [(-len(members), stratum, sorted(members, key=lambda name: shuffle_key(name, seed))) for stratum, members in strata.items()]
    heapify(heap)
    return heap


_PER_OCTAVE = 2
_NAUGHT = 1e-3  # a still image lasts 0 s


def find_unmatched(items: pd.DataFrame, facts: Sequence[str], seed: int) -> set[str]:
    """Return the ``media_id`` of those that have to go so that each bin of each kind holds equally many of both classes.

    Args:
        items: rows with ``media_id``, ``kind``, ``label``, ``width``, ``height`` and ``duration_s``, as catalogd.
        facts: of ``pixels`` and ``duration_s``; without any, nothing has to go.
        seed: which items of the larger class of a bin stay; it depends on no other item's name.
    """
    if not facts:
        return set()
    known = {"pixels": items["width"] * items["height"], "duration_s": items["duration_s"]}
    bins = [np.floor(np.log2(known[fact].clip(lower=_NAUGHT)) * _PER_OCTAVE).rename(fact) for fact in facts]
    out: set[str] = set()
    for _, members in items.groupby([items["kind"], *bins]):
        classes = [_drawn(members.loc[members["label"] == label, "media_id"], seed) for label in ("real", "fake")]
        kept = min(map(len, classes))
        out.update(name for names in classes for name in names[kept:])
    return out


def _drawn(names: Iterable[str], seed: int) -> list[str]:
    return sorted(names, key=lambda name: shuffle_key(name, seed))
