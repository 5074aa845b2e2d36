"""Which parameters take away the file facts that tell the classes apart: what the audit offers where it stops a run."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from bonafide.dataset.file_facts import ENCODING, RATE, SIZE, TIME
from bonafide.params import Cure

_SPARED = 0.05  # share of the items that a crop or a cut may cost
_MOST_NAMED = 3


def telling(facts: Mapping[str, float], limit: float) -> list[str]:
    """Return the facts that each tell the classes apart beyond ``limit``, the most telling first, and at least three if there are."""
    return [name for place, (name, accuracy) in enumerate(facts.items()) if place < _MOST_NAMED or accuracy > limit]


def settings_for(facts: Collection[str], kind: str, items: pd.DataFrame, cure: Cure) -> dict[str, str]:
    """Return the parameters, dotted key -> value, that make ``facts`` the same for all items; those that are set already are left out.

    Args:
        facts: names of ``file_facts``.
        kind: ``image`` or ``video``.
        items: the rows of that kind, with their file facts; sizes, lengths and rates are such that 19 of 20 items go through.
        cure: what is set.
    """
    offered: dict[str, str] = {}
    if not {*SIZE}.isdisjoint(facts):
        offered[f"cure.crop.{kind}"] = str(int(_low(items[["width", "height"]].min(axis=1))) // 2 * 2)
    if not {*TIME}.isdisjoint(facts):
        offered["cure.seconds"] = f"{np.floor(_low(items['duration_s']) * 10) / 10:g}"
    if not {*RATE, "frames"}.isdisjoint(facts):
        offered["cure.fps"] = f"{max(1, np.floor(_low(items['fps']))):g}"
    if "cure.fps" in offered or not {*ENCODING}.isdisjoint(facts):
        offered["cure.reencode"] = "true"
    is_set = {"cure.crop.image": cure.crop.image, "cure.crop.video": cure.crop.video, "cure.seconds": cure.seconds}
    is_set |= {"cure.fps": cure.fps, "cure.reencode": cure.reencode}
    return {name: value for name, value in offered.items() if not is_set[name]}


def match_for(facts: Collection[str], cure: Cure) -> str:
    """Return what ``cure.match`` may name against these facts, such as ``[pixels,duration_s]``; empty where it can do no more."""
    against = {"pixels": SIZE, "duration_s": TIME}
    useful = [name for name, cured in against.items() if name not in cure.match and not {*cured}.isdisjoint(facts)]
    return f"[{','.join((*cure.match, *useful))}]" if useful else ""


def _low(values: "pd.Series[float]") -> float:
    return float(values.quantile(_SPARED, interpolation="lower"))
