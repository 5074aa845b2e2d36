"""Select the items of the dataset so that neither class outweighs the other."""

from collections import Counter

import pandas as pd

from realframe import artifacts, config
from realframe.data import manifest
from realframe.data.balance import select_items


def main() -> None:
    """Run the stage."""
    params = config.load_params(artifacts.RESOLVED_PARAMS)
    media = manifest.read(artifacts.MEDIA, manifest.MEDIA_SCHEMA)
    rejected = pd.read_parquet(artifacts.QUARANTINE / "harmonize_media.parquet")["sha256"]
    unmatched = set(media["media_id"]) - set(pd.read_parquet(artifacts.HARMONIZED)["media_id"]) - set(rejected)

    balanced = select_items(media, pd.read_parquet(artifacts.QUALITY), params.balance, params.seed, unmatched)

    manifest.write(balanced, artifacts.BALANCED, manifest.BALANCED_SCHEMA)
    included = Counter(balanced.loc[balanced["included"], "label"])
    excluded = Counter(balanced.loc[~balanced["included"], "exclusion_reason"])
    print(f"balance_classes: {len(balanced)} items = {_format_counts(included)} included, left out: {_format_counts(excluded)}")


def _format_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    main()
