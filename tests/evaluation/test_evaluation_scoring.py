"""An item's score and features are those of the whole network and of the rule for items, alone or in company, per frame or per clip."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from realframe.config import Params, resolve
from realframe.data.batches import FrameReader
from realframe.evaluation.item_scores import Scorer, open_scorer, score_table
from realframe.models import detector_network
from realframe.models.aggregate import item_score
from tests.clip_items import SIZE, network, write_clips

COUNTS = [9, 2, 6, 3, 70]
LENGTH = 6
KINDS = ("gap", "lstm", "bilstm_attention")


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    return {kind: network(kind, LENGTH) for kind in KINDS}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return write_clips(tmp_path_factory.mktemp("clean"), COUNTS)


def run_of(root: Path, kind: str, **changed: object) -> Params:
    small = {"clean.size": SIZE, "train.batch_size": 8, "balance.kinds": ["video"], "train.phase2.unfreeze_last": 0}
    head = {"train.head.kind": kind, "train.head.length": LENGTH}
    return resolve(root / "params.yaml", root / "recipes", recipe="efficientnetb0", overrides=small | head | changed).params


def pictures_of(frames: pd.DataFrame) -> list[np.ndarray]:
    reader = FrameReader(frames, 1)
    return [reader.read(np.asarray(rows)) for rows in frames.groupby("media_id", sort=False).indices.values()]


def pooled(model: keras.Model, pictures: np.ndarray) -> np.ndarray:
    return np.asarray(keras.Model(model.input, model.get_layer(detector_network.POOLED).output)(pictures.astype(np.float32)))


@pytest.mark.parametrize("how", ["mean", "top_k"])
def test_frames_are_scored_as_the_whole_model_does_and_put_together_by_the_rule(
    root: Path, models: dict[str, keras.Model], frames: pd.DataFrame, how: str
) -> None:
    model, items = models["gap"], pictures_of(frames)
    for pictures, scored in zip(items, Scorer(model, run_of(root, "gap"), how).score_each(items), strict=True):
        expected = np.asarray(model(pictures.astype(np.float32)))[:, 0]
        assert scored.frames is not None
        np.testing.assert_allclose(scored.frames, expected, atol=1e-5)
        assert scored.score == item_score(scored.frames, how)
        assert len(scored.positions) == len(pictures)
        np.testing.assert_allclose(scored.features, pooled(model, pictures).mean(axis=0), atol=1e-3)
        assert scored.features.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_clip_is_scored_by_the_frames_that_its_head_looks_at(
    root: Path, models: dict[str, keras.Model], frames: pd.DataFrame, kind: str
) -> None:
    model, pictures = models[kind], pictures_of(frames)[0]
    scored = Scorer(model, run_of(root, kind), "mean").score(pictures)
    looked_at = pictures[[0, 2, 3, 5, 6, 8]]
    assert (len(scored.positions), scored.frames) == (LENGTH, None)
    assert scored.score == pytest.approx(float(np.asarray(model(looked_at.astype(np.float32)))[0, 0]), abs=1e-5)
    np.testing.assert_allclose(scored.features, pooled(model, looked_at).mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("kind", ["gap", "lstm"])
def test_company_changes_nothing(root: Path, models: dict[str, keras.Model], frames: pd.DataFrame, kind: str) -> None:
    scorer, items = Scorer(models[kind], run_of(root, kind), "mean"), pictures_of(frames)
    table = dict(score_table(scorer, frames, 2))
    assert list(table) == list(frames["media_id"].unique())
    for pictures, scored in zip(items, table.values(), strict=True):
        alone = scorer.score(pictures)
        assert scored.score == pytest.approx(alone.score, abs=1e-6)
        np.testing.assert_allclose(scored.features, alone.features, rtol=1e-4, atol=1e-4)


def test_a_rule_that_is_to_be_chosen_is_the_best_on_validation(root: Path, tmp_path: Path) -> None:
    """A detector that sees nothing but brightness, so that the rules rank these clips differently."""
    frames_in = keras.Input((SIZE, SIZE, 3))
    mean = keras.layers.GlobalAveragePooling2D(name=detector_network.POOLED)(keras.layers.Rescaling(1 / 255)(frames_in))
    model = keras.Model(frames_in, keras.layers.Dense(1, "sigmoid", kernel_initializer="ones", bias_initializer="zeros")(mean))
    val = write_clips(tmp_path, [20, 6, 9, 30, 6, 12, 7, 15])
    any_rule = Scorer(model, run_of(root, "gap"), "mean")
    scored = {media_id: item.frames for media_id, item in score_table(any_rule, val, 1)}
    top = {media_id: item_score(frames, "top_k") for media_id, frames in scored.items() if frames is not None}
    fake = sorted(top, key=lambda media_id: top[media_id])[4:]
    val["label"] = val["media_id"].isin(fake).astype(int)  # so that this rule tells them apart, and the mean does not
    assert max(any_rule.score(pictures).score for pictures in pictures_of(val[val["label"] == 0].reset_index(drop=True))) > min(
        any_rule.score(pictures).score for pictures in pictures_of(val[val["label"] == 1].reset_index(drop=True))
    )
    pictures = pictures_of(val)[0]
    for asked, expected in (("auto", "top_k"), ("median", "median")):
        found = open_scorer(model, run_of(root, "gap", **{"evaluate.aggregate": asked}), val, 1).score(pictures)
        assert found.frames is not None
        assert found.score == item_score(found.frames, expected)
        assert found.score != found.frames.mean()
