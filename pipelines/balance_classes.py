"""Choose the items of the dataset so that neither class outweighs the other."""

from collections import Counter

import pandas as pd

from realframe import artifacts, config
from realframe.data import manifest
from realframe.data.balance import choose


def main() -> None:
    """Run the stage."""
    params = config.load(artifacts.RESOLVED)
    media = manifest.read(artifacts.MEDIA, manifest.MEDIA)
    refused = pd.read_parquet(artifacts.QUARANTINE / "harmonize_media.parquet")["sha256"]
    unmatched = set(media["media_id"]) - set(pd.read_parquet(artifacts.HARMONIZED)["media_id"]) - set(refused)

    balanced = choose(media, pd.read_parquet(artifacts.QUALITY), params.balance, params.seed, unmatched)

    manifest.write(balanced, artifacts.BALANCED, manifest.BALANCED)
    left_out = Counter(balanced.loc[~balanced["included"], "why"])
    taken = Counter(balanced.loc[balanced["included"], "label"])
    print(f"balance_classes: {len(balanced)} items = {_shown(taken)} taken, left out: {_shown(left_out)}")


def _shown(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    main()
