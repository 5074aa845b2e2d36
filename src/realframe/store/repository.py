"""Read and write documents in MongoDB, or in the embedded server that speaks its protocol (NX-27017).

``Store`` is the only class that sends queries. The other modules of this package build the filters that it gets.

It offers few operations, and the contract tests check that both servers do each of them alike. It uses no transactions, no pipelines
other than counts, no ``$jsonSchema``, no sort by a number in ``_id`` and no ``$addToSet`` to a missing list: NX-27017 does these wrongly
without an error. NX-27017 does not find anything through an index over a list either, so these indexes are created on a real MongoDB
only. It compares texts that begin like a date by the second, also for equality: compare times as numbers. It uses an index where a
field equals a value, and reads the whole collection for everything else (``$in``, ``$or``, ``$lt``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pymongo import ASCENDING, DESCENDING, MongoClient, ReturnDocument, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, ConfigurationError, DuplicateKeyError, PyMongoError

from realframe.errors import LedgerError, MetadataError
from realframe.settings import Settings, hide_password
from realframe.store.detection_documents import DetectionRecord
from realframe.store.document_base import Document
from realframe.store.embedded_server import serve_embedded
from realframe.store.index_documents import DERIVED
from realframe.store.user_documents import DriftWindow, Feedback, GateRecord, LedgerEntry, Prediction, RegressionItem, Takedown

DOCUMENTS: tuple[type[Document], ...] = (
    *DERIVED,
    LedgerEntry,
    Prediction,
    Feedback,
    RegressionItem,
    Takedown,
    DriftWindow,
    GateRecord,
    DetectionRecord,
)
"""The collections whose indexes a store creates when it is opened."""
_CHUNK = 1000  # documents in one command
_TIMEOUT_MS = 5000
_ANSWER_TIMEOUT_MS = 60_000  # without a limit, a server that hangs would hang its clients
_DISK_FULL_WORDS = ("disk is full", "No space left", "OutOfDiskSpace")  # of SQLite, of the system, of MongoDB
_DURABLE = WriteConcern("majority", j=True)  # on a majority of the servers, and on their disks

D = TypeVar("D", bound=Document)
Row = dict[str, Any]
Query = Mapping[str, Any]
"""A filter in MongoDB's query language."""


@contextmanager
def open_store(settings: Settings) -> Iterator["Store"]:
    """Open the store that ``MONGODB_URI`` names, or else the checkout's embedded one. Raises MetadataError.

    The embedded server runs as long as any process is inside this context. If it is killed, the next ``open_store`` starts it again.
    """
    with ExitStack() as stack:
        uri = settings.mongodb_uri or stack.enter_context(serve_embedded(settings.state_dir / "metadata"))
        address = hide_password(uri)
        client = stack.enter_context(_connect(uri, address, settings.mongodb_password if settings.mongodb_uri else None))
        with _translate_errors(address):
            store = Store(client, settings.mongodb_database, address)
        yield store


