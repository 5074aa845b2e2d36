"""The two-phase training: which layers change, which epoch is kept, and that neither the cache nor a second run changes the result."""

from collections.abc import Callable

import keras
import numpy as np
import pandas as pd
import pytest

from realframe.config import Params
from realframe.data.batches import FrameReader, build_frame_table
from realframe.models import detector_network
from realframe.training import two_phase
from realframe.training.history_plot import plot_history
from realframe.training.training_job import TrainingJob

Network, MakeJob, Changed = Callable[..., keras.Model], Callable[..., TrainingJob], Callable[..., Params]
TIMES = ["seconds"]


def losses(outcome: two_phase.TrainingOutcome) -> pd.DataFrame:
    return pd.DataFrame(outcome.history).drop(columns=TIMES)


def test_it_learns_and_records_its_history(network: Network, make_job: MakeJob, splits: pd.DataFrame, clean: object) -> None:
    model, rows_seen = network(), []
    outcome = two_phase.train_two_phase(model, make_job(listeners=(rows_seen.append,)))

    assert [(row["phase"], row["epoch"]) for row in outcome.history] == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    assert rows_seen == outcome.history
    assert {"loss", "accuracy", "auc", "val_loss", "val_accuracy", "val_auc", "learning_rate"} <= set(outcome.history[0])
    assert outcome.best["val_loss"] == min(row["val_loss"] for row in outcome.history)
    test = build_frame_table(splits, clean, "test")  # type: ignore[arg-type]
    scores = model.predict(FrameReader(test, 1).read(np.arange(len(test))).astype(np.float32), verbose=0)[:, 0]
    assert scores[test["label"] == 1].min() > scores[test["label"] == 0].max()


def test_the_detector_has_the_weights_of_the_best_epoch(network: Network, make_job: MakeJob) -> None:
    model, job = network(), make_job()
    outcome = two_phase.train_two_phase(model, job)

    val = job.frames["val"]
    scores = model.predict(FrameReader(val, 1).read(np.arange(len(val))).astype(np.float32), verbose=0)[:, 0].astype(float)
    losses_ = -np.log(np.where(val["label"] == 1, scores, 1 - scores))
    assert np.average(losses_, weights=val["weight"]) == pytest.approx(outcome.best["val_loss"], rel=0.02)


def test_two_runs_with_one_seed_give_equal_metrics(network: Network, make_job: MakeJob, tmp_path: object) -> None:
    first = two_phase.train_two_phase(network(), make_job(cache_dir=tmp_path / "one", state_dir=tmp_path / "a"))  # type: ignore[operator]
    second = two_phase.train_two_phase(network(), make_job(cache_dir=tmp_path / "two", state_dir=tmp_path / "b"))  # type: ignore[operator]
    other = two_phase.train_two_phase(network(), make_job(seed=7, state_dir=tmp_path / "c"))  # type: ignore[operator]

    pd.testing.assert_frame_equal(losses(first), losses(second), check_exact=True)
    assert not losses(first)["val_loss"].equals(losses(other)["val_loss"])


def test_training_with_and_without_the_cache_is_the_same(network: Network, make_job: MakeJob, changed: Changed, tmp_path: object) -> None:
    cached = two_phase.train_two_phase(network(), make_job())
    params = changed(activations={"cache": False})
    uncached = two_phase.train_two_phase(network(), make_job(params, state_dir=tmp_path / "uncached", cache_dir=tmp_path / "unused"))  # type: ignore[operator]

    assert cached.computed_activations > 0
    assert uncached.computed_activations == 0
    assert not (tmp_path / "unused").exists()  # type: ignore[operator]
    columns = ["loss", "val_loss", "accuracy", "val_accuracy"]
    np.testing.assert_allclose(losses(uncached)[columns], losses(cached)[columns], atol=0.02)


def test_a_second_run_finds_all_activations(network: Network, make_job: MakeJob, tmp_path: object) -> None:
    first = two_phase.train_two_phase(network(), make_job())
    second = two_phase.train_two_phase(network(), make_job(state_dir=tmp_path / "again"))  # type: ignore[operator]

    expected = 2 * len(make_job().frames["train"]) + len(make_job().frames["val"])
    assert (first.computed_activations, second.computed_activations) == (expected, 0)


