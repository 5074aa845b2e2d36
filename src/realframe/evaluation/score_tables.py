"""Columns of the tables of scores that a run writes below ``reports/``. They are the input of the evaluation figures."""

import pyarrow as pa

_ITEM = ("media_id", "label", "kind")
PREDICTIONS = pa.schema(
    {
        **dict.fromkeys((*_ITEM, "generator", "source", "cluster", "split"), pa.string()),
        "index": pa.int64(),
        "score": pa.float64(),
        "baseline_score": pa.float64(),
    }
)
HELD_OUT = pa.schema({**dict.fromkeys(("held_out", "split", *_ITEM, "generator", "source", "cluster"), pa.string()), "score": pa.float64()})
ROBUSTNESS = pa.schema({**dict.fromkeys((*_ITEM, "cluster", "perturbation"), pa.string()), "level": pa.float64(), "score": pa.float64()})
TRAINING_REFERENCE = pa.schema({**dict.fromkeys((*_ITEM, "split"), pa.string()), "score": pa.float64(), "features": pa.list_(pa.float32())})
REGRESSION = pa.schema({**dict.fromkeys((*_ITEM, "split"), pa.string()), "score": pa.float64()})
