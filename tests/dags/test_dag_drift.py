"""A drift starts the loop: predictions that have moved raise the asset, and the same data raise the one that trains."""

import json

import pytest

from tests.pilot import SHRUNK, Pilot

pytestmark = pytest.mark.timeout(900)

RULES = {"window": {"items": 4}, "min_items": 2, "last": 2, "drifting": 2, "psi": 0.25, "level": 0.1}
PLANT = """
import hashlib
import numpy as np, pandas as pd
from realframe import artifacts
from realframe.store.user_documents import Prediction
from realframe.store.document_base import now
from realframe.store.repository import open_store
from realframe.models import records
from realframe.settings import get_settings
from realframe.registry import evidence, registry
champion = registry.named("champion")
reference = pd.read_parquet(evidence.fetch(champion) / artifacts.REFERENCE.name)
moved = np.stack(reference["features"].to_list()).max(axis=0) + 1
with open_store(get_settings()) as store:
    for number in range(12):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        features = records.as_text((moved + np.random.default_rng(number).normal(0, 0.01, moved.shape)).astype(np.float32))
        said = {"file": "x.mp4", "kind": "video", "model": champion.version, "verdict": "uncertain", "probability": 1.0, "score": 1.0}
        store.upsert([Prediction(prediction_id=f"{champion.version}-{sha256}", sha256=sha256, features=features, at=now(), **said)])
print(sorted(set(reference["split"])))
"""


@pytest.fixture(scope="module")
def drifted(pilot: Pilot, tmp_path_factory: pytest.TempPathFactory) -> Pilot:
    copy = pilot.copy(tmp_path_factory.mktemp("drifted") / "checkout")
    (copy.root / "mlflow" / "drift.yaml").write_text(json.dumps(RULES))
    copy.call("realframe", "detect", str(pilot.unseen))
    copy.call("realframe", "drift")
    planted = copy.root / "plant.py"
    planted.write_text(PLANT)
    assert copy.call("plant").strip().endswith("['train', 'val']")
    planted.unlink()
    return copy


def test_moved_predictions_raise_the_asset_and_what_it_starts_asks_for_a_training(drifted: Pilot) -> None:
    drifted.call("realframe", "drift", status=1)
    drifted.call("realframe.services.headless_dags", "watch_drift")
    (told,) = drifted.events("drift")
    assert told["version"] == 1 and told["windows"]
    conf = json.dumps({"recipe": "scratch", "overrides": SHRUNK, "retrain": True})
    assert "prepare_data: success" in drifted.call("realframe.services.headless_dags", "prepare_data", "--conf", conf)
    assert drifted.events("dataset") == [{"version": "dataset/v1"}]
