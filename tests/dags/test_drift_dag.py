"""A drift triggers a new training: drifted predictions update the drift asset, and prepare_data then updates the dataset asset."""

import json

import pytest

from tests.trained_checkout import SMALL_OVERRIDES, TrainedCheckout

pytestmark = pytest.mark.timeout(900)

RULES = {"window": {"items": 4}, "min_items": 2, "recent_windows": 2, "min_drifting_windows": 2, "max_psi": 0.25, "significance": 0.1}
AUTOMATIC = RULES | {"retrain": "automatic"}
PLANT = """
import hashlib
import numpy as np, pandas as pd
from realframe import artifacts
from realframe.store.user_documents import Prediction
from realframe.store.document_base import format_current_time
from realframe.store.repository import open_store
from realframe.models import frame_features
from realframe.settings import get_settings
from realframe.registry import evidence_bundle, model_registry
champion = model_registry.resolve_version("champion")
reference = pd.read_parquet(evidence_bundle.fetch(champion) / artifacts.TRAINING_REFERENCE.name)
moved = np.stack(reference["features"].to_list()).max(axis=0) + 1
with open_store(get_settings()) as store:
    for number in range(12):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        features = frame_features.encode_vector((moved + np.random.default_rng(number).normal(0, 0.01, moved.shape)).astype(np.float32))
        fields = {"file": "x.mp4", "kind": "video", "model": champion.version, "verdict": "uncertain", "probability": 1.0, "score": 1.0}
        fields |= {"prediction_id": f"{champion.version}-{sha256}", "sha256": sha256, "created": format_current_time()}
        store.upsert([Prediction(features=features, **fields)])
print(sorted(set(reference["split"])))
"""


@pytest.fixture(scope="module")
def drifted(trained_checkout: TrainedCheckout, tmp_path_factory: pytest.TempPathFactory) -> TrainedCheckout:
    copy = trained_checkout.copy(tmp_path_factory.mktemp("drifted") / "checkout")
    (copy.root / "mlflow" / "drift.yaml").write_text(json.dumps(AUTOMATIC))
    copy.run_module("realframe", "detect", str(trained_checkout.unseen))
    copy.run_module("realframe", "drift")
    planted = copy.root / "plant.py"
    planted.write_text(PLANT)
    assert copy.run_module("plant").strip().endswith("['train', 'val']")
    planted.unlink()
    return copy


def test_drifted_predictions_trigger_a_training(drifted: TrainedCheckout) -> None:
    drifted.run_module("realframe", "drift", status=1)
    drifted.run_module("realframe.services.headless_dags", "watch_drift")
    (event,) = drifted.asset_events("drift")
    assert event["version"] == 1 and event["windows"]
    assert drifted.asset_events("retraining") == [event]
    conf = json.dumps({"recipe": "scratch", "overrides": SMALL_OVERRIDES, "retrain": True})
    assert "prepare_data: success" in drifted.run_module("realframe.services.headless_dags", "prepare_data", "--conf", conf)
    assert drifted.asset_events("dataset") == [{"version": "dataset/v1"}]
