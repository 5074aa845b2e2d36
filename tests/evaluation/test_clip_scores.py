"""Clip scores match the whole model for any batch size; the peak position is the frame with the highest attention."""

import keras
import numpy as np
import pandas as pd
import pytest

from realframe.data.batches import FrameReader
from realframe.evaluation import network_scores
from realframe.evaluation.network_scores import ClipScore, ClipScorer
from realframe.media.frame_sampling import sample_evenly
from tests.clip_items import SIZE, build_detector, write_clips

KINDS = ("lstm", "bilstm_attention", "transformer")
LENGTH = 6
FEATURES = np.zeros(2, np.float32)
COUNTS = [9, 2, 6, 3]  # frames of the clips: longer than LENGTH, as long, and shorter


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    return {kind: build_detector(kind, LENGTH) for kind in KINDS}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return write_clips(tmp_path_factory.mktemp("clean"), COUNTS)


def read_pixels(frames: pd.DataFrame, media_id: str) -> np.ndarray:
    return FrameReader(frames, 1).read(np.flatnonzero(frames["media_id"] == media_id))


@pytest.mark.parametrize("batch_size", [2, 32])
@pytest.mark.parametrize("kind", KINDS)
def test_clip_scores_match_the_whole_model(kind: str, batch_size: int, models: dict[str, keras.Model], frames: pd.DataFrame) -> None:
    scored = network_scores.score_clips(ClipScorer(models[kind], LENGTH, batch_size), frames, workers=1)

    assert list(scored) == list(frames["media_id"].unique())
    whole = {}
    for count, media_id in zip(COUNTS, scored, strict=True):
        selected = read_pixels(frames, media_id)[sample_evenly(range(count), LENGTH)]
        output = np.asarray(models[kind](selected.astype(np.float32), training=False))
        assert output.shape == (1, 1)
        whole[media_id] = float(output[0, 0])
        assert scored[media_id].positions.tolist() == sample_evenly(range(count), LENGTH)
        assert 0 <= scored[media_id].score <= 1
    assert {name: score.score for name, score in scored.items()} == pytest.approx(whole, abs=1e-5)
    assert np.ptp(list(whole.values())) > 1e-3


def test_a_long_clip_is_sampled_evenly_from_first_to_last_frame(models: dict[str, keras.Model]) -> None:
    scorer = ClipScorer(models["lstm"], LENGTH, 8)
    assert scorer.select_positions(4).tolist() == [0, 1, 2, 3]
    assert scorer.select_positions(11).tolist() == [0, 2, 4, 6, 8, 10]


def test_attention_matches_the_model_and_gives_the_peak_position(models: dict[str, keras.Model], frames: pd.DataFrame) -> None:
    model = models["bilstm_attention"]
    scored = network_scores.score_clips(ClipScorer(model, LENGTH, 4), frames, workers=1)

    pooled = keras.Model(model.input, model.get_layer("pooled_features").output)
    head = model.get_layer("clip_head")
    attention = keras.Model(head.input, head.get_layer("attention").output)
    for media_id, clip in scored.items():
        features = np.asarray(pooled(read_pixels(frames, media_id)[clip.positions].astype(np.float32), training=False))
        expected = np.asarray(attention(features[None]))[0]
        assert clip.attention is not None
        np.testing.assert_allclose(clip.attention, expected, atol=1e-5)
        assert clip.attention.sum() == pytest.approx(1, abs=1e-5)
        assert clip.peak_position == clip.positions[expected.argmax()]


def test_without_attention_the_peak_is_the_middle_frame(models: dict[str, keras.Model], frames: pd.DataFrame) -> None:
    scored = network_scores.score_clips(ClipScorer(models["lstm"], LENGTH, 4), frames, workers=1)
    assert all(clip.attention is None for clip in scored.values())
    assert [clip.peak_position for clip in scored.values()] == [5, 1, 3, 1]  # positions 0 2 3 5 6 8, 0 1, 0 to 5, 0 1 2


def test_peak_position_refers_to_all_frames_of_the_clip() -> None:
    positions, shares = np.array([0, 4, 8]), np.float32([0.2, 0.5, 0.3])
    assert ClipScore(0.5, positions, shares, FEATURES).peak_position == 4
    assert ClipScore(0.5, positions, None, FEATURES).peak_position == 4
    assert ClipScore(0.5, np.array([0]), np.float32([1]), FEATURES).peak_position == 0


def test_a_single_frame_is_a_clip(models: dict[str, keras.Model]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    for kind in KINDS:
        scorer = ClipScorer(models[kind], LENGTH, 4)
        scored = scorer.score(frame, scorer.select_positions(1))
        assert scored.peak_position == 0
        assert 0 <= scored.score <= 1
        if scored.attention is not None:
            np.testing.assert_allclose(scored.attention, [1], atol=1e-5)


def test_clip_rows_hold_the_peak_frame_and_the_mean_baseline_score() -> None:
    frames = pd.DataFrame({"media_id": list("bbbaacc"), "index": [0, 2, 7, 3, 4, 0, 9], "shard": "x"})
    baseline = np.array([0.1, 0.2, 0.6, 0.5, 0.7, 0.0, 1.0])
    scores = {
        "a": ClipScore(0.9, np.array([0, 1]), np.float32([0.8, 0.2]), FEATURES),
        "b": ClipScore(0.2, np.array([0, 2]), np.float32([0.1, 0.9]), FEATURES),
        "c": ClipScore(0.4, np.array([0, 1]), None, FEATURES),
    }
    rows = network_scores.build_clip_rows(scores, frames, baseline).set_index("media_id")

    assert sorted(rows.index) == ["a", "b", "c"]
    assert rows["index"].to_dict() == {"a": 3, "b": 7, "c": 9}
    assert rows["score"].to_dict() == {"a": 0.9, "b": 0.2, "c": 0.4}
    assert rows["baseline_score"].to_dict() == pytest.approx({"a": 0.6, "b": 0.3, "c": 0.5})
