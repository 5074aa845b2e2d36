"""Clean frames: turn each into an upright RGB square, drop blank, blurred and repeated ones, quarantine items without a usable frame."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pandas as pd
import PIL
import pillow_heif
import simplejpeg

from realframe import artifacts, config
from realframe.caching.code_digest import code_digest
from realframe.caching.item_cache import ItemCache
from realframe.config import Params
from realframe.errors import MediaError, NoUsableFrameError
from realframe.files import compute_sha256, remove_other_files
from realframe.media import clean, quarantine
from realframe.media.clean import QUALITY_SCHEMA, QualityRow, check_usable_frames, clean_shard, read_quality_rows
from realframe.media.process_pool import process_items
from realframe.media.quarantine import stage_summary
from realframe.settings import get_settings
from realframe.tables import write_table

STAGE = "clean_frames"


@dataclass(frozen=True)
class _CleanedItem:
    rows: list[QualityRow]
    is_cached: bool


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)
    sampled_shards = sorted(artifacts.FRAMES.glob("*.tar"))
    paths = pd.read_parquet(artifacts.MEDIA).set_index("media_id")["path"]
    cache = ItemCache(settings.cache_dir, "clean", _cache_key(params), settings.cache_limit_bytes)

    work = partial(_clean_item, params=params, cache=cache)
    results = process_items(work, sampled_shards, settings.workers, params.limits.timeout_s, STAGE)

    rows = [row for result in results if isinstance(result, _CleanedItem) for row in result.rows]
    rejected = {shard: error for shard, result in zip(sampled_shards, results, strict=True) if (error := _find_error(result, shard))}
    quarantine.write(
        artifacts.QUARANTINE / f"{STAGE}.parquet",
        [quarantine.make_row(paths[shard.stem], shard.stem, error) for shard, error in rejected.items()],
    )
    remove_other_files(artifacts.CLEAN_FRAMES, {shard.name for shard in sampled_shards if shard not in rejected})
    ordered = sorted(rows, key=lambda row: (row.media_id, row.index))
    write_table([asdict(row) for row in ordered], artifacts.QUALITY, QUALITY_SCHEMA)
    cached_count = sum(isinstance(result, _CleanedItem) and result.is_cached for result in results)
    drop_reasons = [row.reason for row in rows if row.reason]
    print(stage_summary(STAGE, len(sampled_shards) - len(rejected), cached_count, rejected.values(), drop_reasons))


def _clean_item(shard: Path, params: Params, cache: ItemCache) -> _CleanedItem:
    target = artifacts.CLEAN_FRAMES / shard.name

    def compute(path: Path) -> None:
        clean_shard(shard, params.clean, params.limits, path)

    cached = cache.fetch_or_compute(f"{compute_sha256(shard)}.tar", target, compute)
    return _CleanedItem(read_quality_rows(target), cached)


def _find_error(result: _CleanedItem | MediaError, shard: Path) -> MediaError | None:
    if isinstance(result, MediaError):
        return result
    try:
        check_usable_frames(result.rows, shard)
    except NoUsableFrameError as error:
        return error
    return None


def _cache_key(params: Params) -> dict[str, Any]:
    versions = [PIL.__version__, simplejpeg.__version__, pillow_heif.__version__, imagehash.__version__, np.__version__]
    return {"clean": params.clean.model_dump(), "code": code_digest(clean.__name__), "versions": versions}


if __name__ == "__main__":
    main()
