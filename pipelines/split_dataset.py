"""Split the items into train, val and test; no group and no set of near-duplicates spans two splits."""

import pandas as pd

from realframe import artifacts, config
from realframe.data import manifest, previous_split
from realframe.data.split import SPLITS, assign_splits
from realframe.statistics.source_weights import LABELS


def main() -> None:
    """Run the stage. Raises TooFewItemsError, DatasetError."""
    params = config.load_params(artifacts.RESOLVED_PARAMS)
    balanced = manifest.read(artifacts.BALANCED, manifest.BALANCED_SCHEMA)
    previous = previous_split.read(artifacts.PREVIOUS_SPLIT, params.split, params.seed)

    splits = assign_splits(balanced, pd.read_parquet(artifacts.QUALITY), params.split, params.balance, params.seed, previous)

    manifest.write(splits, artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    counts = splits.groupby(["split", "label"]).size()
    summary = ", ".join(f"{split} {' + '.join(f'{counts[split, label]} {label}' for label in LABELS)}" for split in SPLITS)
    digest, sizes = manifest.compute_dataset_digest(splits), splits["cluster"].value_counts()
    print(f"split_dataset: dataset digest {digest}: {summary}; {len(sizes)} clusters, the largest of {sizes.iloc[0]} items")


if __name__ == "__main__":
    main()