class Store:
    """The collections of one database.

    Args:
        client: client of the server.
        database: name of the database.
        address: address of the server in messages, without a password.
    """

    def __init__(self, client: MongoClient[Row], database: str, address: str) -> None:
        self.address = address
        self._database = client[database]
        is_mongodb = client.admin.command("buildInfo").get("process") != "nx_27017"
        for cls in DOCUMENTS:
            for field in cls.UNIQUE:
                self._collection(cls).create_index(field, unique=True)
            for field in (*cls.INDEXES, *(cls.LIST_INDEXES if is_mongodb else ())):
                self._collection(cls).create_index(field)

    def get(self, cls: type[D], key: str) -> D | None:
        """Return the document with a key, or None."""
        with _translate_errors(self.address):
            row = self._collection(cls).find_one({"_id": key})
        return None if row is None else self._parse(cls, row)

    def find(self, cls: type[D], query: Query | None = None) -> list[D]:
        """Return the documents that match, ordered by key; by default all."""
        with _translate_errors(self.address):
            rows = list(self._collection(cls).find(query or {}))
        return sorted((self._parse(cls, row) for row in rows), key=lambda document: document.key)

    def find_fields(
        self,
        cls: type[Document],
        fields: Sequence[str],
        query: Query,
        order: Sequence[str] = (),
        limit: int = 0,
        *,
        descending: bool = False,
    ) -> list[Row]:
        """Return some fields of the documents that match, as JSON values: for documents that are large or many.

        Args:
            cls: class of the documents.
            fields: names of the fields.
            query: what the documents must match.
            order: fields by which they are sorted.
            limit: the highest number of documents; 0 for all.
            descending: the highest values first.
        """
        direction = DESCENDING if descending else ASCENDING
        with _translate_errors(self.address):
            found = self._collection(cls).find(query, {"_id": 0, **dict.fromkeys(fields, 1)}).limit(limit)
            return list(found.sort([(field, direction) for field in order]) if order else found)

    def find_keys(self, cls: type[Document], query: Query | None = None) -> set[str]:
        """Return the keys of the documents that match; by default of all."""
        with _translate_errors(self.address):
            return {row["_id"] for row in self._collection(cls).find(query or {}, {"_id": 1})}

    def find_page(self, cls: type[D], query: Query, limit: int) -> list[D]:
        """Return at most ``limit`` of the documents that match, the highest keys first."""
        with _translate_errors(self.address):
            rows = list(self._collection(cls).find(query).sort("_id", DESCENDING).limit(limit))
        return [self._parse(cls, row) for row in rows]

    def find_first(self, cls: type[D], query: Query, order: Sequence[str], limit: int) -> list[D]:
        """Return at most ``limit`` of the documents that match, in ascending order of the fields ``order``."""
        with _translate_errors(self.address):
            rows = list(self._collection(cls).find(query).sort([(field, ASCENDING) for field in order]).limit(limit))
        return [self._parse(cls, row) for row in rows]

    def find_highest(self, cls: type[D], field: str) -> D | None:
        """Return the document with the highest value in ``field``, which is not its key; None if the collection is empty."""
        with _translate_errors(self.address):
            row = self._collection(cls).find_one(sort=[(field, DESCENDING)])
        return None if row is None else self._parse(cls, row)

    def count(self, cls: type[Document], query: Query) -> int:
        """Return the number of documents that match."""
        stages: list[Row] = [{"$match": dict(query)}, {"$count": "n"}]  # NX-27017's own count takes seconds for some 10,000 documents
        with _translate_errors(self.address):
            rows = list(self._collection(cls).aggregate(stages))
        return int(rows[0]["n"]) if rows else 0

    def count_by(self, cls: type[Document], field: str, query: Query) -> dict[str, int]:
        """Return the number of documents that match, by the value of a text field."""
        stages: list[Row] = [{"$match": dict(query)}, {"$group": {"_id": f"${field}", "n": {"$sum": 1}}}]
        with _translate_errors(self.address):
            return {row["_id"]: int(row["n"]) for row in self._collection(cls).aggregate(stages)}

    def insert(self, document: Document) -> None:
        """Insert a document that people add; it is durable when this returns.

        Raises LedgerError if a document with the same key or unique field exists.
        """
        row = {"_id": document.key, **document.model_dump(mode="json")}
        with _translate_errors(self.address):
            try:
                self._collection(type(document)).with_options(write_concern=_DURABLE).insert_one(row)
            except DuplicateKeyError as error:
                raise LedgerError(
                    document.COLLECTION, "another process changed the collection since it was read", "Run the command again."
                ) from error

    def upsert(self, documents: Sequence[Document]) -> None:
        """Insert documents, or update those that exist; their ``SET_FIELDS`` are left alone."""
        for cls in {type(document) for document in documents}:
            for chunk in _chunks([document for document in documents if type(document) is cls]):
                with _translate_errors(self.address):
                    self._collection(cls).bulk_write([_upsert_one(document) for document in chunk], ordered=False)

    def update(self, cls: type[Document], key: str, changes: Row, query: Query | None = None) -> bool:
        """Set fields of a document (dotted names for parts, values as JSON); return False if it is gone or does not match ``query``."""
        with _translate_errors(self.address):
            return bool(self._collection(cls).update_one({"_id": key, **(query or {})}, {"$set": changes}).matched_count)

    def claim(self, cls: type[D], key: str, query: Query, changes: Row, counter: str) -> D | None:
        """Update a document if it still matches, and return the updated document, or None; of concurrent callers only one succeeds.

        Args:
            cls: class of the document.
            key: key of the document.
            query: what the document must match; ``changes`` must make it false.
            changes: the new values of its fields, by name (dotted for parts), as JSON.
            counter: a number field that is incremented by 1.
        """
        update = {"$set": changes, "$inc": {counter: 1}}
        with _translate_errors(self.address):
            row = self._collection(cls).find_one_and_update({"_id": key, **query}, update, return_document=ReturnDocument.AFTER)
        return None if row is None else self._parse(cls, row)

    def add_to_set(self, cls: type[Document], keys: Sequence[str], field: str, value: str | BaseModel) -> None:
        """Add ``value`` to the set ``field`` of the documents ``keys``; a document that has it already stays as it is."""
        element = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for chunk in _chunks(keys):
            with _translate_errors(self.address):
                self._collection(cls).update_many({"_id": {"$in": chunk}}, {"$addToSet": {field: element}})

    def remove_from_set(self, cls: type[Document], query: Query, field: str, element: Query) -> None:
        """Remove the elements that match ``element`` from the set ``field`` of the documents that match ``query``."""
        with _translate_errors(self.address):
            self._collection(cls).update_many(query, {"$pull": {field: element}})

    def delete(self, cls: type[Document], keys: Iterable[str]) -> None:
        """Delete documents by key."""
        for chunk in _chunks(sorted(keys)):
            with _translate_errors(self.address):
                self._collection(cls).delete_many({"_id": {"$in": chunk}})

    def _collection(self, cls: type[Document]) -> Collection[Row]:
        return self._database[cls.COLLECTION]

    def _parse(self, cls: type[D], row: Row) -> D:
        try:
            return cls.model_validate({name: value for name, value in row.items() if name != "_id"})
        except ValidationError as error:
            first = error.errors()[0]
            reason = f"is not a valid document: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise MetadataError(f"{cls.COLLECTION}/{row['_id']}", reason, "Rebuild the index: `realframe metadata sync`.") from error


