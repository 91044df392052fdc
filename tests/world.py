"""A small world for tests: pages that can be written, edited and removed, and the stages that follow them.

Everything in it is real: payloads in the shapes of the contract, the real stages, a real database.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from holocron_assets.clock import utc_now
from holocron_assets.intake.rows import record_of
from holocron_assets.ports import EmbeddingProvider, Progress, ProviderCatalog, Session
from holocron_assets.retrieval.hits import Method, Mode, SearchResult
from holocron_assets.retrieval_log import log_retrieval
from holocron_assets.runs import Origin
from holocron_assets.search import Question, Searcher
from holocron_assets.settings import Settings
from holocron_assets.spaces import space_of
from holocron_assets.stages.canary import CanaryPolicy
from holocron_assets.stages.chunk import ChunkingReport, chunk
from holocron_assets.stages.embed import EmbeddingReport, embed_space, index_space
from holocron_assets.stages.extract import ExtractionReport, extract
from holocron_assets.stages.indexing import IndexPlace
from holocron_assets.stages.register import register_spaces
from holocron_assets.tables import embeddings, ingest_records, spaces
from holocron_assets.transactions import write
from resources.stores import open_store
from resources.stores.base import SqlStore
from sample.mediawiki import html_payload, missing_payload, raw_payload, record

ORIGIN = Origin(kind="dagster", reference="test-run")
START = datetime(2026, 1, 1)  # noqa: DTZ001 - times are naive UTC throughout


def silent(done: int, total: int) -> None:
    """Progress that nobody listens to."""


def prose(topic: str, characters: int = 3000) -> str:
    """Readable text about a topic, different for each, of about this length."""
    sentences: list[str] = []
    length = 0
    while length < characters:
        number = len(sentences)
        sentences.append(f"Fact {number} about {topic}: in year {300 + number} the {topic} moved {number * 7} steps. ")
        length += len(sentences[-1])
    return "".join(sentences).strip()


def page_row(
    title: str,
    page_id: int,
    text: str,
    *,
    revision: int = 1,
    variant: str = "html",
    fetched_at: datetime = START,
    resource: str | None = None,
    source_name: str = "testwiki",
) -> dict[str, Any]:
    """A record of a page with this wikitext; `resource` is the title it was asked for by."""
    if variant == "html":
        payload = html_payload(title=title, page_id=page_id, revision=revision, wikitext=text, fetched_at=fetched_at)
    else:
        payload = raw_payload(
            title=title, page_id=page_id, revision=revision, wikitext=text, timestamp="2026-01-01T00:00:00Z"
        )
    row = record(
        title=resource or title, variant=variant, payload=payload, fetched_at=fetched_at, source_name=source_name
    )
    # Two fetches may have one time: their ids must not be derived from it alone.
    return row | {"ingest_id": None}


def missing_row(title: str, *, fetched_at: datetime = START) -> dict[str, Any]:
    """A record that says there is no such page."""
    return record(
        title=title,
        variant="raw",
        payload=missing_payload(title=title),
        fetched_at=fetched_at,
        source_name="testwiki",
    )


def json_row(resource_id: str, payload: Any, *, fetched_at: datetime = START, **columns: Any) -> dict[str, Any]:
    """A record of something that is no wiki page; `payload` is JSON text, or a value to make it of."""
    return {
        "source_system": "files",
        "source_name": "notes",
        "resource_type": "file",
        "resource_id": resource_id,
        "request_uri": f"file:///{resource_id}",
        "request_method": "GET",
        "status_code": 200,
        "payload": payload if isinstance(payload, str) else json.dumps(payload),
        "fetched_at_utc": fetched_at.isoformat(),
        **columns,
    }


@dataclass
class World:
    """A store and the stages over it."""

    store: SqlStore
    settings: Settings
    providers: ProviderCatalog
    _day: int = field(default=0)

    def add(self, *rows: dict[str, Any]) -> int:
        """Store records; returns how many were new."""
        return write(self.store, ingest_records.insert_ingest_records, [record_of(row).record for row in rows])

    def next_day(self) -> datetime:
        """A fetch time later than every one before."""
        self._day += 1
        return START + timedelta(days=self._day)

    def extract(self, progress: Progress = silent) -> ExtractionReport:
        return extract(self.store, self.settings.extraction, self.settings.sources, ORIGIN, progress)

    def chunk(self, *, allow_mass_change: bool = False) -> ChunkingReport:
        return chunk(
            self.store,
            self.settings.chunking.policy(),
            self.settings.guard,
            ORIGIN,
            silent,
            allow_mass_change=allow_mass_change,
        )

    def embed(self, provider: EmbeddingProvider | None = None) -> EmbeddingReport:
        """Embed the first declared space, with another provider of it if one is given."""
        declared = self.settings.spaces[0]
        opened = provider or self.providers.open(declared.provider, declared.model, declared.options)
        if provider is None:
            register_spaces(self.store, self.providers, self.settings)
            space = space_of(opened.describe())
        else:
            space = space_of(provider.describe())
            write(self.store, spaces.insert_space, space, utc_now())
        report = embed_space(self.store, lambda: opened, space, CanaryPolicy.of(self.settings), ORIGIN, silent)
        index_space(self.store, space)
        write(self.store, embeddings.mark_indexed_sources, utc_now())
        return report

    def run(self) -> EmbeddingReport:
        """Everything from stored records to vectors."""
        self.extract()
        self.chunk()
        return self.embed()

    def search(
        self, query: str, *, top_k: int, space: str | None = None, mode: Mode = Mode.VECTOR, **asked: Any
    ) -> SearchResult:
        """The best chunks in a space, or in that which search uses by itself; the nearest, if nothing else is said."""
        return self.searcher().search(
            Question(query=query, top_k=top_k, method=Method(mode=mode), **asked), space=space
        )

    def searcher(self) -> Searcher:
        """What answers questions of this world's store."""
        policy, place = CanaryPolicy.of(self.settings), IndexPlace.of(self.settings)
        return Searcher(self.store, self.providers, policy, place, partial(log_retrieval, self.store))

    def closed_file(self) -> Path:
        """The file of an embedded store, when nobody keeps it open any more."""
        with open_store(self.settings, wait_seconds=60).session():
            return Path(self.store.name)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the database itself, past all queries of the project."""
        with self.store.session() as session:
            return raw(session, sql)

    def texts(self) -> dict[str, str]:
        """Current texts by source."""
        return dict(
            self.rows(
                "select x.source_id, t.content from vector.source_registry x join vector.extracted_text t "
                "on t.source_id = x.source_id and t.text_sha256 = x.text_sha256"
            )
        )

    def current_chunks(self) -> dict[str, str]:
        """Contents of the current chunks by id."""
        return dict(self.rows("select chunk_id, content from vector.chunk where retired_utc is null"))


def raw(session: Session, sql: str) -> list[tuple[Any, ...]]:
    """Run SQL text on a session's own connection; only tests may."""
    cursor = session._connection.execute(sql)  # type: ignore[attr-defined]
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
