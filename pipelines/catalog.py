"""List the media items with their labels and file facts; quarantine files that cannot be used."""

from realframe import artifacts, config
from realframe.data import manifest, takedown_list
from realframe.data.catalog import build_catalog
from realframe.errors import DatasetError
from realframe.media import quarantine
from realframe.settings import get_settings

STAGE = "catalog"


def main() -> None:
    """Run the stage. Raises DatasetError."""
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)

    catalog = build_catalog(
        artifacts.RAW_MEDIA, params.limits, settings.cache_dir, settings.workers, takedown_list.read(artifacts.TAKEDOWNS)
    )

    quarantine.write(artifacts.QUARANTINE / f"{STAGE}.parquet", catalog.rejected)
    manifest.write(catalog.media, artifacts.MEDIA, manifest.MEDIA_SCHEMA)
    print(catalog)
    if catalog.media.empty:
        reasons = " ".join(sorted({row["message"] for row in catalog.rejected})[:3])
        raise DatasetError(artifacts.RAW_MEDIA, f"none of its {catalog.file_count} files can be used", f"The first reasons: {reasons}")


if __name__ == "__main__":
    main()
