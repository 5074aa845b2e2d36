"""The gate: what it refuses, what it accepts, and what an override needs."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from realframe import artifacts
from realframe.config import read_yaml
from realframe.data import manifest
from realframe.errors import GateError
from realframe.governance import gate, gate_rules, ledger, metric_rules, paired_predictions
from realframe.governance.evidence_files import EvidenceFiles
from realframe.governance.gate import GateResult
from realframe.registry import model_registry
from realframe.settings import Settings, get_settings
from realframe.store.repository import Store
from tests import run_folder
from tests.governance import classifier_runs
from tests.governance.cli_decisions import approve, reject
from tests.state_fixtures import COMMIT, TRAINER


@pytest.fixture
def folder(tmp_path: Path, empty_registry: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def splits(folder: Path) -> pd.DataFrame:
    return run_folder.write_dataset(folder, classifier_runs.ITEMS)


@pytest.fixture
def champion(folder: Path, splits: pd.DataFrame, store: Store) -> int:
    """An approved model that meets every rule."""
    version = classifier_runs.register(folder, splits, flipped=0, bias=0.1)
    approve(version, "Ada", "good", override="")
    return version


def outcomes(result: GateResult) -> dict[str, bool | None]:
    return {rule.name: rule.is_met for rule in result.rules}


def change(settings: Settings, old: str, new: str) -> None:
    path = settings.root / gate_rules.PATH
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_good_model_meets_every_rule_and_is_approved_without_an_override(champion: int, store: Store) -> None:
    (entry,) = ledger.list_entries(store)
    assert (entry.overrides, entry.override_reason) == ((), "")
    assert {rule["is_met"] for rule in entry.evidence["gate"]["rules"]} == {True}
    assert entry.evidence["test_split_usage"] == {"digest": model_registry.get_version(champion).test_split, "decisions": 0, "versions": 1}


def test_a_challenger_trained_on_flipped_labels_is_refused(champion: int, folder: Path, splits: pd.DataFrame, store: Store) -> None:
    worse = classifier_runs.register(folder, splits, flipped=0.2, bias=0.2)
    checked = gate.check_gate(worse, store)
    assert outcomes(checked)["ROC-AUC vs. champion"] is False
    assert outcomes(checked)["McNemar vs. champion"] is False
    with pytest.raises(GateError, match=r"ROC-AUC vs\. champion is not met"):
        approve(worse, "Ada", "", override="")
    assert len(ledger.list_entries(store)) == 1
    assert model_registry.find_champion() == model_registry.get_version(champion)


def test_a_challenger_that_is_as_good_is_not_refused(champion: int, folder: Path, splits: pd.DataFrame, store: Store) -> None:
    twin = classifier_runs.register(folder, splits, flipped=0, bias=0.3, seed=1)
    assert set(outcomes(gate.check_gate(twin, store)).values()) == {True}
    approve(twin, "Ada", "", override="")


def test_an_override_needs_a_reason_and_stands_in_the_ledger(champion: int, folder: Path, splits: pd.DataFrame, store: Store) -> None:
    worse = classifier_runs.register(folder, splits, flipped=0.2, bias=0.2)
    unmet = tuple(rule.name for rule in gate.check_gate(worse, store).unmet_rules)
    with pytest.raises(GateError, match="override them with a reason"):
        approve(worse, "Ada", "", override="   ")
    entry = approve(worse, "Ada", "", override="the champion's licence has ended")
    assert (entry.overrides, entry.override_reason) == (unmet, "the champion's licence has ended")
    assert ledger.verify_chain(store) == 2


def test_nobody_approves_their_own_training_under_four_eyes(champion: int, folder: Path, splits: pd.DataFrame, settings: Settings) -> None:
    change(settings, "four_eyes: false", "four_eyes: true")
    twin = classifier_runs.register(folder, splits, flipped=0, bias=0.3, seed=1)
    with pytest.raises(GateError, match=f"was trained by {TRAINER}, who cannot be its only reviewer"):
        approve(twin, TRAINER, "mine is better", override="I insist")
    assert approve(twin, "Ada", "reviewed it").version == twin


def test_a_version_of_unknown_training_is_not_approved_under_four_eyes(folder: Path, splits: pd.DataFrame, settings: Settings) -> None:
    change(settings, "four_eyes: false", "four_eyes: true")
    run_folder.write_training(folder, splits)
    run_folder.write_model(folder, bias=0.5)
    with pytest.raises(GateError, match="has no recorded trainer"):
        approve(model_registry.register_folder(folder, commit=COMMIT), "Ada", "")


def test_a_kind_without_a_statement_leaves_the_rules_on_unseen_sources_unknown() -> None:
    rule = gate_rules.load_gate_rules(get_settings()).sources
    assert rule
    known = {"roc_auc": {"value": 0.9, "low": 0.8, "high": 1.0}, "margin": 0.2, "real_versus_real": {"value": 0.7}}
    known |= {"worst_source": {"name": "lab", "value": 0.4, "what": "false_positive_rate"}, "worst_generator": None}
    without = {"roc_auc": {"value": None, "low": None, "high": None}, "margin": None, "too_few": "Only 1 source."}
    results = metric_rules.check_unseen_sources(rule, {"cross_source": {"kinds": {"image": known, "video": without}}})
    assert [result.is_met for result in results] == [None, None]
    assert "worst source lab (40% of its real images called AI-generated)" in results[0].observed
    assert "Videos from unseen sources: no statement. Only 1 source." in results[0].observed
    assert results[1].observed == "images: 0.900 and 0.700 (+0.200); videos: unknown"
    assert [result.is_met for result in metric_rules.check_unseen_sources(rule, {"cross_source": None})] == [None, None]


def _set_kind(cross_source: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Change the figures of videos; those of images stay as they are."""
    kinds = cross_source["kinds"]
    return cross_source | {"kinds": kinds | {"video": kinds["video"] | changed}}


