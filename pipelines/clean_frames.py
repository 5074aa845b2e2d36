"""Turn each frame into an upright RGB square; drop the blank, blurred and repeated ones; quarantine the items of which none is left."""

from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pandas as pd
import PIL
import pillow_heif

from realframe import artifacts, config
from realframe.caching.item_cache import ItemCache
from realframe.config import Params
from realframe.errors import MediaError, NoUsableFrameError
from realframe.files import atomic_path, sha256_of, source_digest
from realframe.media import clean, quarantine, shards, square, still_image
from realframe.media.clean import QualityRow
from realframe.media.file_frames import refuse_empty
from realframe.media.parallel import for_each
from realframe.media.shards import keep_only, summary
from realframe.settings import get_settings

STAGE = "clean_frames"


@dataclass(frozen=True)
class _Cleaned:
    rows: list[QualityRow]
    cached: bool


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load(artifacts.RESOLVED)
    sampled = sorted(artifacts.FRAMES.glob("*.tar"))
    paths = pd.read_parquet(artifacts.MEDIA).set_index("media_id")["path"]
    cache = ItemCache(settings.cache_dir, "clean", _depends_on(params))

    results = for_each(partial(_clean, params=params, cache=cache), sampled, settings.workers, params.limits.timeout_s, STAGE)

    rows = [row for result in results if isinstance(result, _Cleaned) for row in result.rows]
    rejected = {shard: error for shard, result in zip(sampled, results, strict=True) if (error := _error(result, shard))}
    quarantine.write(
        artifacts.QUARANTINE / f"{STAGE}.parquet",
        [quarantine.row(paths[shard.stem], shard.stem, error) for shard, error in rejected.items()],
    )
    keep_only(artifacts.CLEAN, {shard.name for shard in sampled if shard not in rejected})
    _write_quality(rows)
    cached = sum(isinstance(result, _Cleaned) and result.cached for result in results)
    print(summary(STAGE, len(sampled) - len(rejected), cached, rejected.values(), [row.reason for row in rows if row.reason]))


def _clean(shard: Path, params: Params, cache: ItemCache) -> _Cleaned:
    target = artifacts.CLEAN / shard.name
    cached = cache.place(f"{sha256_of(shard)}.tar", target, lambda path: _compute(shard, params, path))
    return _Cleaned(clean.quality_rows(target), cached)


def _compute(shard: Path, params: Params, target: Path) -> None:
    clean.clean(shard, params.clean, params.limits, target)


def _error(result: _Cleaned | MediaError, shard: Path) -> MediaError | None:
    if isinstance(result, MediaError):
        return result
    try:
        refuse_empty(result.rows, shard)
    except NoUsableFrameError as error:
        return error
    return None


def _write_quality(rows: list[QualityRow]) -> None:
    ordered = sorted(rows, key=lambda row: (row.media_id, row.index))
    table = pd.DataFrame([asdict(row) for row in ordered], columns=[field.name for field in fields(QualityRow)])
    with atomic_path(artifacts.QUALITY) as temporary:
        table.to_parquet(temporary, index=False)


def _depends_on(params: Params) -> dict[str, Any]:
    versions = [PIL.__version__, pillow_heif.__version__, imagehash.__version__, np.__version__]
    return {"clean": params.clean.model_dump(), "code": source_digest(clean, still_image, shards, square), "versions": versions}


if __name__ == "__main__":
    main()
