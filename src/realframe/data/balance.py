"""Balance the classes: undersample, oversample, weight the classes, or match the items of both classes by size and duration.

Items are left out before the split. Repeats and class weights apply after it, to the train split alone: val and test stay unchanged.

The matching is coarsened exact matching: each bin of size and duration keeps as many items of one class as of the other. Bins are half an
octave wide in the logarithm. Iacus, King & Porro (2012), "Causal Inference without Balance Checking: Coarsened Exact Matching", Political
Analysis 20.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from heapq import heapify, heappop, heapreplace

import numpy as np
import pandas as pd

from realframe.config import BalanceParams

EXCLUDED_KIND = "kind"  # balance.kinds does not name it
NO_FRAME = "no-frame"  # extraction or cleaning left no frame of it
UNMATCHED = "unmatched"  # the other class has no further item of its size or duration
SURPLUS = "surplus"  # left out by undersampling

_BINS_PER_OCTAVE = 2
_LEAST_VALUE = 1e-3  # a still image lasts 0 s, which has no logarithm


def select_items(
    media: pd.DataFrame, quality: pd.DataFrame, balance: BalanceParams, seed: int, unmatched: Collection[str] = ()
) -> pd.DataFrame:
    """Select the items of the dataset.

    Args:
        media: the rows of ``data/media.parquet``.
        quality: the rows of ``data/quality.parquet``.
        balance: the kinds to use, and the method.
        seed: decides which items of a surplus are left out.
        unmatched: the ``media_id`` of the items that matching left out.

    Returns:
        ``media`` with the columns ``included`` (bool) and ``exclusion_reason`` (empty, ``kind``, ``no-frame``, ``unmatched`` or
        ``surplus``), sorted by ``media_id``.
    """
    rows = media.sort_values("media_id", ignore_index=True)
    with_frames = set(quality.loc[quality["is_kept"], "media_id"])
    reason = np.where(rows["media_id"].isin(with_frames), "", NO_FRAME).astype(object)
    reason[rows["media_id"].isin(list(unmatched)).to_numpy()] = UNMATCHED
    reason[~rows["kind"].isin(balance.kinds).to_numpy()] = EXCLUDED_KIND
    if balance.method == "undersample":
        candidates = rows[reason == ""]
        reason[rows["media_id"].isin(_find_surplus(candidates, seed)).to_numpy()] = SURPLUS
    return rows.assign(included=reason == "", exclusion_reason=reason.astype(str))


def compute_repeats(media_ids: Sequence[str], labels: Sequence[str], seed: int) -> np.ndarray:
    """Return how often an epoch shows each training item, so that both classes are shown equally often (random oversampling).

    The repeats are spread evenly: the repeats of two items of one class differ by at most one.

    Returns:
        int32 (N,), at least 1.
    """
    repeats = np.ones(len(media_ids), np.int32)
    counts = Counter(labels)
    largest = max(counts.values(), default=0)
    for label, count in counts.items():
        positions = [position for position, item_label in enumerate(labels) if item_label == label]
        members = sorted(positions, key=lambda position: shuffle_key(media_ids[position], seed))
        repeats[members] = largest // count
        repeats[members[: largest % count]] += 1
    return repeats


def compute_class_weights(labels: Sequence[str]) -> np.ndarray:
    """Return the class weight of each training item: items / (classes x items of its class).

    King and Zeng (2001), "Logistic Regression in Rare Events Data"; scikit-learn's ``class_weight="balanced"``.

    Returns:
        float64 (N,), above 0, of mean 1.
    """
    sizes = Counter(labels)
    return np.array([len(labels) / (len(sizes) * sizes[label]) for label in labels], np.float64)


def find_unmatched(items: pd.DataFrame, facts: Sequence[str], seed: int) -> set[str]:
    """Return the ``media_id`` of the items to leave out so that each bin of each kind holds equally many items of both classes.

    Args:
        items: rows of the catalog, with ``media_id``, ``kind``, ``label``, ``width``, ``height`` and ``duration_s``.
        facts: the facts to match by, of ``pixels`` and ``duration_s``; without any, no item is left out.
        seed: decides which items of a bin's larger class stay, independently of the names of the other items.
    """
    if not facts:
        return set()
    values = {"pixels": items["width"] * items["height"], "duration_s": items["duration_s"]}
    bins = [np.floor(np.log2(values[fact].clip(lower=_LEAST_VALUE)) * _BINS_PER_OCTAVE).rename(fact) for fact in facts]
    unmatched: set[str] = set()
    for _, members in items.groupby([items["kind"], *bins]):
        classes = [_shuffle(members.loc[members["label"] == label, "media_id"], seed) for label in ("real", "fake")]
        pairs = min(map(len, classes))
        unmatched.update(media_id for media_ids in classes for media_id in media_ids[pairs:])
    return unmatched


def shuffle_key(name: str, seed: int) -> str:
    """Return the sort key (hex digits) that shuffles items or clusters. It depends on the seed and the name alone."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def _shuffle(names: Iterable[str], seed: int) -> list[str]:
    return sorted(names, key=lambda name: shuffle_key(name, seed))


def _find_surplus(rows: pd.DataFrame, seed: int) -> set[str]:
    """Return the items of the larger class to leave out.

    Each is taken from the kind in which the larger class has the greatest excess, so that the kind tells less about the label; within the
    kind, from the largest stratum of one generator and source, so that small strata stay whole.
    """
    counts = Counter(rows["label"])
    if len(counts) < 2:
        return set()
    (larger, larger_count), (smaller, smaller_count) = counts.most_common(2)
    candidates = rows[rows["label"] == larger]
    excess = Counter(candidates["kind"])
    excess.subtract(rows.loc[rows["label"] == smaller, "kind"])
    heaps = {kind: _build_stratum_heap(members, seed) for kind, members in candidates.groupby("kind")}
    surplus = set()
    for _ in range(larger_count - smaller_count):
        kind = max((kind for kind in heaps if heaps[kind]), key=lambda kind: (excess[kind], kind))
        excess[kind] -= 1
        negative_size, stratum, members = heaps[kind][0]
        surplus.add(members.pop())
        if members:
            heapreplace(heaps[kind], (negative_size + 1, stratum, members))
        else:
            heappop(heaps[kind])
    return surplus


def _build_stratum_heap(rows: pd.DataFrame, seed: int) -> list[tuple[int, tuple[str, str], list[str]]]:
    """Return a heap of (minus size, (generator, source), shuffled items): the largest stratum is on top."""
    strata: dict[tuple[str, str], list[str]] = {}
    for media_id, *stratum in rows[["media_id", "generator", "source"]].itertuples(index=False):
        strata.setdefault((stratum[0], stratum[1]), []).append(media_id)
    heap = [(-len(members), stratum, _shuffle(members, seed)) for stratum, members in strata.items()]
    heapify(heap)
    return heap
