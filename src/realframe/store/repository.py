"""The one door to the metadata store: few operations, each of which NX-27017 and MongoDB do alike (held by contract tests).

No transactions, no pipelines but those that count, no ``$jsonSchema``, no sort by a number in ``_id``, no ``$addToSet`` to a list that
is not there: NX-27017 does these wrongly without an error. Nor does it find anything through an index over a list: those are made on a
real MongoDB only. It uses an index where a field equals a value, and reads the whole collection for all else (``$in``, ``$or``, ``$lt``).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pymongo import ASCENDING, DESCENDING, MongoClient, ReturnDocument, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import ConfigurationError, DuplicateKeyError, PyMongoError

from realframe.errors import LedgerError, MetadataError
from realframe.settings import Settings
from realframe.store.document_base import Document
from realframe.store.documents import DOCUMENTS
from realframe.store.embedded_store import embedded

_CHUNK = 1000
_TIMEOUT_MS = 5000
_KEPT = WriteConcern("majority", j=True)  # on a majority of the servers, and on their disks

D = TypeVar("D", bound=Document)
Row = dict[str, Any]
Where = Mapping[str, Any]


@contextmanager
def open_store(settings: Settings) -> Iterator["Store"]:
    """Open the store that ``MONGODB_URI`` names, or else the checkout's embedded one. Raises MetadataError.

    The embedded server runs as long as a process is in here. One that is killed meanwhile is started again by the next ``open_store``.
    """
    with ExitStack() as stack:
        uri = settings.mongodb_uri or stack.enter_context(embedded(settings.state / "metadata"))
        address = re.sub(r"//[^@/]*@", "//", uri)  # without the password
        client = stack.enter_context(_client(uri, address))
        with _told(address):
            store = Store(client, settings.mongodb_database, address)
        yield store


class Store:
    """The collections of one database.

    Args:
        client: of the server.
        database: the database's name.
        address: what people are shown.
    """

    def __init__(self, client: MongoClient[Row], database: str, address: str) -> None:
        self.address = address
        self._database = client[database]
        real = client.admin.command("buildInfo").get("process") != "nx_27017"
        for cls in DOCUMENTS:
            for field in cls.UNIQUE:
                self._collection(cls).create_index(field, unique=True)
            for field in (*cls.INDEXES, *(cls.LIST_INDEXES if real else ())):
                self._collection(cls).create_index(field)

    def upsert(self, documents: Sequence[Document]) -> None:
        """Write documents; those that are there get the new values, and keep what ``add`` gave them."""
        for cls in {type(document) for document in documents}:
            for chunk in _chunks([document for document in documents if type(document) is cls]):
                with _told(self.address):
                    self._collection(cls).bulk_write([_upsert(document) for document in chunk], ordered=False)

    def add(self, cls: type[Document], keys: Sequence[str], field: str, value: str | BaseModel) -> None:
        """Add ``value`` to the set ``field`` of each of the documents ``keys``; one that has it stays as it is."""
        element = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for chunk in _chunks(keys):
            with _told(self.address):
                self._collection(cls).update_many({"_id": {"$in": chunk}}, {"$addToSet": {field: element}})

    def remove(self, cls: type[Document], where: Where, field: str, element: Where) -> None:
        """Take the elements that match ``element`` out of the set ``field`` of the documents that match ``where``."""
        with _told(self.address):
            self._collection(cls).update_many(where, {"$pull": {field: element}})

    def get(self, cls: type[D], key: str) -> D | None:
        """Return the document of a key."""
        with _told(self.address):
            row = self._collection(cls).find_one({"_id": key})
        return None if row is None else self._document(cls, row)

    def find(self, cls: type[D], where: Where | None = None) -> list[D]:
        """Return the documents that match, ordered by key."""
        with _told(self.address):
            rows = list(self._collection(cls).find(where or {}))
        return sorted((self._document(cls, row) for row in rows), key=lambda document: document.key)

    def keys(self, cls: type[Document], where: Where | None = None) -> set[str]:
        """Return the keys of the documents that match; by default of all."""
        with _told(self.address):
            return {row["_id"] for row in self._collection(cls).find(where or {}, {"_id": 1})}

    def delete(self, cls: type[Document], keys: Iterable[str]) -> None:
        """Delete documents by key."""
        for chunk in _chunks(sorted(keys)):
            with _told(self.address):
                self._collection(cls).delete_many({"_id": {"$in": chunk}})

    def newest(self, cls: type[D], field: str) -> D | None:
        """Return the document with the highest number in ``field``, which is not its key."""
        with _told(self.address):
            row = self._collection(cls).find_one(sort=[(field, DESCENDING)])
        return None if row is None else self._document(cls, row)

    def page(self, cls: type[D], where: Where, limit: int) -> list[D]:
        """Return at most ``limit`` of the documents that match, the highest keys first."""
        with _told(self.address):
            rows = list(self._collection(cls).find(where).sort("_id", DESCENDING).limit(limit))
        return [self._document(cls, row) for row in rows]

    def count(self, cls: type[Document], where: Where) -> int:
        """Return how many documents match."""
        stages: list[Row] = [{"$match": dict(where)}, {"$count": "n"}]  # NX-27017's own count takes seconds for some 10,000 documents
        with _told(self.address):
            rows = list(self._collection(cls).aggregate(stages))
        return int(rows[0]["n"]) if rows else 0

    def tally(self, cls: type[Document], field: str, where: Where) -> dict[str, int]:
        """Return of the documents that match how many have each value of a text field."""
        stages: list[Row] = [{"$match": dict(where)}, {"$group": {"_id": f"${field}", "n": {"$sum": 1}}}]
        with _told(self.address):
            return {row["_id"]: int(row["n"]) for row in self._collection(cls).aggregate(stages)}

    def first(self, cls: type[D], where: Where, order: Sequence[str], limit: int) -> list[D]:
        """Return at most ``limit`` of the documents that match, in the rising order of the fields ``order``."""
        with _told(self.address):
            rows = list(self._collection(cls).find(where).sort([(field, ASCENDING) for field in order]).limit(limit))
        return [self._document(cls, row) for row in rows]

    def claim(self, cls: type[D], key: str, where: Where, changes: Row, counter: str) -> D | None:
        """Change a document if it still matches, and return it as it is then; of several callers at once only one does.

        Args:
            cls: of the document.
            key: of the document.
            where: what it must match, changed by ``changes`` so that it does not afterwards.
            changes: the new values of its fields, by name (dotted for parts), as JSON.
            counter: a number field, to which 1 is added.
        """
        changed = {"$set": changes, "$inc": {counter: 1}}
        with _told(self.address):
            row = self._collection(cls).find_one_and_update({"_id": key, **where}, changed, return_document=ReturnDocument.AFTER)
        return None if row is None else self._document(cls, row)

    def change(self, cls: type[Document], key: str, changes: Row, where: Where | None = None) -> bool:
        """Give fields of a document new values (dotted names for parts, as JSON); return False where it is gone or does not match."""
        with _told(self.address):
            return bool(self._collection(cls).update_one({"_id": key, **(where or {})}, {"$set": changes}).matched_count)

    def insert(self, document: Document) -> None:
        """Write what people add: once, and safe on disk when this returns. Raises LedgerError where another one stands in its place."""
        row = {"_id": document.key, **document.model_dump(mode="json")}
        with _told(self.address):
            try:
                self._collection(type(document)).with_options(write_concern=_KEPT).insert_one(row)
            except DuplicateKeyError as error:
                raise LedgerError(document.COLLECTION, "another writer came first", "Read again and decide again.") from error

    def _collection(self, cls: type[Document]) -> Collection[Row]:
        return self._database[cls.COLLECTION]

    def _document(self, cls: type[D], row: Row) -> D:
        try:
            return cls.model_validate({name: value for name, value in row.items() if name != "_id"})
        except ValidationError as error:
            first = error.errors()[0]
            reason = f"is not as it should be: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise MetadataError(f"{cls.COLLECTION}/{row['_id']}", reason, "Write it anew: `realframe metadata sync`.") from error


def _client(uri: str, address: str) -> MongoClient[Row]:
    try:
        return MongoClient(uri, serverSelectionTimeoutMS=_TIMEOUT_MS, appname="realframe")
    except (ConfigurationError, ValueError) as error:
        raise MetadataError(address, f"is no MongoDB address: {error}", "Mend or unset MONGODB_URI.") from error


def _upsert(document: Document) -> UpdateOne:
    fields = document.model_dump(mode="json", exclude=set(document.GROWS))
    sets: Row = {field: [] for field in document.GROWS}  # NX-27017 adds nothing to a set that is not there
    return UpdateOne({"_id": document.key}, {"$set": fields} | ({"$setOnInsert": sets} if sets else {}), upsert=True)


def _chunks(items: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), _CHUNK):
        yield list(items[start : start + _CHUNK])


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Tell a failure of the server as an error that names it."""
    try:
        yield
    except PyMongoError as error:
        reason = str(error).split(", Timeout:")[0]
        raise MetadataError(address, f"failed: {reason}", "Is the server there? Without MONGODB_URI, realframe starts its own.") from error
