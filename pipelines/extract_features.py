"""Compute the backbone's pooled features of every clean frame, once per media item, backbone, weights and preprocessing."""

from bonafide import artefacts, params
from bonafide.dataset import manifest
from bonafide.dataset.batches import frame_table
from bonafide.models import detector
from bonafide.settings import get_settings
from bonafide.training import runtime
from bonafide.training.extraction import extract


def main() -> None:
    """Run the stage."""
    settings, run = get_settings(), params.load(artefacts.RESOLVED)
    runtime.prepare(settings.workers, run.seed)
    splits = manifest.read(artefacts.SPLITS, manifest.SPLITS)
    frames = {split: frame_table(splits, artefacts.CLEAN, split) for split in ("train", "val", "test")}
    model, weights = detector.open_backbone(run.train.backbone, run.train.weights, run.clean.size, run.train.head, run.seed, settings)

    features, computed = extract(model, weights, frames, run.train, run.seed, artefacts.FEATURES, settings)

    counted = " + ".join(f"{len(table)} {split}" for split, table in frames.items())
    said = f"{features.width} features of {counted} frames, views in training: {features.views}; {computed} computed anew"
    print(f"extract_features: {features.backbone} ({weights.name} weights), {said}")


if __name__ == "__main__":
    main()