@pytest.mark.parametrize(
    ("key", "spoil", "name", "expected"),
    [
        ("held_out", lambda m: None, "unseen generators", None),
        ("cross_source", lambda m: _set_kind(m, roc_auc={"value": 0.7, "low": 0.5, "high": 0.9}), "unseen sources", False),
        ("cross_source", lambda m: _set_kind(m, margin=-0.1), "better than at telling real sources apart", False),
        ("cross_source", lambda m: _set_kind(m, margin=None), "better than at telling real sources apart", None),
        ("robustness", lambda m: None, "robust", None),
        ("robustness", lambda m: {"worst": {"perturbation": "jpeg", "level": 30.0, "drop": {"value": 0.4}}}, "robust", False),
        ("shortcuts", lambda m: {"passed": False, "allowed": True}, "shortcut audit", False),
        ("shortcuts", lambda m: None, "shortcut audit", None),
        ("gap_to_baseline", lambda m: {"value": -0.1, "low": -0.2, "high": 0.0}, "not below its baseline", False),
        ("slices", lambda m: {"codec": [{"name": "av1", "accuracy": {"value": 0.4}}]}, "no slice below", False),
        ("slices", lambda m: {"codec": [{"name": "av1", "accuracy": {"value": 0.4}, "too_few": "Only 2."}]}, "no slice below", None),
    ],
)
def test_rules_are_not_met_or_unknown(
    key: str, spoil: Callable, name: str, expected: bool | None, folder: Path, splits: pd.DataFrame, store: Store
) -> None:
    classifier_runs.register(folder, splits, flipped=0, bias=0.1)
    file = folder / artifacts.METRICS
    metrics = json.loads(file.read_text())
    file.write_text(json.dumps(metrics | {key: spoil(metrics[key])}))
    run_folder.write_model(folder, bias=0.2)
    checked = gate.check_gate(model_registry.register_folder(folder, commit=COMMIT), store)
    assert outcomes(checked)[name] is expected
    assert [rule.name for rule in checked.unmet_rules] == [name]


