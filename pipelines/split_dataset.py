"""Deal the items to train, val and test; no group and no near-duplicate crosses."""

import pandas as pd

from bonafide import artefacts, params
from bonafide.dataset import dealt, manifest
from bonafide.dataset.split import LABELS, SPLITS, deal


def main() -> None:
    """Run the stage. Raises TooFewItemsError, DatasetError."""
    run = params.load(artefacts.RESOLVED)
    balanced = manifest.read(artefacts.BALANCED, manifest.BALANCED)
    before = dealt.read(artefacts.DEALT, run.split, run.seed)

    splits = deal(balanced, pd.read_parquet(artefacts.QUALITY), run.split, run.balance, run.seed, before)

    manifest.write(splits, artefacts.SPLITS, manifest.SPLITS)
    counts = splits.groupby(["split", "label"]).size()
    shown = ", ".join(f"{split} {' + '.join(f'{counts[split, label]} {label}' for label in LABELS)}" for split in SPLITS)
    sizes = splits["cluster"].value_counts()
    print(
        f"split_dataset: dataset {manifest.dataset_version(splits)}: {shown}; {len(sizes)} clusters, the largest of {sizes.iloc[0]} items"
    )


if __name__ == "__main__":
    main()
