"""Compute the backbone's pooled features of every clean frame, once per media item, backbone, weights and preprocessing."""

from realframe import artifacts, config
from realframe import settings as settings_module
from realframe.data import manifest
from realframe.data.batches import frame_table
from realframe.models import detector_network
from realframe.settings import get_settings
from realframe.training.feature_extraction import extract


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load(artifacts.RESOLVED)
    settings_module.configure_tensorflow(settings.workers, params.seed)
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS)
    frames = {split: frame_table(splits, artifacts.CLEAN, split) for split in ("train", "val", "test")}
    model, weights = detector_network.open_backbone(
        params.train.backbone, params.train.weights, params.clean.size, params.train.head, params.seed, settings
    )

    features, computed = extract(model, weights, frames, params.train, params.seed, artifacts.FEATURES, settings)

    counted = " + ".join(f"{len(table)} {split}" for split, table in frames.items())
    said = f"{features.width} features of {counted} frames, views in training: {features.views}; {computed} computed anew"
    print(f"extract_features: {features.backbone} ({weights.name} weights), {said}")


if __name__ == "__main__":
    main()
