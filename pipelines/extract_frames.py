"""Extract frames: sample each item's frames with FFmpeg into one shard per item; quarantine files that cannot be decoded."""

from functools import partial
from typing import Any

import av
import pandas as pd
import PIL
import simplejpeg

from realframe import artifacts, config
from realframe.caching.code_digest import code_digest
from realframe.caching.item_cache import ItemCache
from realframe.config import Params
from realframe.errors import MediaError
from realframe.files import remove_other_files
from realframe.media import extract, ffmpeg, harmonize, quarantine
from realframe.media.probe import MediaFacts
from realframe.media.process_pool import process_items
from realframe.media.quarantine import stage_summary
from realframe.settings import get_settings

STAGE = "extract_frames"


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)
    items: list[dict[str, Any]] = pd.read_parquet(artifacts.HARMONIZED).to_dict("records")  # type: ignore[assignment]
    cache = ItemCache(settings.cache_dir, "frames", _cache_key(params), settings.cache_limit_bytes)

    work = partial(_extract_item, params=params, cache=cache)
    results = process_items(work, items, settings.workers, params.limits.timeout_s, STAGE, _path)

    rejected = [(item, result) for item, result in zip(items, results, strict=True) if isinstance(result, MediaError)]
    rows = [quarantine.make_row(item["path"], item["media_id"], error) for item, error in rejected]
    quarantine.write(artifacts.QUARANTINE / f"{STAGE}.parquet", rows)
    shard_names = {_shard_name(item) for item, result in zip(items, results, strict=True) if not isinstance(result, MediaError)}
    remove_other_files(artifacts.FRAMES, shard_names)
    print(stage_summary(STAGE, len(shard_names), results.count(True), [error for _, error in rejected]))


def _extract_item(item: dict[str, Any], params: Params, cache: ItemCache) -> bool:
    """Write one item's shard; return whether it was cached."""
    source = harmonize.frame_source(item, params.harmonize, artifacts.RAW_MEDIA, artifacts.HARMONIZED_MEDIA)
    facts = MediaFacts.from_row(item)
    return cache.fetch_or_compute(
        _shard_name(item),
        artifacts.FRAMES / _shard_name(item),
        lambda target: extract.extract_frames(source, item["media_id"], facts, params.extract, params.limits, target),
    )


def _cache_key(params: Params) -> dict[str, Any]:
    harmonized: list[Any] = []
    if params.harmonize.rewrites_files:
        harmonized = [params.harmonize.model_dump(exclude={"match"}), code_digest(harmonize.__name__)]
    return {
        "extract": params.extract.model_dump(),
        "code": code_digest(extract.__name__),
        "versions": [ffmpeg.ffmpeg_version(), av.__version__, PIL.__version__, simplejpeg.__version__],
        "harmonized": harmonized,
    }


def _path(item: dict[str, Any]) -> str:
    return str(item["path"])


def _shard_name(item: dict[str, Any]) -> str:
    return f"{item['media_id']}.tar"


if __name__ == "__main__":
    main()
