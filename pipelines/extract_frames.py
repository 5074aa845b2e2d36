"""Sample each item's frames with FFmpeg into one shard per item; quarantine the files that can't be decoded."""

from functools import partial
from typing import Any

import av
import pandas as pd
import PIL

from realframe import artifacts, config
from realframe.caching.item_cache import ItemCache
from realframe.config import Params
from realframe.errors import MediaError
from realframe.files import source_digest
from realframe.media import decode, extract, ffmpeg, frame_sampling, harmonize, quarantine, shards, square, still_image, video_stream
from realframe.media.parallel import for_each
from realframe.media.probe import MediaFacts
from realframe.media.shards import keep_only, summary
from realframe.settings import get_settings

STAGE = "extract_frames"


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load(artifacts.RESOLVED)
    items: list[dict[str, Any]] = pd.read_parquet(artifacts.HARMONIZED).to_dict("records")  # type: ignore[assignment]
    cache = ItemCache(settings.cache_dir, "frames", _depends_on(params))

    results = for_each(partial(_sample, params=params, cache=cache), items, settings.workers, params.limits.timeout_s, STAGE, _path)

    rejected = [(item, result) for item, result in zip(items, results, strict=True) if isinstance(result, MediaError)]
    rows = [quarantine.row(item["path"], item["media_id"], error) for item, error in rejected]
    quarantine.write(artifacts.QUARANTINE / f"{STAGE}.parquet", rows)
    keep_only(artifacts.FRAMES, {_shard(item) for item, result in zip(items, results, strict=True) if not isinstance(result, MediaError)})
    print(summary(STAGE, len(items) - len(rejected), results.count(True), [error for _, error in rejected]))


def _sample(item: dict[str, Any], params: Params, cache: ItemCache) -> bool:
    """Put one item's shard in its place; return whether it was cached."""
    source, facts = harmonize.source_of(item, params.harmonize, artifacts.RAW, artifacts.HARMONIZED_MEDIA), MediaFacts.from_row(item)
    return cache.place(
        _shard(item),
        artifacts.FRAMES / _shard(item),
        lambda target: extract.extract(source, item["media_id"], facts, params.extract, params.limits, target),
    )


def _depends_on(params: Params) -> dict[str, Any]:
    modules = [decode, extract, still_image, frame_sampling, shards, video_stream]
    harmonized = (
        [params.harmonize.model_dump(exclude={"match"}), source_digest(harmonize, square)] if params.harmonize.rewrites else []
    )
    versions = [ffmpeg.version(), av.__version__, PIL.__version__]
    return {"extract": params.extract.model_dump(), "code": source_digest(*modules), "versions": versions, "harmonized": harmonized}


def _path(item: dict[str, Any]) -> str:
    return str(item["path"])


def _shard(item: dict[str, Any]) -> str:
    return f"{item['media_id']}.tar"


if __name__ == "__main__":
    main()
