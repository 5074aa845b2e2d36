"""Each perturbation changes the pixels as its name and level say, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFilter

from realframe.evaluation.perturbations import IMAGE_PERTURBATIONS, UNCHANGED, VIDEO_PERTURBATIONS, Perturbation, perturb_image

MODES = ("RGB", "L", "CMYK")


def make_photo(mode: str = "RGB", size: tuple[int, int] = (96, 64), seed: int = 0) -> Image.Image:
    """Smooth shapes with some grain."""
    random = np.random.default_rng(seed)
    waves = np.sin(np.linspace(0, 9, size[0]))[None, :] * np.cos(np.linspace(0, 7, size[1]))[:, None]
    pixels = 120 + 70 * waves[..., None] * [1, 0.8, 0.5] + random.normal(0, 6, (size[1], size[0], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)


def perturb(picture: Image.Image, name: str, level: float, seed: int = 0) -> Image.Image:
    return perturb_image(picture, Perturbation(name, level), np.random.default_rng(seed))


def rms_error(one: Image.Image, other: Image.Image) -> float:
    return float(np.sqrt(np.mean((np.asarray(one, np.float64) - np.asarray(other, np.float64)) ** 2)))


def measure_detail(picture: Image.Image) -> float:
    return float(
        np.asarray(picture.convert("L").filter(ImageFilter.Kernel((3, 3), [0, 1, 0, 1, -4, 1, 0, 1, 0], 1, 128)), np.float64).var()
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("perturbation", IMAGE_PERTURBATIONS, ids=str)
def test_mode_and_color_profile_are_kept_and_the_original_is_unchanged(perturbation: Perturbation, mode: str) -> None:
    picture = make_photo(mode)
    picture.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    before = picture.tobytes()
    result = perturb_image(picture, perturbation, np.random.default_rng(0))
    assert (result.mode, result.info["icc_profile"]) == (mode, picture.info["icc_profile"])
    assert picture.tobytes() == before
    assert (result.tobytes() == before) == (perturbation == UNCHANGED)


@pytest.mark.parametrize(
    ("name", "levels"), [("jpeg", (90, 70, 50, 30)), ("blur", (1, 2, 3)), ("downscale", (0.5, 0.25)), ("noise", (5, 10, 20))]
)
def test_a_stronger_level_changes_more(name: str, levels: tuple[float, ...]) -> None:
    picture = make_photo()
    errors = [rms_error(perturb(picture, name, level), picture) for level in levels]
    assert errors == sorted(errors)
    assert len(set(errors)) == len(levels)
    listed = [perturbation.level for perturbation in IMAGE_PERTURBATIONS if perturbation.name == name]
    assert listed == list(levels)  # from weak to strong


@pytest.mark.parametrize(("name", "level"), [("blur", 1), ("downscale", 0.5), ("jpeg", 30)])
def test_blur_scaling_and_compression_remove_detail(name: str, level: float) -> None:
    picture = make_photo()
    assert measure_detail(perturb(picture, name, level)) < 0.8 * measure_detail(picture)


@pytest.mark.parametrize("share", [0.75, 0.5])
def test_a_crop_is_the_unscaled_center(share: float) -> None:
    picture = make_photo(size=(96, 64))
    pixels, cropped = np.asarray(picture), np.asarray(perturb(picture, "crop", share))
    height, width = round(64 * share), round(96 * share)
    top, left = (64 - height) // 2, (96 - width) // 2
    assert np.array_equal(cropped, pixels[top : top + height, left : left + width])


def test_scaling_restores_the_size() -> None:
    assert perturb(make_photo(size=(97, 63)), "downscale", 0.25).size == (97, 63)


@given(sigma=st.sampled_from([5, 10, 20]), seed=st.integers(0, 2**32))
def test_noise_has_the_requested_sigma_and_depends_on_the_seed(sigma: int, seed: int) -> None:
    gray = Image.new("RGB", (64, 64), (128, 128, 128))
    noise = np.asarray(perturb(gray, "noise", sigma, seed), np.float64) - 128
    assert noise.std() == pytest.approx(sigma, rel=0.05)
    assert abs(noise.mean()) < sigma / 20
    assert np.array_equal(perturb(gray, "noise", sigma, seed), perturb(gray, "noise", sigma, seed))
    assert not np.array_equal(perturb(gray, "noise", sigma, seed), perturb(gray, "noise", sigma, seed + 1))


@given(width=st.integers(1, 9), height=st.integers(1, 9))
def test_tiny_images_are_accepted(width: int, height: int) -> None:
    for perturbation in IMAGE_PERTURBATIONS:
        assert min(perturb_image(make_photo(size=(width, height)), perturbation, np.random.default_rng(0)).size) >= 1


def test_list_of_perturbations() -> None:
    assert [perturbation.level for perturbation in VIDEO_PERTURBATIONS] == [28, 35]
    assert {perturbation.name for perturbation in VIDEO_PERTURBATIONS} == {"h264"}
    assert [perturbation.level for perturbation in IMAGE_PERTURBATIONS if perturbation.name == "crop"] == [0.75, 0.5]
