"""What a file says of itself before its pictures are looked at, as columns that a classifier can learn from."""

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

SIZE = ("width", "height", "aspect", "pixels", "rotation")
TIME = ("duration_s", "frames")
RATE = ("fps", "variable_fps")
ENCODING = ("codec", "container", "quantisation", "jpeg_quality", "metadata", "bytes", "bytes_per_pixel", "bits_per_s")
_NAMES = ("codec", "container", "quantisation")
_LISTS = ("metadata",)


def facts_of(items: pd.DataFrame) -> pd.DataFrame:
    """Return the facts of each item, one row per item, without those that are the same for all: what is constant tells nothing.

    Args:
        items: rows with the file facts of ``data/media.parquet``.
    """
    pixels = (items["width"] * items["height"]).clip(lower=1)
    facts = pd.DataFrame(
        {
            **{name: items[name] for name in ("width", "height", "rotation", "fps", "frames", "duration_s", "bytes", "jpeg_quality")},
            "aspect": items["width"] / items["height"].clip(lower=1),
            "pixels": pixels,
            "bytes_per_pixel": items["bytes"] / (pixels * items["frames"].clip(lower=1)),
            "bits_per_s": 8 * items["bytes"] / items["duration_s"].where(items["duration_s"] > 0, np.inf),
            "variable_fps": items["variable_fps"].astype(int),
            **{name: items[name] for name in (*_NAMES, *_LISTS)},
        }
    )
    return facts.loc[:, facts.nunique() > 1]


def learner(facts: pd.DataFrame, model: ClassifierMixin) -> Pipeline:
    """Return ``model`` behind an encoding of the columns of ``facts``: a column per word, and per name that a list holds."""
    words = [name for name in facts if name in _NAMES]
    lists = [(_names_of_a_list(), name) for name in facts if name in _LISTS]
    encoding = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), words), *lists, remainder="passthrough", sparse_threshold=0)
    return make_pipeline(encoding, model)


def _names_of_a_list() -> CountVectorizer:
    return CountVectorizer(binary=True, analyzer=_names)


def _names(listed: str) -> list[str]:
    """Return the names in a list, and one that all lists hold: scikit-learn refuses to learn from texts without any word."""
    return ["-", *listed.split()]
