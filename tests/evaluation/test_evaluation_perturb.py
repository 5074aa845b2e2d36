"""Each degradation does to pixels what its name and its level say, and to nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFilter

from realframe.evaluation.degradations import NONE, OF_PICTURES, OF_VIDEOS, Perturbation, perturbed

MODES = ("RGB", "L", "CMYK")


def photo(mode: str = "RGB", size: tuple[int, int] = (96, 64), seed: int = 0) -> Image.Image:
    """Smooth shapes with some grain."""
    random = np.random.default_rng(seed)
    waves = np.sin(np.linspace(0, 9, size[0]))[None, :] * np.cos(np.linspace(0, 7, size[1]))[:, None]
    pixels = 120 + 70 * waves[..., None] * [1, 0.8, 0.5] + random.normal(0, 6, (size[1], size[0], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)


def made(picture: Image.Image, name: str, level: float, seed: int = 0) -> Image.Image:
    return perturbed(picture, Perturbation(name, level), np.random.default_rng(seed))


def error(one: Image.Image, other: Image.Image) -> float:
    return float(np.sqrt(np.mean((np.asarray(one, np.float64) - np.asarray(other, np.float64)) ** 2)))


def detail(picture: Image.Image) -> float:
    return float(
        np.asarray(picture.convert("L").filter(ImageFilter.Kernel((3, 3), [0, 1, 0, 1, -4, 1, 0, 1, 0], 1, 128)), np.float64).var()
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", OF_PICTURES, ids=str)
def test_mode_and_colour_profile_stay_and_the_original_is_left_alone(how: Perturbation, mode: str) -> None:
    picture = photo(mode)
    picture.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    before = picture.tobytes()
    result = perturbed(picture, how, np.random.default_rng(0))
    assert (result.mode, result.info["icc_profile"]) == (mode, picture.info["icc_profile"])
    assert picture.tobytes() == before
    assert (result.tobytes() == before) == (how == NONE)


@pytest.mark.parametrize(
    ("name", "levels"), [("jpeg", (90, 70, 50, 30)), ("blur", (1, 2, 3)), ("downscale", (0.5, 0.25)), ("noise", (5, 10, 20))]
)
def test_a_stronger_one_does_more_harm(name: str, levels: tuple[float, ...]) -> None:
    picture = photo()
    harm = [error(made(picture, name, level), picture) for level in levels]
    assert harm == sorted(harm)
    assert len(set(harm)) == len(levels)
    assert [how.level for how in OF_PICTURES if how.name == name] == list(levels)  # they are listed from weak to strong


@pytest.mark.parametrize(("name", "level"), [("blur", 1), ("downscale", 0.5), ("jpeg", 30)])
def test_blur_scaling_and_compression_take_detail_away(name: str, level: float) -> None:
    picture = photo()
    assert detail(made(picture, name, level)) < 0.8 * detail(picture)


@pytest.mark.parametrize("share", [0.75, 0.5])
def test_a_crop_is_the_middle_of_the_picture_unscaled(share: float) -> None:
    picture = photo(size=(96, 64))
    pixels, cropped = np.asarray(picture), np.asarray(made(picture, "crop", share))
    height, width = round(64 * share), round(96 * share)
    top, left = (64 - height) // 2, (96 - width) // 2
    assert np.array_equal(cropped, pixels[top : top + height, left : left + width])


def test_scaling_gives_the_size_back() -> None:
    assert made(photo(size=(97, 63)), "downscale", 0.25).size == (97, 63)


@given(sigma=st.sampled_from([5, 10, 20]), seed=st.integers(0, 2**32))
def test_noise_has_the_spread_that_is_asked_for_and_comes_from_the_seed(sigma: int, seed: int) -> None:
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    noise = np.asarray(made(grey, "noise", sigma, seed), np.float64) - 128
    assert noise.std() == pytest.approx(sigma, rel=0.05)
    assert abs(noise.mean()) < sigma / 20
    assert np.array_equal(made(grey, "noise", sigma, seed), made(grey, "noise", sigma, seed))
    assert not np.array_equal(made(grey, "noise", sigma, seed), made(grey, "noise", sigma, seed + 1))


@given(width=st.integers(1, 9), height=st.integers(1, 9))
def test_tiny_pictures_are_taken_too(width: int, height: int) -> None:
    for how in OF_PICTURES:
        assert min(perturbed(photo(size=(width, height)), how, np.random.default_rng(0)).size) >= 1


def test_what_is_measured_is_what_is_promised() -> None:
    assert [how.level for how in OF_VIDEOS] == [28, 35]
    assert {how.name for how in OF_VIDEOS} == {"h264"}
    assert [how.level for how in OF_PICTURES if how.name == "crop"] == [0.75, 0.5]
