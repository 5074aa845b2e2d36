"""Harmonize media: match items of both classes by file facts, crop and re-encode files, quarantine what cannot be harmonized."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from realframe.data import manifest
from realframe.data.balance import find_unmatched
from realframe.errors import DatasetError, MediaError, TooSmallError
from realframe.files import remove_other_files
from realframe.media import ffmpeg, harmonize, quarantine
from realframe.media.probe import MediaFacts, probe_media
from realframe.media.process_pool import process_items
from realframe.media.quarantine import stage_summary
from realframe.settings import get_settings

STAGE = "harmonize_media"


@dataclass(frozen=True)
class _HarmonizedItem:
    facts: MediaFacts
    is_cached: bool


def main() -> None:
    """Run the stage. Raises DatasetError."""
    params = config.load_params(artifacts.RESOLVED_PARAMS)
    media = manifest.read(artifacts.MEDIA, manifest.MEDIA_SCHEMA).set_index("media_id", drop=False)
    failed: dict[str, MediaError] = {item["media_id"]: error for item in _records(media) if (error := _find_size_error(item, params))}
    large_enough = media.drop(index=list(failed))
    unmatched = find_unmatched(large_enough.reset_index(drop=True), params.harmonize.match, params.seed)

    results = _harmonize_items(_records(large_enough.drop(index=sorted(unmatched))), params)

    failed |= {media_id: result for media_id, result in results.items() if isinstance(result, MediaError)}
    harmonized = {media_id: result for media_id, result in results.items() if isinstance(result, _HarmonizedItem)}
    rejected = [quarantine.make_row(str(media.loc[media_id, "path"]), media_id, error) for media_id, error in failed.items()]
    quarantine.write(artifacts.QUARANTINE / f"{STAGE}.parquet", rejected)
    rows = [media.loc[media_id].to_dict() | asdict(result.facts) for media_id, result in harmonized.items()]
    file_names = {harmonize.harmonized_file_name(row["media_id"], row["kind"], params.harmonize) for row in rows}
    remove_other_files(artifacts.HARMONIZED_MEDIA, file_names if params.harmonize.rewrites_files else ())
    manifest.write(pd.DataFrame(rows, columns=manifest.MEDIA_SCHEMA.names), artifacts.HARMONIZED, manifest.MEDIA_SCHEMA)
    cached_count = sum(result.is_cached for result in harmonized.values())
    print(f"{stage_summary(STAGE, len(rows), cached_count, failed.values())}, {len(unmatched)} unmatched")
    if not rows:
        hint = "Match fewer facts, or lower harmonize.crop or harmonize.seconds."
        raise DatasetError(artifacts.HARMONIZED, "harmonization leaves no item", hint)


def _harmonize_items(items: list[dict[str, Any]], params: Params) -> dict[str, _HarmonizedItem | MediaError]:
    """Return the result of each item, by ``media_id``; if harmonization rewrites no files, each item stays as it is."""
    if not params.harmonize.rewrites_files:
        return {item["media_id"]: _HarmonizedItem(MediaFacts.from_row(item), is_cached=False) for item in items}
    settings = get_settings()
    cache = ItemCache(settings.cache_dir, "harmonized", _cache_key(params), settings.cache_limit_bytes)
    work = partial(_harmonize_item, params=params, cache=cache)
    results = process_items(work, items, settings.workers, params.limits.timeout_s, STAGE, _path)
    return {item["media_id"]: result for item, result in zip(items, results, strict=True)}


def _harmonize_item(item: dict[str, Any], params: Params, cache: ItemCache) -> _HarmonizedItem:
    """Write one item's harmonized file."""
    source = artifacts.RAW_MEDIA / item["path"]
    target = harmonize.frame_source(item, params.harmonize, artifacts.RAW_MEDIA, artifacts.HARMONIZED_MEDIA)
    facts = MediaFacts.from_row(item)
    cached = cache.fetch_or_compute(
        target.name, target, lambda path: harmonize.harmonize_file(source, facts, params.harmonize, params.limits, path)
    )
    return _HarmonizedItem(probe_media(target, params.limits), cached)


def _find_size_error(item: Mapping[str, Any], params: Params) -> TooSmallError | None:
    try:
        harmonize.check_size(MediaFacts.from_row(item), params.harmonize, item["path"])
    except TooSmallError as error:
        return error
    return None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")  # type: ignore[return-value]


def _path(item: dict[str, Any]) -> str:
    return str(item["path"])


def _cache_key(params: Params) -> dict[str, Any]:
    return {
        "harmonize": params.harmonize.model_dump(exclude={"match"}),
        "code": code_digest(harmonize.__name__),
        "versions": [ffmpeg.ffmpeg_version(), av.__version__, PIL.__version__, simplejpeg.__version__],
    }


if __name__ == "__main__":
    main()
