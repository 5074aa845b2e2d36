"""Score some test items again as they come after compression, blur, scaling, cropping and noise."""

from bonafide import artefacts, params
from bonafide.dataset import manifest
from bonafide.evaluation import tables
from bonafide.params import Params
from bonafide.settings import get_settings


def main() -> None:
    """Run the stage."""
    run = params.load(artefacts.RESOLVED)
    if run.evaluate.robustness_items:
        _measure(run)
    else:
        tables.write(tables.empty(tables.ROBUSTNESS), artefacts.ROBUSTNESS, tables.ROBUSTNESS)
        print("measure_robustness: evaluate.robustness_items is 0, so nothing is measured on degraded files")


def _measure(run: Params) -> None:
    # imported here: the processes that degrade import this module, and need no TensorFlow
    from bonafide.dataset.batches import frame_table
    from bonafide.evaluation import robustness
    from bonafide.evaluation.predict import load_model
    from bonafide.evaluation.scoring import open_scorer
    from bonafide.training import runtime

    settings = get_settings()
    runtime.prepare(settings.workers, run.seed)
    splits = manifest.read(artefacts.SPLITS, manifest.SPLITS)
    items = robustness.sample(splits, run.evaluate.robustness_items, run.seed)
    scorer = open_scorer(load_model(artefacts.MODEL), run, frame_table(splits, artefacts.CLEAN, "val"), settings.workers)
    table = robustness.measure(scorer, items, run, settings.workers)
    tables.write(table, artefacts.ROBUSTNESS, tables.ROBUSTNESS)
    print(f"measure_robustness: {len(items)} items, each degraded in {len(table) / max(1, len(items)):.1f} ways on average")


if __name__ == "__main__":
    main()
