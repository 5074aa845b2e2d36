"""Augmentation: what a view changes, by how much, and that it depends on its frame alone."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from realframe.config import AugmentParams
from realframe.models.augment import augment_frames

NOTHING = AugmentParams(flip=False, rotation=0, zoom=0, brightness=0, contrast=0)
ALL = AugmentParams(flip=True, rotation=0.05, zoom=0.2, brightness=0.2, contrast=0.2)
shares = st.floats(0, 0.5, allow_subnormal=False)


def make_keys(count: int) -> pd.DataFrame:
    return pd.DataFrame({"media_id": [f"{number:064x}" for number in range(1, count + 1)], "index": range(count)})


def make_noise(count: int, low: int = 0, high: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(low, high, (count, 16, 16, 3), np.uint8)


def augment_only(**change: object) -> AugmentParams:
    return AugmentParams.model_validate({**NOTHING.model_dump(), **change})


def test_view_0_is_the_unchanged_frame() -> None:
    frames = make_noise(3)

    assert np.array_equal(augment_frames(frames, make_keys(3), np.zeros(3, int), ALL, 1), frames.astype(np.float32))


def test_a_view_does_not_depend_on_the_batch() -> None:
    frames, rows = make_noise(4), make_keys(4)
    together = augment_frames(frames, rows, np.array([1, 2, 1, 3]), ALL, 1)

    single = augment_frames(frames[1:2], rows[1:2], np.array([2]), ALL, 1)

    np.testing.assert_allclose(together[1:2], single, atol=1e-3)


def test_views_of_other_frames_and_seeds_differ() -> None:
    frames = np.repeat(make_noise(1), 3, axis=0)
    rows = pd.DataFrame({"media_id": ["a" * 64, "a" * 64, "b" * 64], "index": [0, 0, 0]})

    first, second, other = augment_frames(frames, rows, np.array([1, 2, 1]), ALL, 1)
    reseeded = augment_frames(frames[:1], rows[:1], np.array([1]), ALL, 2)[0]

    assert not np.allclose(first, second)
    assert not np.allclose(first, other)
    assert not np.allclose(first, reseeded)


def test_flips_are_exact_mirrors_of_about_half_the_views() -> None:
    frame = make_noise(1)
    views = augment_frames(np.repeat(frame, 40, axis=0), make_keys(40), np.ones(40, int), augment_only(flip=True), 1)

    mirrored = [np.allclose(view, frame[0][:, ::-1], atol=1e-2) for view in views]
    same = [np.allclose(view, frame[0], atol=1e-2) for view in views]
    assert sum(mirrored) + sum(same) == 40
    assert 8 < sum(mirrored) < 32


def test_brightness_shifts_all_pixels_equally_within_its_range() -> None:
    frames = make_noise(20, 100, 150)
    shifts = augment_frames(frames, make_keys(20), np.ones(20, int), augment_only(brightness=0.1), 1) - frames

    assert np.ptp(shifts, axis=(1, 2, 3)).max() < 1e-3
    assert 5 < np.abs(shifts).max() <= 25.5


def test_contrast_scales_about_the_mean_within_its_range() -> None:
    frames = make_noise(20, 100, 150)
    changed = augment_frames(frames, make_keys(20), np.ones(20, int), augment_only(contrast=0.2), 1)

    gains = changed.std(axis=(1, 2)) / frames.std(axis=(1, 2))
    np.testing.assert_allclose(changed.mean(axis=(1, 2)), frames.mean(axis=(1, 2)), atol=0.01)
    assert gains.min() >= 0.799
    assert gains.max() <= 1.201
    assert np.ptp(gains) > 0.1


def test_rotation_and_zoom_keep_the_center() -> None:
    frame = np.zeros((1, 17, 17, 3), np.uint8)
    frame[0, 8, 8] = 255

    for change in (augment_only(rotation=0.1), augment_only(zoom=0.3)):
        changed = augment_frames(np.repeat(frame, 10, axis=0), make_keys(10), np.ones(10, int), change, 1)
        assert (changed[:, 8, 8] > 200).all()


def test_a_rotated_frame_has_no_black_corners() -> None:
    flat = np.full((20, 24, 24, 3), 200, np.uint8)

    rotated = augment_frames(flat, make_keys(20), np.ones(20, int), augment_only(rotation=0.5, zoom=0.5), 1)

    np.testing.assert_allclose(rotated, 200, atol=1)


def test_rotation_rotates() -> None:
    frame = np.zeros((1, 33, 33, 3), np.uint8)
    frame[0, 16, 17:] = 255  # a ray to the right
    changed = augment_frames(np.repeat(frame, 20, axis=0), make_keys(20), np.ones(20, int), augment_only(rotation=0.25), 1)

    ends = [np.argwhere(view[..., 0] > 60) for view in changed]
    heights = [np.abs(places[:, 0] - 16).max() for places in ends]
    assert max(heights) > 8
    assert heights.count(0) >= 5  # half of the views are not resampled


@settings(max_examples=25, deadline=None)
@given(rotation=shares, zoom=shares, brightness=shares, contrast=shares, flip=st.booleans(), seed=st.integers(0, 2**31))
def test_pixels_stay_in_range(rotation: float, zoom: float, brightness: float, contrast: float, flip: bool, seed: int) -> None:
    params = AugmentParams(flip=flip, rotation=rotation, zoom=zoom, brightness=brightness, contrast=contrast)
    changed = augment_frames(make_noise(2), make_keys(2), np.array([1, 0]), params, seed)

    assert changed.dtype == np.float32
    assert changed.shape == (2, 16, 16, 3)
    assert changed.min() >= 0
    assert changed.max() <= 255
