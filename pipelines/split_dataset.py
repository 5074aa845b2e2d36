"""Deal the items to train, val and test; no group and no near-duplicate crosses."""

import pandas as pd

from realframe import artifacts, config
from realframe.data import manifest, previous_split
from realframe.data.split import LABELS, SPLITS, assign_splits


def main() -> None:
    """Run the stage. Raises TooFewItemsError, DatasetError."""
    params = config.load(artifacts.RESOLVED)
    balanced = manifest.read(artifacts.BALANCED, manifest.BALANCED)
    before = previous_split.read(artifacts.PREVIOUS_SPLIT, params.split, params.seed)

    splits = assign_splits(balanced, pd.read_parquet(artifacts.QUALITY), params.split, params.balance, params.seed, before)

    manifest.write(splits, artifacts.SPLITS, manifest.SPLITS)
    counts = splits.groupby(["split", "label"]).size()
    shown = ", ".join(f"{split} {' + '.join(f'{counts[split, label]} {label}' for label in LABELS)}" for split in SPLITS)
    sizes = splits["cluster"].value_counts()
    print(
        f"split_dataset: dataset {manifest.dataset_version(splits)}: {shown}; {len(sizes)} clusters, the largest of {sizes.iloc[0]} items"
    )


if __name__ == "__main__":
    main()
