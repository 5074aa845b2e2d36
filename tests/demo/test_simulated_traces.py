"""The simulated cameras and generators leave the traces of the models that they cite, and a simple feature finds them."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from realframe.demo.scene_layers import HEIGHT, WIDTH
from realframe.demo.scenes import make_scene
from realframe.demo.simulated_camera import CAMERAS, Camera
from realframe.demo.simulated_generator import GENERATORS, Generator

cameras = pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
generators = pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.name)


def flat(level: float) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), level, np.float32)


def linear_green(camera: Camera, level: float, seed: int) -> np.ndarray:
    """A developed shot of a flat gray, undone to linear light, where the mosaic is green (there no demosaicing mixes pixels)."""
    plain = replace(camera, sharpen=0.0)
    shot = plain.shoot(flat(level), 1.0, np.random.default_rng(seed))
    rows, columns = np.indices((HEIGHT, WIDTH)) % 2
    return (shot[..., 1].astype(np.float64) ** 2.2)[(rows == camera.red[0]) != (columns == camera.red[1])]


@cameras
def test_the_noise_grows_with_the_light_as_photons_do(camera: Camera) -> None:
    for level in (0.1, 0.5):
        once, twice = linear_green(camera, level, 1), linear_green(camera, level, 2)
        assert np.var(once - twice) / 2 == pytest.approx(camera.shot_noise * level + camera.read_noise, rel=0.06)


@cameras
def test_each_sensor_has_its_own_fixed_pattern(camera: Camera) -> None:
    def pattern(of: Camera, seeds: range) -> np.ndarray:
        return np.mean([of.shoot(flat(0.6), 1.0, np.random.default_rng(seed))[..., 1] for seed in seeds], axis=0).ravel()

    first, second = pattern(camera, range(8)), pattern(camera, range(8, 16))
    other = pattern(replace(camera, sensor_seed=camera.sensor_seed + 1), range(16, 24))
    assert np.corrcoef(first, second)[0, 1] > 0.5
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.1


@cameras
@given(across=st.floats(-0.001, 0.001), down=st.floats(-0.001, 0.001))
@settings(max_examples=10, deadline=None)
def test_undoing_the_mosaic_keeps_a_ramp_of_one_colour(camera: Camera, across: float, down: float) -> None:
    y, x = np.indices((HEIGHT, WIDTH), dtype=np.float32)
    ramp = (0.5 + across * (x - WIDTH / 2) + down * (y - HEIGHT / 2))[..., None] * np.array((0.9, 0.7, 0.5), np.float32)
    ideal = replace(camera, pattern_std=0.0, sharpen=0.0, white_balance=(1.0, 1.0))
    shot = ideal.shoot(ramp, 0.0, np.random.default_rng(0))
    assert np.abs(shot - ideal.ideal_picture(ramp))[4:-4, 4:-4].max() < 1e-3


@generators
def test_a_generator_leaves_its_grid_where_a_camera_leaves_none(generator: Generator) -> None:
    decoder = generator.decoder(np.random.default_rng(0))
    shots = [CAMERAS[0].shoot(flat(0.5**2.2), 1.0, np.random.default_rng(seed)) for seed in range(8)]
    assert grid(shots) < 1.03
    assert grid([decoder.decode(flat(0.5)) for _ in range(8)]) > 1.1


def grid(pictures: list[np.ndarray]) -> float:
    """How much more neighbors differ at one position within a cell of 2 columns than at the other: 1 where there is no grid."""
    steps = np.mean([np.abs(np.diff(picture[..., 1], axis=1)).mean(axis=0) for picture in pictures], axis=0)[8:-9]
    positions = [steps[0::2].mean(), steps[1::2].mean()]
    return float(max(positions) / min(positions))


@generators
def test_a_generator_keeps_the_picture_and_remembers_its_texture(generator: Generator) -> None:
    light = make_scene(np.random.default_rng(3), 4).frame(1)
    picture = CAMERAS[0].ideal_picture(CAMERAS[0].focus(light))
    decoder = generator.decoder(np.random.default_rng(0))
    first, second = decoder.decode(picture), decoder.decode(picture)
    others = [generator.decoder(np.random.default_rng(seed)).decode(picture) for seed in range(1, 9)]
    assert 0.001 < np.abs(first - picture).mean() < 0.03
    always = np.mean(others, axis=0)  # what the decoder does to this picture whatever it invents
    assert np.corrcoef((first - always).ravel(), (second - always).ravel())[0, 1] > generator.temporal_correlation / 2
    assert np.corrcoef((first - always).ravel(), (others[0] - always).ravel())[0, 1] < 0.15


def bare(kernel: tuple[float, ...]) -> Generator:
    """A decoder that only upsamples."""
    stride = len(kernel) // 2
    return replace(GENERATORS[0], strides=(stride,), kernel=kernel, gain_std=0.0, detail_threshold=1.0, texture_std=0.0, flicker_std=0.0)


@pytest.mark.parametrize("kernel", [(0.25, 0.75, 0.75, 0.25), (0.125, 0.375, 0.625, 0.875, 0.875, 0.625, 0.375, 0.125)])
def test_even_taps_upsample_a_ramp_without_artifacts(kernel: tuple[float, ...]) -> None:
    x = np.arange(WIDTH, dtype=np.float32)[None, :, None]
    ramp = np.broadcast_to(0.2 + 0.6 * x / WIDTH, (HEIGHT, WIDTH, 3)).copy()
    assert np.abs(bare(kernel).decoder(np.random.default_rng(0)).decode(ramp) - ramp)[:, 8:-8].max() < 1e-4


def test_uneven_taps_leave_the_checkerboard_that_their_sums_predict() -> None:
    made = bare((0.3, 0.7, 0.8, 0.2)).decoder(np.random.default_rng(0)).decode(flat(0.5))
    sums = np.array((0.7 + 0.2, 0.3 + 0.8))  # the taps that reach each position within a cell: Odena et al. 2016
    assert np.allclose(made[100:102, 100:102, 0], 0.5 * np.outer(sums, sums))


@given(seed=st.integers(0, 2**32), time=st.floats(0, 4))
@settings(max_examples=15, deadline=None)
def test_every_scene_fills_the_view_with_light(seed: int, time: float) -> None:
    frame = make_scene(np.random.default_rng(seed), 4).frame(time)
    assert frame.shape == (HEIGHT, WIDTH, 3)
    assert frame.dtype == np.float32
    assert np.isfinite(frame).all()
    assert frame.min() >= -1e-6
    assert 0.08 < np.clip(frame, 0, 1).mean() < 0.5
    assert (frame.max(axis=2) > 0).mean() > 0.999  # no hole where a layer ends
    assert frame.std() > 0.01


def test_scenes_move() -> None:
    scene = make_scene(np.random.default_rng(5), 4)
    assert np.abs(scene.frame(0) - scene.frame(1)).mean() > 0.01


def spectral_features(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L"), np.float64)[:, 32:288]
    window = np.hanning(256)[:, None] * np.hanning(256)
    power = np.log(np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2 + 1)
    ring = (np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None, :]) * 32).astype(int)
    radial = [power[ring == number].mean() for number in range(23)]
    lines = [power[row, column] - radial[ring[row, column]] for row in (0, 64, 128) for column in (0, 64, 128) if row + column]
    return np.array(radial + lines)


def test_a_simple_feature_separates_the_classes_on_unseen_scenes(folder: Path) -> None:
    with (folder / "media.csv").open(newline="") as stream:
        images = [row for row in csv.DictReader(stream) if row["file_path"].endswith(".jpg")]
    features = np.array([spectral_features(folder / row["file_path"]) for row in images])
    fake = np.array([row["label"] == "fake" for row in images])
    groups = [row["group"] for row in images]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    score = cross_val_predict(model, features, fake, groups=groups, cv=GroupKFold(5), method="predict_proba")[:, 1]
    assert roc_auc_score(fake, score) > 0.75
