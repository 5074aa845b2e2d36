"""Score some test items again as they come after compression, blur, scaling, cropping and noise."""

from realframe import artifacts, config
from realframe.config import Params
from realframe.data import manifest
from realframe.evaluation import score_tables
from realframe.settings import get_settings


def main() -> None:
    """Run the stage."""
    params = config.load(artifacts.RESOLVED)
    if params.evaluate.robustness_items:
        _measure(params)
    else:
        score_tables.write(score_tables.empty(score_tables.ROBUSTNESS), artifacts.ROBUSTNESS, score_tables.ROBUSTNESS)
        print("measure_robustness: evaluate.robustness_items is 0, so nothing is measured on degraded files")


def _measure(params: Params) -> None:
    # imported here: the processes that degrade import this module, and need no TensorFlow
    from realframe import settings as settings_module
    from realframe.data.batches import frame_table
    from realframe.evaluation import robustness
    from realframe.evaluation.frame_scores import load_model
    from realframe.evaluation.item_scores import open_scorer

    settings = get_settings()
    settings_module.configure_tensorflow(settings.workers, params.seed)
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS)
    items = robustness.sample(splits, params.evaluate.robustness_items, params.seed)
    scorer = open_scorer(load_model(artifacts.MODEL), params, frame_table(splits, artifacts.CLEAN, "val"), settings.workers)
    table = robustness.score_degraded(scorer, items, params, settings.workers)
    score_tables.write(table, artifacts.ROBUSTNESS, score_tables.ROBUSTNESS)
    print(f"measure_robustness: {len(items)} items, each degraded in {len(table) / max(1, len(items)):.1f} ways on average")


if __name__ == "__main__":
    main()
