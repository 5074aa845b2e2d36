"""Item scores and features match the network and the aggregate, single or in a batch, per frame or per clip."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from realframe.config import Params, resolve_params
from realframe.data.batches import FrameReader
from realframe.evaluation.item_scores import ItemScorer, create_scorer, iter_item_scores
from realframe.models import detector_network
from realframe.models.aggregate import aggregate_scores
from tests.clip_items import SIZE, build_detector, write_clips

COUNTS = [9, 2, 6, 3, 70]
LENGTH = 6
KINDS = ("gap", "lstm", "bilstm_attention")


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    return {kind: build_detector(kind, LENGTH) for kind in KINDS}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return write_clips(tmp_path_factory.mktemp("clean"), COUNTS)


def make_params(root: Path, kind: str, **changed: object) -> Params:
    small = {"clean.size": SIZE, "train.batch_size": 8, "balance.kinds": ["video"], "train.phase2.unfreeze_last": 0}
    head = {"train.head.kind": kind, "train.head.length": LENGTH}
    return resolve_params(root / "params.yaml", root / "recipes", recipe="efficientnetb0", overrides=small | head | changed).params


def read_items(frames: pd.DataFrame) -> list[np.ndarray]:
    reader = FrameReader(frames, 1)
    return [reader.read(np.asarray(rows)) for rows in frames.groupby("media_id", sort=False).indices.values()]


def pooled_features(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    return np.asarray(keras.Model(model.input, model.get_layer(detector_network.POOLED).output)(pixels.astype(np.float32)))


@pytest.mark.parametrize("aggregate", ["mean", "top_k"])
def test_frame_scores_match_the_model_and_are_aggregated(
    root: Path, models: dict[str, keras.Model], frames: pd.DataFrame, aggregate: str
) -> None:
    model, items = models["gap"], read_items(frames)
    for pixels, scored in zip(items, ItemScorer(model, make_params(root, "gap"), aggregate).score_many(items), strict=True):
        expected = np.asarray(model(pixels.astype(np.float32)))[:, 0]
        assert scored.frame_scores is not None
        np.testing.assert_allclose(scored.frame_scores, expected, atol=1e-5)
        assert scored.score == aggregate_scores(scored.frame_scores, aggregate)
        assert len(scored.positions) == len(pixels)
        np.testing.assert_allclose(scored.features, pooled_features(model, pixels).mean(axis=0), atol=1e-3)
        assert scored.features.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_clip_is_scored_by_the_selected_frames(root: Path, models: dict[str, keras.Model], frames: pd.DataFrame, kind: str) -> None:
    model, pixels = models[kind], read_items(frames)[0]
    scored = ItemScorer(model, make_params(root, kind), "mean").score(pixels)
    selected = pixels[[0, 2, 3, 5, 6, 8]]
    assert (len(scored.positions), scored.frame_scores) == (LENGTH, None)
    assert scored.score == pytest.approx(float(np.asarray(model(selected.astype(np.float32)))[0, 0]), abs=1e-5)
    np.testing.assert_allclose(scored.features, pooled_features(model, selected).mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("kind", ["gap", "lstm"])
def test_scores_do_not_depend_on_the_batch(root: Path, models: dict[str, keras.Model], frames: pd.DataFrame, kind: str) -> None:
    scorer, items = ItemScorer(models[kind], make_params(root, kind), "mean"), read_items(frames)
    table = dict(iter_item_scores(scorer, frames, 2))
    assert list(table) == list(frames["media_id"].unique())
    for pixels, scored in zip(items, table.values(), strict=True):
        single = scorer.score(pixels)
        assert scored.score == pytest.approx(single.score, abs=1e-6)
        np.testing.assert_allclose(scored.features, single.features, rtol=1e-4, atol=1e-4)


def test_auto_chooses_the_best_aggregate_on_validation(root: Path, tmp_path: Path) -> None:
    """The detector measures brightness only, so the aggregates rank these clips differently."""
    frames_in = keras.Input((SIZE, SIZE, 3))
    mean = keras.layers.GlobalAveragePooling2D(name=detector_network.POOLED)(keras.layers.Rescaling(1 / 255)(frames_in))
    model = keras.Model(frames_in, keras.layers.Dense(1, "sigmoid", kernel_initializer="ones", bias_initializer="zeros")(mean))
    val = write_clips(tmp_path, [20, 6, 9, 30, 6, 12, 7, 15])
    mean_scorer = ItemScorer(model, make_params(root, "gap"), "mean")
    scored = {media_id: item.frame_scores for media_id, item in iter_item_scores(mean_scorer, val, 1)}
    top = {media_id: aggregate_scores(frames, "top_k") for media_id, frames in scored.items() if frames is not None}
    fake = sorted(top, key=lambda media_id: top[media_id])[4:]
    val["label"] = val["media_id"].isin(fake).astype(int)  # top_k separates these classes, the mean does not
    assert max(mean_scorer.score(pixels).score for pixels in read_items(val[val["label"] == 0].reset_index(drop=True))) > min(
        mean_scorer.score(pixels).score for pixels in read_items(val[val["label"] == 1].reset_index(drop=True))
    )
    pixels = read_items(val)[0]
    for setting, expected in (("auto", "top_k"), ("median", "median")):
        found = create_scorer(model, make_params(root, "gap", **{"evaluate.aggregate": setting}), val, 1).score(pixels)
        assert found.frame_scores is not None
        assert found.score == aggregate_scores(found.frame_scores, expected)
        assert found.score != found.frame_scores.mean()