def _differ(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    return any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_only_the_head_and_the_last_layers_change(network: Network, make_job: MakeJob) -> None:
    model = network()
    before = {layer.name: layer.get_weights() for layer in model.layers}
    outcome = two_phase.train_two_phase(model, make_job())

    changed = {name for name, weights in before.items() if _differ(weights, model.get_layer(name).get_weights())}
    assert outcome.unfrozen == ["block3_conv", "block3_relu", "block4_conv", "block4_relu"]
    assert changed == {"block3_conv", "block4_conv", detector_network.STANDARDIZED, detector_network.SCORE}


def test_a_second_phase_without_improvement_is_not_kept(network: Network, make_job: MakeJob, changed: Changed, tmp_path: object) -> None:
    ruinous = changed(phase2={"learning_rate": 1e-3, "weight_decay": 900.0})  # each step removes nine tenths of every kernel
    model, phase1_model = network(), network()
    outcome = two_phase.train_two_phase(model, make_job(ruinous))
    two_phase.train_two_phase(phase1_model, make_job(changed(phase2={"unfreeze_last": 0}), state_dir=tmp_path / "first"))  # type: ignore[operator]

    assert outcome.best["phase"] == 1
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), phase1_model.get_weights(), strict=True))


def test_the_second_phase_starts_from_the_best_epoch_of_the_first(network: Network, make_job: MakeJob, changed: Changed) -> None:
    still = changed(phase2={"learning_rate": 1e-12, "epochs": 1})
    outcome = two_phase.train_two_phase(network(), make_job(still))

    first = [row["val_loss"] for row in outcome.history if row["phase"] == 1]
    assert outcome.history[-1]["phase"] == 2
    assert outcome.history[-1]["val_loss"] == pytest.approx(min(first), rel=0.02)


def test_the_head_starts_at_the_linear_probe_or_at_zero(network: Network, make_job: MakeJob, changed: Changed) -> None:
    warm = two_phase.train_two_phase(network(), make_job(changed(phase2={"unfreeze_last": 0})))
    assert warm.history[0]["epoch"] == 0
    assert warm.history[0]["val_loss"] < 0.99 * np.log(2)

    zero = two_phase.train_two_phase(network(), make_job(changed(head={"warm_start": False}, phase2={"unfreeze_last": 0})))
    assert zero.history[0]["epoch"] == 1


def test_it_stops_early_when_validation_does_not_improve(network: Network, make_job: MakeJob, changed: Changed) -> None:
    params = changed(phase1={"epochs": 30, "learning_rate": 5.0}, phase2={"unfreeze_last": 0}, early_stopping=2)
    outcome = two_phase.train_two_phase(network(), make_job(params))

    assert len(outcome.history) < 30
    assert outcome.history[-1]["epoch"] == outcome.best["epoch"] + 2 or outcome.best["epoch"] == 0


def test_the_learning_rate_is_reduced_on_a_plateau(network: Network, make_job: MakeJob, changed: Changed) -> None:
    params = changed(
        phase1={"epochs": 6, "learning_rate": 5.0}, phase2={"unfreeze_last": 0}, early_stopping=9, reduce_lr={"patience": 1, "factor": 0.1}
    )
    rates = pd.DataFrame(two_phase.train_two_phase(network(), make_job(params)).history)["learning_rate"]

    assert rates.iloc[0] == pytest.approx(5.0)
    assert rates.iloc[-1] <= 0.51


def test_from_scratch_the_whole_network_changes_except_its_fixed_filters(network: Network, make_job: MakeJob, changed: Changed) -> None:
    params = changed(
        phase1={"frozen": False}, phase2={"unfreeze_last": 0}, activations={"cache": False}, head={"standardize": False, "dropout": 0.0}
    )
    model = network(params)
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    outcome = two_phase.train_two_phase(model, make_job(params))

    moved = {name for name, weights in before.items() if _differ(weights, model.get_layer(name).get_weights())}
    assert before.keys() - moved == {"high_pass"}
    assert "block1_conv" in outcome.unfrozen


def test_the_plot_shows_both_phases(network: Network, make_job: MakeJob) -> None:
    history = losses(two_phase.train_two_phase(network(), make_job()))
    figure = plot_history(history)

    assert [axes.get_title().split(" ")[0] for axes in figure.axes] == ["loss", "accuracy", "ROC-AUC", "learning"]
    for axes, name in zip(figure.axes, ("loss", "accuracy", "auc"), strict=False):
        for line, column in zip(axes.lines, (name, f"val_{name}"), strict=False):
            assert list(line.get_ydata()) == list(history[column])
    lines = figure.axes[0].lines
    assert [len(line.get_xdata()) for line in lines[:2]] == [6, 6]
    assert any(list(line.get_xdata()) == [3.5, 3.5] for line in lines)
