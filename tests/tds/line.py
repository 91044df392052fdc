"""A store at one end of the wire, and a scripted server at the other."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.errors import StoreError
from holocron_assets.ports import Session
from holocron_assets.sections import SqlServerSettings
from holocron_assets.settings import Settings
from resources.stores import open_store
from resources.stores.base import SqlStore
from tests.tds.scripted import Scripted
from tests.tds.server import Server
from tests.tds.serving import PASSWORD, serving, url_of
from tests.tds.tokens import Answer, Column
from tests.tds.values import INT

#: The columns of a result that is only counted.
NUMBER = (Column(name="n", kind=INT),)
#: Parts of the statements that `listed` and `changed` run.
LISTED, CHANGED = "from vector.embedding_space", "update vector.run"


@dataclass(frozen=True)
class Line:
    """A store, and the server at the other end of the wire."""

    store: SqlStore
    server: Server
    database: Scripted

    def says(self, *answers: Answer) -> None:
        """What the server answers from here to what `listed` and `changed` ask."""
        self.database.scripts |= dict.fromkeys((LISTED, CHANGED), lambda _parameters: answers)


def listed(session: Session) -> list[dict[str, Any]]:
    """Read in batches."""
    return [row for batch in session.stream("list_spaces") for row in batch.to_pylist()]


def changed(session: Session) -> int:
    """How many rows were changed."""
    return session.execute("update_run_options", options_json="{}", run_id="r")


@contextmanager
def connected(
    driver: str,
    folder: Path,
    tls: ssl.SSLContext | None,
    *,
    encrypt: str = "yes",
    wait_seconds: float = 0,
    **options: str,
) -> Iterator[Line]:
    """A store that gives up soon, and its server; skips where the driver is missing."""
    database = Scripted()
    with serving(database, tls) as server:
        url = url_of(server.port, driver, Encrypt=encrypt if tls else "no", **options)
        yield Line(store_at(url, folder, wait_seconds=wait_seconds), server, database)


def store_at(url: str, folder: Path, *, wait_seconds: float = 0) -> SqlStore:
    """A store that waits for three seconds, which a busy machine needs."""
    limits = SqlServerSettings(login_timeout_seconds=3, statement_timeout_seconds=3)
    return open_store(Settings(base_dir=folder, store_url=url, sqlserver=limits), wait_seconds=wait_seconds)


def failure(store: SqlStore, ask: Callable[[Session], object] = listed) -> StoreError:
    """What a person reads of a session that fails. The password is in none of it."""
    with pytest.raises(StoreError) as caught, store.session(write=False) as session:
        ask(session)
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in str(caught.value.__cause__)
    return caught.value
