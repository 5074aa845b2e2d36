"""The cache of activations: computed once, correct, and never confused with those of other facts."""

import gc
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from realframe.config import AugmentParams
from realframe.data.batches import FrameReader
from realframe.errors import SetupError
from realframe.models import detector_network, freezing
from realframe.models.activations import ActivationCache
from realframe.settings import Settings
from tests.head_params import make_head_params

AUGMENT = AugmentParams(flip=True, rotation=0.05, zoom=0.1, brightness=0.1, contrast=0.1)
LAYERS = ["block3_relu", freezing.POOLED]


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return detector_network.create_detector("residual_cnn", "random", 64, make_head_params(dropout=0.2, standardize=True), 0, Settings())[0]


@pytest.fixture
def open_cache(network: keras.Model, tmp_path: Path) -> Callable[..., ActivationCache]:
    def make(
        model: keras.Model = network,
        layers: list[str] = LAYERS,
        augment: AugmentParams = AUGMENT,
        seed: int = 1,
        limit_bytes: int = 10**9,
    ) -> ActivationCache:
        return ActivationCache(model, layers, tmp_path / "cache", limit_bytes, augment, seed, workers=2)

    return make


def test_cached_activations_are_those_of_the_layers(
    open_cache: Callable[..., ActivationCache], make_table: Callable[..., pd.DataFrame], network: keras.Model
) -> None:
    table, cache = make_table(3, 1, 70), open_cache()
    cache.fill(table, views=1)
    rows = np.array([73, 0, 3, 40])

    for layer in LAYERS:
        bottom, _ = freezing.split_network(network, network.get_layer(layer))
        expected = bottom.predict(FrameReader(table, 1).read(rows).astype(np.float32), verbose=0)
        cached = cache.gather(layer, table, rows, np.zeros(4, int))
        assert cached.dtype == np.float32
        assert np.ptp(expected) > 0
        np.testing.assert_allclose(cached, expected, rtol=2e-3, atol=1e-3)


def test_views_differ_from_each_other(open_cache: Callable[..., ActivationCache], make_table: Callable[..., pd.DataFrame]) -> None:
    table, cache = make_table(1), open_cache()
    cache.fill(table, views=3)

    cached = cache.gather(freezing.POOLED, table, np.zeros(3, int), np.arange(3))

    assert not np.allclose(cached[0], cached[1])
    assert not np.allclose(cached[1], cached[2])


def test_a_second_run_computes_nothing_and_a_third_view_costs_one_view(
    open_cache: Callable[..., ActivationCache], make_table: Callable[..., pd.DataFrame]
) -> None:
    table = make_table(2, 3)

    assert open_cache().fill(table, views=2) == 10
    assert open_cache().fill(table, views=2) == 0
    assert open_cache().fill(table, views=3) == 5


def test_a_new_item_costs_one_item(open_cache: Callable[..., ActivationCache], make_table: Callable[..., pd.DataFrame]) -> None:
    open_cache().fill(make_table(2, 3), views=1)

    assert open_cache().fill(make_table(2, 3, 4), views=1) == 4


def test_anything_that_changes_the_values_is_computed_again(
    open_cache: Callable[..., ActivationCache], make_table: Callable[..., pd.DataFrame]
) -> None:
    table = make_table(2, 3)
    open_cache().fill(table, views=2)
    other = detector_network.create_detector("residual_cnn", "random", 64, make_head_params(dropout=0.2, standardize=True), 9, Settings())[
        0
    ]

    assert open_cache(model=other).fill(table, views=2) == 10
    assert open_cache(layers=["block2_relu"]).fill(table, views=2) == 10
    assert open_cache(augment=AUGMENT.model_copy(update={"zoom": 0.2})).fill(table, views=2) == 5  # view 0 is not augmented
    assert open_cache(seed=2).fill(table, views=2) == 5
    assert open_cache().fill(make_table(2, 3, seed=1), views=1) == 5  # the same ids, other pixels


def test_a_full_disk_is_an_error_before_anything_is_computed(
    open_cache: Callable[..., ActivationCache], make_table: Callable[..., pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]

    with pytest.raises(SetupError, match=r"need .* GB.*train.activations"):
        open_cache().fill(make_table(2), views=1)


def test_what_a_training_reads_stays_and_the_rest_makes_room(
    open_cache: Callable[..., ActivationCache], make_table: Callable[..., pd.DataFrame]
) -> None:
    table = make_table(2, 3)
    training = open_cache(layers=[freezing.POOLED], limit_bytes=1)
    training.fill(table, views=1)

    open_cache(layers=["block2_relu"], limit_bytes=1).fill(table, views=1)
    assert training.gather(freezing.POOLED, table, np.arange(5), np.zeros(5, int)).any()
    assert open_cache(layers=[freezing.POOLED], limit_bytes=1).fill(table, views=1) == 0

    del training
    gc.collect()
    open_cache(layers=["block1_relu"], limit_bytes=1).fill(table, views=1)
    assert open_cache(layers=[freezing.POOLED]).fill(table, views=1) == 5
