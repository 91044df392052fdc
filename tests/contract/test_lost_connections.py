"""Connections that are lost: before a commit, or after it with its answer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.errors import StoreUnavailableError
from holocron_assets.ports import Session
from holocron_assets.stages.ingest import ingest
from holocron_assets.transactions import read, write
from holocron_assets.verification.verify import verify
from resources.stores.base import SqlStore
from tests.world import ORIGIN, World, page_row, prose, silent


@dataclass
class Lossy:
    """A store that loses the connection of every `every`-th session, `after` its commit or before it."""

    inner: SqlStore
    every: int
    after: bool
    sessions: int = field(default=0)
    lost: int = field(default=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def session(self, *, write: bool = True) -> Iterator[Session]:
        self.sessions += 1
        is_lost = self.sessions % self.every == 0
        self.lost += is_lost
        with self.inner.session(write=write) as session:
            yield session
            if is_lost and not self.after:
                raise StoreUnavailableError("the connection was lost")
        if is_lost:
            raise StoreUnavailableError("the connection was lost")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are not what is tested."""
    monkeypatch.setattr("holocron_assets.transactions._PAUSES_SECONDS", (0.0, 0.0, 0.0))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("every", [2, 3])
def test_lost_connections_cost_nothing_but_time(world: World, tmp_path: Path, every: int, after: bool) -> None:
    """With every second or third session lost, nothing is missing and nothing is there twice, runs included."""
    records = tmp_path / "records.ndjson"
    pages = [page_row(f"Page {n}", n, prose(f"topic {n}", 2000)) for n in range(1, 8)]
    redirect = page_row("Old name", 9, "#REDIRECT [[Page 1]]", variant="raw")
    records.write_text("\n".join(json.dumps(row) for row in [*pages, redirect]) + "\nnot JSON\n")
    store = Lossy(world.store, every, after)
    lossy = replace(world, store=store)  # type: ignore[arg-type]

    ingest(store, [records], ORIGIN, silent)
    lossy.extract()
    lossy.chunk()
    report = lossy.embed()

    assert store.lost > 10
    assert [finding.claim for finding in verify(world.store).findings if not finding.holds] == [
        "nothing_is_quarantined"
    ]
    assert world.rows("select count(*) from ingest.IngestRecords") == [(8,)]
    assert world.rows("select count(*) from vector.quarantine where released_utc is null") == [(1,)]
    assert len(world.texts()) == 7
    assert world.rows("select count(*) from vector.embedding") == [(len(world.current_chunks()),)]
    assert report.still_pending == 0
    assert world.rows(
        "select j.status, r.status, count(*) from vector.job j left join vector.run r on r.job_id = j.job_id "
        "group by j.status, r.status"
    ) == [("SUCCEEDED", "SUCCEEDED", 4)]


def test_a_store_that_stays_away_is_an_error(world: World) -> None:
    """After four attempts the error is raised, and nothing was written."""
    store = Lossy(world.store, 1, after=False)

    with pytest.raises(StoreUnavailableError):
        write(store, lambda session: session.execute("mark_indexed_sources", now="2026-01-01"))

    assert store.lost == 4


def test_a_store_that_cannot_be_opened_is_not_asked_again(world: World) -> None:
    """Whoever opens a session has waited for the store already."""
    attempts: list[int] = []

    class Away(Lossy):
        @contextmanager
        def session(self, *, write: bool = True) -> Iterator[Session]:
            attempts.append(1)
            raise StoreUnavailableError("nobody there")
            yield

    with pytest.raises(StoreUnavailableError, match="nobody there"):
        read(Away(world.store, 1, after=False), lambda session: session.rows("list_spaces"))

    assert len(attempts) == 1
