"""What the pipeline asks of the outside world, as Protocols. Adapters live in `resources`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from holocron_assets.records import Disk, EmbeddingSpace, SpaceIdentity
from holocron_assets.vectors import Vectors


class Session(Protocol):
    """One open transaction. Statements are the named queries of `sql/<dialect>/`, but for those a user wrote.

    Parameters are strings, numbers, booleans, datetimes, UUIDs, and lists of those. Callers use the typed
    functions in `holocron_assets.tables`, one per query.
    """

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """All rows of a query, each by column name."""
        ...

    def stream(self, query: str, **parameters: Any) -> Iterator[pa.RecordBatch]:
        """The rows of a query in batches, for results that should not be in memory at once."""
        ...

    def stream_user_query(self, text: str) -> Iterator[pa.RecordBatch]:
        """The rows of a query that a user wrote in the database's own SQL, every value as text, NULL as null.

        The first batch comes even without rows: it names the columns. Only in a session that was opened to read, and
        whatever the text does to the database is taken back. Raises `StoreError` for anything but a query.
        """
        ...

    def execute(self, query: str, **parameters: Any) -> int:
        """Run a write; returns how many rows its last statement affected."""
        ...

    def count_vectors_to_index(self, space_id: UUID, dimensions: int) -> int:
        """How much `index_vectors` has to do for a space; 0 also where the database compares no vectors."""
        ...

    def index_vectors(self, space_id: UUID, dimensions: int, limit: int) -> int:
        """Take up to `limit` of a space's current vectors into what this database compares vectors by, and others out.

        Returns how many; 0 when there is nothing left to do, or where the database compares no vectors.
        """
        ...

    def near_vectors(self, space_id: UUID, query: NDArray[np.float32], limit: int) -> Iterator[pa.RecordBatch] | None:
        """chunk_id and vector of current chunks of a space, among them the `limit` nearest to `query` by cosine.

        `query` has shape (dimensions,). None where the database does not compare vectors.
        """
        ...

    def stage(self, relation: str, rows: pa.Table) -> None:
        """Make `rows` readable by this transaction's queries under the name `relation`."""
        ...


class Store(Protocol):
    """A database that holds ingest records, and everything that was made of them."""

    @property
    def name(self) -> str:
        """Where the store is, for messages: never a secret in it."""
        ...

    @property
    def largest_record_bytes(self) -> int:
        """How long an ingest record may be; a longer one is refused, so that it cannot stop the others."""
        ...

    def exists(self) -> bool:
        """Whether there is a database to read, with our tables or without; raises when it cannot be reached."""
        ...

    def disk(self) -> Disk | None:
        """What the store takes of this machine's disk; None where it is a server's affair, or nothing yet."""
        ...

    def stamp(self) -> str | None:
        """What stays the same until somebody commits, seen from outside, so that nobody is waited for.

        None where it takes a session to tell.
        """
        ...

    def session(self, *, write: bool = True) -> AbstractContextManager[Session]:
        """Open, run one transaction, close: commits on leaving, rolls back on an exception.

        Never hold one while embedding, parsing or talking to a network: other processes wait for it.
        Raises `StoreBusyError` when another process holds the store for longer than this one waits.
        """
        ...

    def kept_open(self) -> AbstractContextManager[None]:
        """For a run: reading sessions inside that follow close upon each other may share what opening costs."""
        ...

    def pending_migrations(self) -> list[str]:
        """The names of the migrations that `migrate` would apply; raises `SchemaError` on a changed one."""
        ...

    def migrate(self) -> list[str]:
        """Apply what is pending, each migration in a transaction of its own; returns their names."""
        ...


class Webhook(Protocol):
    """Whoever wants alerts as they come."""

    def send(self, alert: Mapping[str, Any]) -> None:
        """Deliver an alert, in less than `longest_seconds`.

        Raises `AlertRefusedError` when this one will never be taken, else `WebhookError`.
        """
        ...

    @property
    def longest_seconds(self) -> float:
        """How long `send` may take, whatever the other side does."""
        ...


class Progress(Protocol):
    """Whoever wants to hear how far a stage is; called once per batch, never per row."""

    def __call__(self, done: int, total: int) -> None:
        """`done` of about `total` items are finished."""
        ...


class Purpose(StrEnum):
    """Why a text is embedded: some models want another prefix for a query than for a document."""

    DOCUMENT = "document"
    QUERY = "query"


class EmbeddingProvider(Protocol):
    """Turns texts into vectors of one embedding space."""

    @property
    def batch_size(self) -> int:
        """How many texts make one efficient call."""
        ...

    @property
    def batch_characters(self) -> int:
        """A call ends with the text that makes it this long."""
        ...

    @property
    def concurrency(self) -> int:
        """How many calls at once gain anything. `embed` is called by as many threads; `describe` by another one."""
        ...

    def describe(self) -> SpaceIdentity:
        """The whole identity of the space that `embed` produces vectors of."""
        ...

    def runtime(self) -> Mapping[str, str]:
        """Names and versions of the engine below: recorded on each run, no part of the identity."""
        ...

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        """Embed `texts` in order.

        Raises `InputRejectedError` when a text of the batch will never be embedded (the caller finds
        out which by halving the batch), and `ProviderUnavailableError` when a later attempt may succeed.
        """
        ...


class ProviderCatalog(Protocol):
    """Opens providers by name."""

    def open(self, provider: str, model: str, options: Mapping[str, Any]) -> EmbeddingProvider:
        """Raises `ConfigurationError` naming the known providers, models or options, else `ProviderError`."""
        ...

    def reopen(self, space: EmbeddingSpace) -> EmbeddingProvider:
        """The provider of a registered space; it may serve another one now (`require_same_space`). Raises as `open`."""
        ...
