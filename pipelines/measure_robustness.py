"""Score some test items under compression, blur, scaling, cropping and noise; writes ``reports/robustness.parquet``."""

from realframe import artifacts, config
from realframe.config import Params
from realframe.data import manifest
from realframe.evaluation import scored_rows
from realframe.settings import get_settings
from realframe.tables import write_table
from realframe.threads import configure_tensorflow


def main() -> None:
    """Run the stage."""
    params = config.load_params(artifacts.RESOLVED_PARAMS)
    if params.evaluate.robustness_items:
        _measure(params)
    else:
        write_table([], artifacts.ROBUSTNESS, scored_rows.ROBUSTNESS)
        print("measure_robustness: evaluate.robustness_items is 0, so robustness is not measured")


def _measure(params: Params) -> None:
    # imported here: worker processes import this module and do not need TensorFlow
    from realframe.data.batches import build_frame_table
    from realframe.evaluation import robustness
    from realframe.evaluation.item_scores import create_scorer
    from realframe.evaluation.network_scores import load_model

    settings = get_settings()
    configure_tensorflow(settings.workers, params.seed)
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    items = robustness.sample_test_items(splits, params.evaluate.robustness_items, params.seed)
    scorer = create_scorer(load_model(artifacts.MODEL), params, build_frame_table(splits, artifacts.CLEAN_FRAMES, "val"), settings.workers)
    table = robustness.score_perturbed(scorer, items, params, settings.workers)
    write_table(table, artifacts.ROBUSTNESS, scored_rows.ROBUSTNESS)
    print(f"measure_robustness: {len(items)} items, {len(table) / max(1, len(items)):.1f} perturbations each on average")


if __name__ == "__main__":
    main()
