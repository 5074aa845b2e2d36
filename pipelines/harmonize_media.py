"""Take file facts out of the media of both classes: match, crop, encode anew; quarantine what can't be harmonized."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import av
import pandas as pd
import PIL

from realframe import artifacts, config
from realframe.caching.item_cache import ItemCache
from realframe.config import Params
from realframe.data import manifest
from realframe.data.balance import find_unmatched
from realframe.errors import DatasetError, MediaError, TooSmallError
from realframe.files import source_digest
from realframe.media import decode, ffmpeg, harmonize, quarantine, square, still_image, video_stream
from realframe.media.parallel import for_each
from realframe.media.probe import MediaFacts, probe
from realframe.media.shards import keep_only, summary
from realframe.settings import get_settings

STAGE = "harmonize_media"


@dataclass(frozen=True)
class _Harmonized:
    facts: MediaFacts
    cached: bool


def main() -> None:
    """Run the stage. Raises DatasetError."""
    params = config.load(artifacts.RESOLVED)
    media = manifest.read(artifacts.MEDIA, manifest.MEDIA).set_index("media_id", drop=False)
    failed: dict[str, MediaError] = {item["media_id"]: error for item in _records(media) if (error := _too_small(item, params))}
    fitting = media.drop(index=list(failed))
    items = fitting.drop(index=sorted(find_unmatched(fitting.reset_index(drop=True), params.harmonize.match, params.seed)))

    results = _harmonized(_records(items), params)

    failed |= {name: result for name, result in results.items() if isinstance(result, MediaError)}
    going_on = {name: result for name, result in results.items() if isinstance(result, _Harmonized)}
    rows = [media.loc[name].to_dict() | asdict(result.facts) for name, result in going_on.items()]
    rejected = [quarantine.row(str(media.loc[name, "path"]), name, error) for name, error in failed.items()]
    quarantine.write(artifacts.QUARANTINE / f"{STAGE}.parquet", rejected)
    keep_only(
        artifacts.HARMONIZED_MEDIA,
        {harmonize.harmonized_name(row["media_id"], row["kind"], params.harmonize) for row in rows} if params.harmonize.rewrites else (),
    )
    manifest.write(pd.DataFrame(rows, columns=manifest.MEDIA.names), artifacts.HARMONIZED, manifest.MEDIA)
    cached = sum(result.cached for result in going_on.values())
    print(f"{summary(STAGE, len(rows), cached, failed.values())}, {len(fitting) - len(items)} unmatched")
    if not rows:
        raise DatasetError(
            artifacts.HARMONIZED, "harmonization leaves no item", "Match fewer facts, or lower harmonize.crop or harmonize.seconds."
        )


def _harmonized(items: list[dict[str, Any]], params: Params) -> dict[str, _Harmonized | MediaError]:
    """Return what became of each item, by ``media_id``; without a harmonization that rewrites, each goes on as it is."""
    if not params.harmonize.rewrites:
        return {item["media_id"]: _Harmonized(MediaFacts.from_row(item), cached=False) for item in items}
    settings = get_settings()
    work = partial(_harmonize, params=params, cache=ItemCache(settings.cache_dir, "harmonized", _depends_on(params)))
    results = for_each(work, items, settings.workers, params.limits.timeout_s, STAGE, _path)
    return {item["media_id"]: result for item, result in zip(items, results, strict=True)}


def _harmonize(item: dict[str, Any], params: Params, cache: ItemCache) -> _Harmonized:
    """Put one item's harmonized file in its place."""
    source, target = artifacts.RAW / item["path"], harmonize.source_of(item, params.harmonize, artifacts.RAW, artifacts.HARMONIZED_MEDIA)
    facts = MediaFacts.from_row(item)
    cached = cache.place(target.name, target, lambda path: harmonize.harmonize_file(source, facts, params.harmonize, params.limits, path))
    return _Harmonized(probe(target, params.limits), cached)


def _too_small(item: Mapping[str, Any], params: Params) -> TooSmallError | None:
    try:
        harmonize.refuse_small(MediaFacts.from_row(item), params.harmonize, item["path"])
    except TooSmallError as error:
        return error
    return None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")  # type: ignore[return-value]


def _path(item: dict[str, Any]) -> str:
    return str(item["path"])


def _depends_on(params: Params) -> dict[str, Any]:
    return {
        "harmonize": params.harmonize.model_dump(exclude={"match"}),
        "code": source_digest(harmonize, decode, still_image, square, video_stream),
        "versions": [ffmpeg.version(), av.__version__, PIL.__version__],
    }


if __name__ == "__main__":
    main()
