"""Compute the pooled features of every clean frame, once per media item, backbone, weights and preprocessing."""

from realframe import artifacts, config
from realframe.data import manifest
from realframe.data.batches import build_frame_table
from realframe.models import detector_network
from realframe.settings import get_settings
from realframe.threads import configure_tensorflow
from realframe.training.detector_training import extract_features


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)
    configure_tensorflow(settings.workers, params.seed)
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    frames = {split: build_frame_table(splits, artifacts.CLEAN_FRAMES, split) for split in ("train", "val", "test")}
    model, weights = detector_network.create_detector(
        params.train.backbone, params.train.weights, params.clean.size, params.train.head, params.seed, settings
    )

    features, computed = extract_features(model, weights, frames, params.train, params.seed, artifacts.FEATURES, settings)

    counts = " + ".join(f"{len(table)} {split}" for split, table in frames.items())
    summary = f"{features.width} features of {counts} frames, views in training: {features.views}; {computed} newly computed"
    print(f"extract_features: {features.backbone} ({weights.name} weights), {summary}")


if __name__ == "__main__":
    main()
