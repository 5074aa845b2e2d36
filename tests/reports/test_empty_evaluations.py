"""An evaluation with empty parts (no mistake, no fake of a kind, one generator, one item a class, ...) reaches every reader whole."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mlflow.entities.model_registry import ModelVersion as MlflowVersion

from realframe import artifacts
from realframe.config import read_yaml, resolve_params
from realframe.evaluation import caveats
from realframe.governance import champion_rules, gate_rules, metric_rules, version_comparison
from realframe.governance.champion_history import SplitUsage
from realframe.governance.evidence_files import EvidenceFiles
from realframe.governance.gate_results import GateResult
from realframe.governance.gate_rules import GateRules, RuleResult
from realframe.governance.review_summary import ReviewSummary, summary_markdown
from realframe.presentation.templating import create_template_environment
from realframe.registry.model_version import ModelVersion, parse_version, version_tags
from realframe.registry.run_figures import flatten_figures
from realframe.reports import evaluation_report, mistakes, model_card, plots
from realframe.reports.evaluation_report import ReportData
from realframe.statistics.conformal import UncertaintyBand
from tests.run_folder import ROOT
from tests.sparse_evaluations import SparseEvaluation, sparse_evaluations

PARAMS = resolve_params(ROOT / "params.yaml", ROOT / "recipes", overrides={"evaluate.show_media": False})
RULES = GateRules.model_validate(read_yaml(ROOT / gate_rules.PATH))
PLOTS = ("roc", "precision_recall", "confusion", "scores", "verdicts", "training", "reliability", "generators")
LINEAGE = {"recipe": "efficientnetb0", "git commit": "deadbeef"}
EPOCH = pd.DataFrame([dict.fromkeys(("loss", "val_loss", "accuracy", "val_accuracy", "auc", "val_auc", "learning_rate"), 0.5)])
HISTORY = EPOCH.assign(phase=1, epoch=0)
FEW = settings(deadline=None, derandomize=True, database=None, phases=[Phase.generate])  # to shrink an example takes minutes
WORDS_OF_GAPS = re.compile(r"\b(nan|inf|undefined|None(?! on the test split))\b")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


def _make_report_data(evaluation: SparseEvaluation, metrics: dict[str, Any]) -> ReportData:
    tables = evaluation.tables
    return ReportData(
        metrics=metrics,
        splits=tables.splits,
        items=evaluation.test_items,
        frames=evaluation.test_frames,
        shortcuts=dict(tables.shortcuts),
        params=PARAMS.params.model_dump(mode="json", exclude_none=True),
        lineage=LINEAGE,
        caveats=caveats.find_caveats(metrics, tables.splits, dict(tables.shortcuts)),
    )


def _make_version(metrics: dict[str, Any]) -> ModelVersion:
    training = {"run_id": "0" * 32, "dataset": "0123456789ab", "recipe": "efficientnetb0", "weights": {"name": "imagenet"}}
    tags = version_tags("a" * 64, training, metrics, "c" * 40)
    entity = MlflowVersion("realframe", "1", creation_timestamp=0, run_id="0" * 32)
    entity._tags = tags  # what MLflow's client sets from the tags of a stored version
    return parse_version(entity, {"challenger": "1"}, flatten_figures(metrics))


def _write_evidence(evaluation: SparseEvaluation, metrics: dict[str, Any], folder: Path) -> EvidenceFiles:
    (folder / artifacts.METRICS.name).write_text(json.dumps(metrics))
    PARAMS.save(folder / artifacts.RESOLVED_PARAMS.name)
    evaluation.tables.splits.to_parquet(folder / artifacts.SPLITS.name)
    evaluation.tables.predictions.to_parquet(folder / artifacts.PREDICTIONS.name)
    (folder / artifacts.REGRESSION_SCORES.name).unlink(missing_ok=True)
    if evaluation.tables.regression is not None:
        evaluation.tables.regression.to_parquet(folder / artifacts.REGRESSION_SCORES.name)
    return EvidenceFiles(_make_version(metrics), folder)


def _check_gate(evidence: EvidenceFiles) -> list[RuleResult]:
    assert RULES.sources and RULES.slices and RULES.robustness and RULES.champion and RULES.regression
    return [
        *metric_rules.check_unseen_sources(RULES.sources, evidence.metrics),
        *(metric_rules.check_metric(rule, evidence.metrics) for rule in RULES.metrics),
        metric_rules.check_slices(RULES.slices, evidence.metrics),
        metric_rules.check_robustness(RULES.robustness, evidence.metrics),
        metric_rules.check_shortcut_audit(evidence.version.shortcuts),
        *champion_rules.check_against_champion(RULES.champion, evidence, None),
        champion_rules.check_regression_set(RULES.regression, evidence, None),
    ]


def _summarize(evidence: EvidenceFiles, rules: list[RuleResult]) -> ReviewSummary:
    column = version_comparison.ComparedVersion(evidence.version, evidence)
    comparison = version_comparison.VersionComparison(
        version_comparison.build_metric_rows([column]),
        version_comparison.build_difference_rows([column]),
        version_comparison.list_version_warnings([column]),
        version_comparison.list_worst_mistakes(column),
    )
    gate = GateResult("0" * 64, 1, None, tuple(rules), comparison, "2026-01-01T00:00:00+00:00")
    return ReviewSummary(
        title="Version 1",
        warnings=list(comparison.warnings),
        column_titles=("", "version 1"),
        figures=comparison.figures,
        changes=comparison.changes,
        gate=gate,
        gate_headline=gate.headline,
        split_usage=SplitUsage("0123456789ab", 0, 1),
        shadow=None,
        mistakes=comparison.mistakes,
    )


def _render_page(version: ModelVersion, summary: ReviewSummary) -> str:
    user = SimpleNamespace(name="ada", role="reviewer", can_decide=True, csrf_token="")
    context = {"request": SimpleNamespace(scope={"path": "/review"}), "user": user, "waiting_version": None, "is_champion": False}
    template = create_template_environment("realframe.web").get_template("review.html")
    return template.render(version=version, summary=summary, entries=[], **context)


def _visible_text(page: str) -> str:
    return re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)


def _optional_plots(metrics: dict[str, Any]) -> list[str]:
    """Return the names of the plots of what was measured."""
    kinds = (metrics["cross_source"] or {}).get("kinds", {})
    sources = [f"sources_{kind}" for kind, figures in kinds.items() if "too_few" not in figures]
    measured = [name for name, key in (("unseen", "held_out"), ("robustness", "robustness")) if metrics[key]]
    return [*sources, *(["risk_coverage"] if sources else []), *measured]


def _count_mistakes(metrics: dict[str, Any]) -> int:
    confusion = metrics["test"]["item"]["confusion"]
    return confusion["real_called_fake"] + confusion["fake_called_real"]


@pytest.mark.slow
@settings(FEW, max_examples=6)
@given(evaluation=sparse_evaluations())
def test_report_card_gate_and_page_take_an_evaluation_with_empty_parts(folder: Path, evaluation: SparseEvaluation) -> None:
    metrics = json.loads(json.dumps(evaluation.compute_metrics(), allow_nan=False))
    data = _make_report_data(evaluation, metrics)
    (folder / "plot.png").write_bytes(b"")
    figures = dict.fromkeys((*PLOTS, *_optional_plots(metrics), "explanations"), folder / "plot.png")
    report = _visible_text(evaluation_report.render_evaluation_report(data, figures, folder))
    card, headline = model_card.render_model_card(data), evaluation_report.format_headline(metrics)

    evidence = _write_evidence(evaluation, metrics, folder)
    summary = _summarize(evidence, _check_gate(evidence))
    page = _visible_text(_render_page(evidence.version, summary))
    for text in (report, card, headline, page, summary_markdown(summary)):
        assert not WORDS_OF_GAPS.search(text), text
    assert len(summary.mistakes) == min(_count_mistakes(metrics), 8)
    assert ("Every test item is classified correctly" in report) == (not summary.mistakes)
    assert all(rule.observed and rule.required for rule in summary.gate.rules)  # type: ignore[union-attr]


@pytest.mark.slow
@settings(FEW, max_examples=2)
@given(evaluation=sparse_evaluations())
def test_every_plot_is_drawn_from_an_evaluation_with_empty_parts(folder: Path, evaluation: SparseEvaluation) -> None:
    data = _make_report_data(evaluation, evaluation.compute_metrics())
    paths = plots.draw_plots(folder, data, HISTORY)
    assert set(paths) == {*PLOTS, *_optional_plots(data.metrics)}


def test_a_set_without_a_mistake_has_no_worst_mistakes() -> None:
    items = pd.DataFrame({"media_id": ["a", "b"], "label": ["real", "fake"], "score": [0.1, 0.9]})
    assert mistakes.select_worst_items(items, 0.5, 5).empty


@given(probability=st.floats(0, 1))
def test_without_a_validation_item_of_a_class_every_verdict_is_uncertain(probability: float) -> None:
    assert UncertaintyBand(0.0, 1.0, 1.0).verdict(probability) == "uncertain"
