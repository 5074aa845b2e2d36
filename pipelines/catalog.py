"""List the media items with their labels and file facts; quarantine what can't be used."""

from bonafide import artefacts, params
from bonafide.dataset import manifest, takedowns
from bonafide.dataset.catalog import catalogue
from bonafide.errors import DatasetError
from bonafide.media import quarantine
from bonafide.settings import get_settings

STAGE = "catalog"


def main() -> None:
    """Run the stage. Raises DatasetError."""
    settings, run = get_settings(), params.load(artefacts.RESOLVED)

    catalog = catalogue(artefacts.RAW, run.limits, settings.cache_dir, settings.workers, takedowns.read(artefacts.TAKEDOWNS))

    quarantine.write(artefacts.QUARANTINE / f"{STAGE}.parquet", catalog.rejected)
    manifest.write(catalog.media, artefacts.MEDIA, manifest.MEDIA)
    print(catalog)
    if catalog.media.empty:
        reasons = " ".join(sorted({row["message"] for row in catalog.rejected})[:3])
        raise DatasetError(artefacts.RAW, f"none of its {catalog.found} files can be used", f"The first reasons: {reasons}")


if __name__ == "__main__":
    main()