def test_a_version_whose_evidence_was_changed_in_mlflow_is_unknown(champion: int, store: Store, settings: Settings) -> None:
    import mlflow

    run = mlflow.get_run(model_registry.get_version(champion).mlflow_run_id)
    evidence = Path(run.info.artifact_uri.removeprefix("file://")) / "evidence" / "metrics.json"
    evidence.write_text(evidence.read_text().replace('"below_baseline": false', '"below_baseline": true '))
    (settings.cache_dir / "evidence").rename(settings.cache_dir / "before")
    (rule,) = gate.check_gate(champion, store).rules
    assert (rule.name, rule.is_met) == ("evidence", None)
    assert "differs from the registered digest" in rule.observed


def test_the_regression_set_must_not_be_worse(folder: Path, splits: pd.DataFrame, store: Store) -> None:
    def register(bias: float, scores: list[float]) -> int:
        run_folder.write_training(folder, splits)
        tables = run_folder.make_evaluation_tables(splits, 0.9)
        rows = splits.head(4)[["media_id", "label", "kind", "split"]].assign(score=scores, reason="")
        run_folder.write_evaluation(folder, replace(tables, regression=rows))
        run_folder.write_model(folder, bias=bias)
        return model_registry.register_folder(folder, commit=COMMIT)

    labels = (splits.head(4)["label"] == "fake").astype(float).tolist()
    approve(register(0.1, labels), "Ada", "")
    one_wrong = register(0.2, [1 - labels[0], *labels[1:]])
    assert outcomes(gate.check_gate(one_wrong, store))["regression set vs. champion"] is False
    assert outcomes(gate.check_gate(register(0.3, labels), store))["regression set vs. champion"] is True


def test_the_gate_names_regression_items_without_a_score(folder: Path, splits: pd.DataFrame, store: Store) -> None:
    def observe(scores: list[float], bias: float) -> tuple[bool | None, str]:
        run_folder.write_training(folder, splits)
        rows = splits.head(2)[["media_id", "label", "kind", "split"]].assign(score=scores)
        rows["reason"] = ["" if score == score else "its file is damaged" for score in scores]
        run_folder.write_evaluation(folder, replace(run_folder.make_evaluation_tables(splits, 0.9), regression=rows))
        run_folder.write_model(folder, bias=bias)
        version = model_registry.register_folder(folder, commit=COMMIT)
        rule = next(rule for rule in gate.check_gate(version, store).rules if rule.name == "regression set vs. champion")
        return rule.is_met, rule.observed

    right = float(splits.iloc[0]["label"] == "fake")
    is_met, observed = observe([right, float("nan")], 0.1)
    assert is_met and "0 mistakes on 1 items" in observed
    assert f"1 not scored, such as {splits.iloc[1]['media_id'][:12]}: its file is damaged" in observed
    is_met, observed = observe([float("nan")] * 2, 0.2)
    assert is_met is None and "none of its items is scored; 2 not scored" in observed


def test_decisions_on_a_test_split_are_counted(champion: int, folder: Path, splits: pd.DataFrame, store: Store) -> None:
    twin = classifier_runs.register(folder, splits, flipped=0, bias=0.3, seed=1)
    entry = reject(twin, "Ada", "not needed")
    assert entry.evidence["test_split_usage"] == {"digest": model_registry.get_version(twin).test_split, "decisions": 1, "versions": 2}


def test_invalid_rules_stop_the_approval(champion: int, settings: Settings, store: Store) -> None:
    change(settings, "at_least: 0.55", "at_least: high")
    with pytest.raises(GateError, match=r"gate.yaml: metrics.0.at_least"):
        gate.check_gate(champion, store)
    (settings.root / gate_rules.PATH).unlink()
    with pytest.raises(GateError, match="does not exist, so there are no rules"):
        gate.check_gate(champion, store)


def test_a_rule_needs_a_bound() -> None:
    with pytest.raises(ValueError, match="needs exactly one of at_least and at_most"):
        gate_rules.MetricRule(name="x", metric="test.item.f1.value")