def _connect(uri: str, address: str, password: str | None) -> MongoClient[Row]:
    credentials: Row = {"password": password} if password else {}  # None would replace the password in the address
    try:
        return MongoClient(
            uri, **credentials, serverSelectionTimeoutMS=_TIMEOUT_MS, socketTimeoutMS=_ANSWER_TIMEOUT_MS, appname="realframe"
        )
    except (ConfigurationError, ValueError) as error:
        raise MetadataError(address, f"is not a MongoDB address: {error}", "Correct or unset MONGODB_URI and MONGODB_PASSWORD.") from error


def _upsert_one(document: Document) -> UpdateOne:
    fields = document.model_dump(mode="json", exclude=set(document.SET_FIELDS))
    empty_sets: Row = {field: [] for field in document.SET_FIELDS}  # NX-27017 adds nothing to a set that is missing
    return UpdateOne({"_id": document.key}, {"$set": fields} | ({"$setOnInsert": empty_sets} if empty_sets else {}), upsert=True)


def _chunks(items: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _CHUNK):
        yield list(items[start : start + _CHUNK])


@contextmanager
def _translate_errors(address: str) -> Iterator[None]:
    """Raise a failure of the server as a MetadataError that names its address."""
    try:
        yield
    except PyMongoError as error:
        reason = str(error).split(", Timeout:")[0].split(", full error:")[0]
        if isinstance(error, BulkWriteError) and (failures := error.details.get("writeErrors")):
            reason = str(failures[0].get("errmsg"))  # the text of the error holds every document
        hint = "Check that the server runs. Without MONGODB_URI, realframe starts its own."
        if any(word in reason for word in _DISK_FULL_WORDS):
            hint = "Free space on the disk of the store; the embedded one is in the folder `metadata` of the state folder."
        raise MetadataError(address, f"failed: {reason}", hint) from error
