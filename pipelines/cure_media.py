"""Take file facts out of the media of both classes: match, crop, encode anew; quarantine what can't be cured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import av
import pandas as pd
import PIL

from bonafide import artefacts, params
from bonafide.cache import ItemCache
from bonafide.dataset import manifest
from bonafide.dataset.matching import unmatched
from bonafide.errors import DatasetError, MediaError, TooSmallError
from bonafide.files import source_digest
from bonafide.media import cure, decode, ffmpeg, picture, quarantine, reencode, square, stream
from bonafide.media.folder import keep_only, summary
from bonafide.media.parallel import for_each
from bonafide.media.probe import MediaFacts, probe
from bonafide.params import Params
from bonafide.settings import get_settings

STAGE = "cure_media"


@dataclass(frozen=True)
class _Cured:
    facts: MediaFacts
    cached: bool


def main() -> None:
    """Run the stage. Raises DatasetError."""
    run = params.load(artefacts.RESOLVED)
    media = manifest.read(artefacts.MEDIA, manifest.MEDIA).set_index("media_id", drop=False)
    failed: dict[str, MediaError] = {item["media_id"]: error for item in _records(media) if (error := _too_small(item, run))}
    fitting = media.drop(index=list(failed))
    items = fitting.drop(index=sorted(unmatched(fitting.reset_index(drop=True), run.cure.match, run.seed)))

    results = _cured(_records(items), run)

    failed |= {name: result for name, result in results.items() if isinstance(result, MediaError)}
    going_on = {name: result for name, result in results.items() if isinstance(result, _Cured)}
    rows = [media.loc[name].to_dict() | asdict(result.facts) for name, result in going_on.items()]
    rejected = [quarantine.row(str(media.loc[name, "path"]), name, error) for name, error in failed.items()]
    quarantine.write(artefacts.QUARANTINE / f"{STAGE}.parquet", rejected)
    keep_only(artefacts.CURED_MEDIA, {cure.cured_name(row["media_id"], row["kind"], run.cure) for row in rows} if run.cure.rewrites else ())
    manifest.write(pd.DataFrame(rows, columns=manifest.MEDIA.names), artefacts.CURED, manifest.MEDIA)
    cached = sum(result.cached for result in going_on.values())
    print(f"{summary(STAGE, len(rows), cached, failed.values())}, {len(fitting) - len(items)} unmatched")
    if not rows:
        raise DatasetError(artefacts.CURED, "the cure leaves no item", "Match fewer facts, or lower cure.crop or cure.seconds.")


def _cured(items: list[dict[str, Any]], run: Params) -> dict[str, _Cured | MediaError]:
    """Return what became of each item, by ``media_id``; without a cure that rewrites, each goes on as it is."""
    if not run.cure.rewrites:
        return {item["media_id"]: _Cured(MediaFacts.from_row(item), cached=False) for item in items}
    settings = get_settings()
    work = partial(_cure, run=run, cache=ItemCache(settings.cache_dir, "cured", _depends_on(run)))
    results = for_each(work, items, settings.workers, run.limits.timeout_s, STAGE, _path)
    return {item["media_id"]: result for item, result in zip(items, results, strict=True)}


def _cure(item: dict[str, Any], run: Params, cache: ItemCache) -> _Cured:
    """Put one item's cured file in its place."""
    source, target = artefacts.RAW / item["path"], cure.source_of(item, run.cure, artefacts.RAW, artefacts.CURED_MEDIA)
    facts = MediaFacts.from_row(item)
    cached = cache.place(target.name, target, lambda path: cure.cure_file(source, facts, run.cure, run.limits, path))
    return _Cured(probe(target, run.limits), cached)


def _too_small(item: Mapping[str, Any], run: Params) -> TooSmallError | None:
    try:
        cure.refuse_small(MediaFacts.from_row(item), run.cure, item["path"])
    except TooSmallError as error:
        return error
    return None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")  # type: ignore[return-value]


def _path(item: dict[str, Any]) -> str:
    return str(item["path"])


def _depends_on(run: Params) -> dict[str, Any]:
    return {
        "cure": run.cure.model_dump(exclude={"match"}),
        "code": source_digest(cure, decode, picture, reencode, square, stream),
        "versions": [ffmpeg.version(), av.__version__, PIL.__version__],
    }


if __name__ == "__main__":
    main()
