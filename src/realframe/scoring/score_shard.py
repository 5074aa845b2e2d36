"""Score the files of a job's shards and write a part of the score table for each. A shard whose part exists is skipped."""

from collections.abc import Callable, Sequence
from pathlib import Path

from realframe.detection.batch import BatchDetector
from realframe.detection.batch_items import BatchFile, RemoteFile
from realframe.detection.stored_predictions import store_predictions
from realframe.scoring.file_source import FileSource, SourceFile
from realframe.scoring.scoring_job import PART_SCHEMA, FileListing, ScoringJob, part_row, write_rows
from realframe.settings import Settings
from realframe.store.repository import Store, open_store


def score_shards(job: ScoringJob, shards: Sequence[str], settings: Settings, on_file: Callable[[], None] = lambda: None) -> None:
    """Score shards with one detector, store the predictions, and write the part of each shard.

    A file that cannot be scored has a row with the reason. Results are cached one by one: after a kill, none is computed again.

    Args:
        job: the job of the shards.
        shards: their names.
        settings: of this checkout.
        on_file: is called after each file.

    Raises:
        RunError: there is no such shard.
        RegistryError: the version does not exist any more, or its file is not the registered one.
        MetadataError: the predictions cannot be stored.
    """
    listings = {shard: job.read_shard(shard) for shard in shards if not job.part_path(shard).exists()}
    if not listings:
        return
    detector = BatchDetector.open(next(iter(listings.values())).model, settings, job.folder)
    with open_store(settings) as store:
        for shard, listing in listings.items():
            _score_shard(listing, job.part_path(shard), detector, store, on_file)


def _score_shard(listing: FileListing, target: Path, detector: BatchDetector, store: Store, on_file: Callable[[], None]) -> None:
    source, rows, results = FileSource(listing.source), [], []
    items = detector.score_files([_batch_file(source, file) for file in listing.files])
    for file, item in zip(listing.files, items, strict=True):
        rows.append(part_row(item.result.detection, file))
        results.append(item.result.without_pictures())  # the pictures of a whole shard would fill the memory
        on_file()
    store_predictions(store, results)
    write_rows(target, rows, PART_SCHEMA)


def _batch_file(source: FileSource, file: SourceFile) -> BatchFile:
    if source.is_local:
        return BatchFile(file.file, Path(file.location))
    key = repr((source.address, file.key))
    return BatchFile(file.file, RemoteFile(key, lambda max_bytes: source.fetch(file, max_bytes)))
