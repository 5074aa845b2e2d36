"""Choose the items of the dataset so that neither class outweighs the other."""

from collections import Counter

import pandas as pd

from bonafide import artefacts, params
from bonafide.dataset import manifest
from bonafide.dataset.balance import choose


def main() -> None:
    """Run the stage."""
    run = params.load(artefacts.RESOLVED)
    media = manifest.read(artefacts.MEDIA, manifest.MEDIA)
    refused = pd.read_parquet(artefacts.QUARANTINE / "cure_media.parquet")["sha256"]
    unmatched = set(media["media_id"]) - set(pd.read_parquet(artefacts.CURED)["media_id"]) - set(refused)

    balanced = choose(media, pd.read_parquet(artefacts.QUALITY), run.balance, run.seed, unmatched)

    manifest.write(balanced, artefacts.BALANCED, manifest.BALANCED)
    left_out = Counter(balanced.loc[~balanced["included"], "why"])
    taken = Counter(balanced.loc[balanced["included"], "label"])
    print(f"balance_classes: {len(balanced)} items = {_shown(taken)} taken, left out: {_shown(left_out)}")


def _shown(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    main()
