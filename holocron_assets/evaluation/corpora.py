"""Documents that a collection brings, in a store of their own: filled by the stages that fill the user's, and kept."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from holocron_assets.anchors import one_of_each_kind
from holocron_assets.batching import batches
from holocron_assets.derived_spaces import read_derivation
from holocron_assets.errors import InputError, NotReadyError
from holocron_assets.evaluation.collections import Collection, read_documents
from holocron_assets.extraction.database_row import RESOURCE_TYPE, SOURCE_SYSTEM
from holocron_assets.identity import resource_source_id
from holocron_assets.intake.query_rows import row_columns
from holocron_assets.intake.rows import RowError, record_of
from holocron_assets.ports import Progress, ProviderCatalog, Session, Store
from holocron_assets.records import EmbeddingSpace
from holocron_assets.runs import Origin
from holocron_assets.sections import SourceSettings
from holocron_assets.settings import Settings
from holocron_assets.stages.canary import CanaryPolicy, compare
from holocron_assets.stages.chunk import chunk
from holocron_assets.stages.derive import derive_space
from holocron_assets.stages.embed import EmbeddingReport, embed_space
from holocron_assets.stages.extract import extract
from holocron_assets.stages.reembed import reembed_space
from holocron_assets.tables import ingest_records, spaces, transforms
from holocron_assets.transactions import read, write

#: Opens the store that settings name.
OpenStore = Callable[[Settings], Store]

FOLDER = ".holocron/evaluation"

_BATCH_DOCUMENTS = 1000
_BATCH_CHARACTERS = 16 * 1024 * 1024
#: The same for ever, so that a document which is loaded twice is one record.
_FETCHED = datetime(2000, 1, 1)  # noqa: DTZ001 - times are naive UTC throughout


def source_id_of(collection: Collection, document_id: str) -> str:
    """The source that a document of a collection is, in the store of its own."""
    return resource_source_id(SOURCE_SYSTEM, collection.name, RESOURCE_TYPE, document_id)


def corpus_settings(settings: Settings, collection: Collection) -> Settings:
    """Settings of the store for a collection's documents: a DuckDB file, everything else as the user has it."""
    path = settings.path(f"{FOLDER}/{collection.name}-{collection.sha256[:12]}.duckdb")
    return settings.model_copy(update={"store_url": f"duckdb:///{path.as_posix()}", "sources": SourceSettings()})


def fill_corpus_store(
    store: Store,
    corpus: Store,
    settings: Settings,
    providers: ProviderCatalog,
    space: EmbeddingSpace,
    collection: Collection,
    origin: Origin,
    progress: Progress,
) -> None:
    """Bring the store of a collection's documents up to date with `space`, which the user's `store` has registered.

    Whatever it lacks is done and nothing else, so that the second time costs next to nothing. Raises `NotReadyError`
    where chunks of it cannot be embedded.
    """
    # Nothing listens to what runs of it did.
    quiet = Origin(kind=origin.kind, reference=origin.reference)
    corpus.migrate()
    _load(corpus, collection)
    extract(corpus, settings.extraction, settings.sources, quiet, progress)
    chunk(corpus, settings.chunking.policy(), settings.guard, quiet, progress, allow_mass_change=True)
    for one in _made_of(store, space):
        write(corpus, _register, one, *read(store, _transform_of, one))
        report = _fill(corpus, settings, providers, one, quiet, progress)
        if report.still_pending or report.quarantined:
            raise NotReadyError(
                f"{report.still_pending + report.quarantined} chunks of the collection {collection.name} could not be "
                f"embedded by {one.slug}. {report.held_up or 'Evaluate again; what was embedded is kept.'}"
            )


def _load(corpus: Store, collection: Collection) -> None:
    """Store every document as an ingest record, unless all are there."""
    if read(corpus, ingest_records.count_ingest_records, "").records >= collection.document_count:
        return
    if collection.corpus is None:
        raise ValueError(f"the collection {collection.name} brings no documents")
    documents = read_documents(collection.corpus)
    for batch in batches(documents, lambda one: len(one.text), size=_BATCH_CHARACTERS, count=_BATCH_DOCUMENTS):
        records = []
        for one in batch:
            content = {"title": one.title, "text": one.text}
            try:
                records.append(record_of(row_columns(collection.name, one.document_id, content, _FETCHED)).record)
            except RowError as error:
                raise InputError(f"{collection.corpus}: document {one.document_id!r:.100}: {error}") from error
        write(corpus, ingest_records.insert_ingest_records, records)


def _fill(
    corpus: Store,
    settings: Settings,
    providers: ProviderCatalog,
    space: EmbeddingSpace,
    origin: Origin,
    progress: Progress,
) -> EmbeddingReport:
    if space.transform_ref is not None:
        return derive_space(corpus, space, origin, progress)
    policy, opened = CanaryPolicy.of(settings), partial(providers.reopen, space)
    compared = compare(corpus, opened(), space, policy, partial(one_of_each_kind, turn=0))
    if compared.moved or not compared.is_complete:
        # The user's store holds what the model answers now, or it would not be evaluated: so does this one from now on.
        reembed_space(corpus, opened, space, policy, origin, progress, replace=True)
    return embed_space(corpus, opened, space, policy, origin, progress)


def _made_of(store: Store, space: EmbeddingSpace) -> list[EmbeddingSpace]:
    """The spaces that `space` is derived from, the model's own first, and itself."""
    chain = [space]
    while chain[0].transform_ref is not None:
        chain.insert(0, read(store, read_derivation, chain[0]).source)
    return chain


def _transform_of(session: Session, space: EmbeddingSpace) -> tuple[transforms.StoredTransform | None, bytes]:
    if space.transform_ref is None:
        return None, b""
    key = space.embedding_space_id
    return transforms.list_transforms(session)[key], transforms.list_artefacts(session, [key])[key]


def _register(
    session: Session, space: EmbeddingSpace, transform: transforms.StoredTransform | None, artefact: bytes
) -> None:
    spaces.insert_space(session, space, _FETCHED)
    if transform is not None:
        transforms.insert_transform(session, transform, artefact)