def test_every_rule_of_the_file_is_a_field(root: Path) -> None:
    assert set(read_yaml(root / gate_rules.PATH)) == set(gate_rules.GateRules.model_fields)


@pytest.fixture
def pictures(settings: Settings) -> pd.DataFrame:
    """A dataset of real pictures in the folder of originals."""
    table = run_folder.make_media_table(50)
    for number in range(len(table)):
        path = settings.raw_dir / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
        table.loc[number, ["media_id", "path", "kind"]] = [hashlib.sha256(path.read_bytes()).hexdigest(), path.name, "image"]
    return run_folder.make_split_table(table)


def test_a_champion_of_another_test_split_scores_the_challengers_items(
    pictures: pd.DataFrame, tmp_path: Path, empty_registry: Path, settings: Settings
) -> None:
    """Items that it was trained or validated on are left out, and items whose original is missing."""

    def register(folder: Path, splits: pd.DataFrame, bias: float) -> model_registry.ModelVersion:
        run_folder.write_training(folder, splits)
        manifest.write(splits, folder / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
        run_folder.write_model(folder, bias)
        return model_registry.get_version(model_registry.register_folder(folder, commit=COMMIT))

    earlier = pictures.head(24)  # of the challenger's test items, the champion knows the first six
    shifted = earlier.assign(split=np.roll(earlier["split"].to_numpy(), 3))
    champion = register(tmp_path / "champion", shifted, bias=0.5)
    challenger = register(tmp_path / "challenger", pictures, bias=0.1)
    test = pictures[pictures["split"] == "test"]
    known = shifted.loc[shifted["split"] != "test", "media_id"]
    missing = test[~test["media_id"].isin(known)].iloc[-1]
    (settings.raw_dir / missing["path"]).write_bytes(b"something else")

    paired = paired_predictions.pair_predictions(EvidenceFiles.fetch(challenger), champion)
    expected = set(test["media_id"]) - set(known) - {missing["media_id"]}
    assert set(paired.table["media_id"]) == expected
    assert (paired.seen_in_training, paired.missing) == (test["media_id"].isin(known).sum(), 1)
    assert paired.table["champion_score"].to_numpy() == pytest.approx(1 / (1 + np.exp(-0.5)), abs=1e-5)

    for media_id in expected:
        (settings.raw_dir / test.set_index("media_id").loc[media_id, "path"]).unlink()
    second = paired_predictions.pair_predictions(EvidenceFiles.fetch(challenger), champion)
    assert second.table.equals(paired.table), "scores are cached"


@pytest.mark.parametrize("name", ["{media_id}.png", "{media_id}", "holiday", "holiday.mp4"])
def test_a_champion_scores_the_regression_items_that_came_in_after_it(
    pictures: pd.DataFrame, folder: Path, store: Store, name: str
) -> None:
    def register(regression: pd.DataFrame, bias: float) -> int:
        run_folder.write_training(folder, pictures)
        manifest.write(pictures, folder / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
        run_folder.write_evaluation(folder, replace(run_folder.make_evaluation_tables(pictures, 0.9), regression=regression))
        run_folder.write_model(folder, bias)
        return model_registry.register_folder(folder, commit=COMMIT)

    settings = get_settings()
    item = pictures[pictures["label"] == "real"].iloc[[0]][["media_id", "label", "kind", "split"]]
    reported = settings.root / artifacts.REGRESSION_MEDIA / "real" / name.format(media_id=item["media_id"].item())
    reported.parent.mkdir(parents=True)
    (settings.raw_dir / pictures.set_index("media_id").loc[item["media_id"].item(), "path"]).rename(reported)
    approve(register(item.head(0).assign(score=0.0, reason=""), bias=3.0), "Ada", "calls everything fake")
    better = register(item.assign(score=0.01, reason=""), bias=-3.0)
    observed = {rule.name: rule.observed for rule in gate.check_gate(better, store).rules}
    assert observed["regression set vs. champion"] == "0 mistakes on 1 items, version 1 makes 1"
