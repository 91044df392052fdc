"""From current texts to current chunks: the switch after which search serves the new and never the old."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holocron_assets.batching import batches
from holocron_assets.chunking import ChunkingPolicy, cut
from holocron_assets.clock import utc_now
from holocron_assets.errors import ConfigurationError, MassChangeError
from holocron_assets.identity import canonical_json, chunk_id, text_sha256
from holocron_assets.ports import Progress, Session, Store
from holocron_assets.records import Chunk, ChunkedSource, JobType
from holocron_assets.runs import Origin, Run, recorded_run
from holocron_assets.sections import GuardSettings
from holocron_assets.tables import chunks, sources
from holocron_assets.tables.chunks import ChunkChanges, ChunkingBacklog, PendingText
from holocron_assets.transactions import read, write

STAGE = "chunk"

_PAGE_SOURCES = 8192
_BATCH_CHARACTERS = 8 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class ChunkingReport:
    """What one chunking did."""

    run_id: uuid.UUID | None = None
    sources: int = 0
    added: int = 0
    changed: int = 0
    retired: int = 0
    omitted_characters: int = 0
    bytes_processed: int = 0


def chunk(
    store: Store,
    policy: ChunkingPolicy,
    guard: GuardSettings,
    origin: Origin,
    progress: Progress,
    *,
    allow_mass_change: bool = False,
) -> ChunkingReport:
    """Cut every source whose chunks are not those of its current text.

    Raises `MassChangeError` before anything is retired when that would retire too much, and
    `ConfigurationError` when the policy's version was used with other parameters before.
    """
    report = ChunkingReport()
    backlog = read(store, chunks.get_chunking_backlog, policy.version)
    require_same_parameters(policy, read(store, chunks.get_chunk_policy, policy.version))
    if not backlog.pending_sources:
        return report
    if not allow_mass_change:
        require_no_mass_change(backlog, guard)
    options = {"policy": policy.parameters(), "allow_mass_change": allow_mass_change}
    with recorded_run(store, origin, JobType.CHUNK_SOURCE, stage=STAGE, options=options) as run:
        report.run_id = run.run_id
        try:
            write(store, _bind_policy, policy)
            for batch in _pending_batches(store, policy):
                _chunk_batch(store, policy, batch, run, report)
                progress(report.sources, backlog.pending_sources)
        finally:
            run.count(
                sources_chunked=report.sources,
                chunks_processed=report.added + report.changed,
                chunks_retired=report.retired,
                omitted_characters=report.omitted_characters,
                bytes_processed=report.bytes_processed,
            )
    return report


def require_no_mass_change(backlog: ChunkingBacklog, guard: GuardSettings) -> None:
    """Raise `MassChangeError`, with the figures and the way on, when chunking would retire too much."""
    allowed_sources = max(guard.always_allowed, int(backlog.current_sources * guard.max_retired_share))
    allowed_chunks = max(guard.always_allowed, int(backlog.current_chunks * guard.max_retired_share))
    faults = []
    if backlog.vanishing_sources > allowed_sources:
        faults.append(
            f"{backlog.vanishing_sources} of {backlog.current_sources} sources would lose all their chunks "
            f"(allowed: {allowed_sources})"
        )
    if backlog.recut_chunks > allowed_chunks:
        faults.append(
            f"{backlog.recut_chunks} of {backlog.current_chunks} chunks would be replaced although their source's "
            f"text did not change (allowed: {allowed_chunks}): the chunking policy is another one"
        )
    if faults:
        raise MassChangeError(
            f"{'; '.join(faults)}. Nothing was retired; search serves what it served before. If an ingest was "
            "incomplete, mend it and run again. If this is what you want, set allow_mass_change: "
            "`dagster asset materialize --select chunks --config-json "
            '\'{"ops": {"chunks": {"config": {"allow_mass_change": true}}}}\'`.'
        )


def chunks_of(pending: PendingText, text: str, policy: ChunkingPolicy) -> tuple[ChunkedSource, list[Chunk]]:
    """The whole cut of one source's text. Pure."""
    digest, extractor, version = pending.text_sha256, pending.extractor, pending.extractor_version
    if digest is None or extractor is None or version is None:
        return ChunkedSource(
            source_id=pending.source_id, text_sha256=None, chunk_count=0, omitted_character_count=0
        ), []
    policy_json = canonical_json(policy.parameters())
    result = cut(text, policy)
    cut_chunks = []
    for span in result.spans:
        content = text[span.start : span.end]
        offsets = {"chunk_index": span.index, "start_offset": span.start, "end_offset": span.end}
        cut_chunks.append(
            Chunk(
                chunk_id=chunk_id(pending.source_id, span.index, span.start, span.end, policy.version),
                source_id=pending.source_id,
                source_type=pending.source_type,
                source_ref_json=pending.source_ref_json,
                offsets_json=canonical_json(offsets),
                content=content,
                content_sha256=text_sha256(content),
                byte_count=len(content.encode()),
                policy_json=policy_json,
                text_sha256=digest,
                extractor=extractor,
                extractor_version=version,
            )
        )
    source = ChunkedSource(
        source_id=pending.source_id,
        text_sha256=digest,
        chunk_count=len(cut_chunks),
        omitted_character_count=result.omitted_characters,
    )
    return source, cut_chunks


def _bind_policy(session: Session, policy: ChunkingPolicy) -> None:
    chunks.insert_chunk_policy(session, policy, utc_now())
    require_same_parameters(policy, chunks.get_chunk_policy(session, policy.version))


def require_same_parameters(policy: ChunkingPolicy, bound: str | None) -> None:
    """Raise `ConfigurationError` when the version meant other sizes before: ids would be ambiguous."""
    if bound is not None and bound != canonical_json(policy.parameters()):
        raise ConfigurationError(
            f"chunking policy {policy.version!r} was used before with other parameters: {bound}. A version means one "
            "set of parameters for ever; give the new ones another `chunking.version` in holocron.yaml."
        )


def _pending_batches(store: Store, policy: ChunkingPolicy) -> Iterator[list[PendingText]]:
    """Pending sources in batches of about equal length of text; each must be chunked before the next is taken."""
    while page := read(store, chunks.list_pending_texts, policy.version, _PAGE_SOURCES):
        yield from batches(page, lambda pending: pending.character_count or 0, size=_BATCH_CHARACTERS)


def _chunk_batch(
    store: Store, policy: ChunkingPolicy, batch: Sequence[PendingText], run: Run, report: ChunkingReport
) -> None:
    keys = [(one.source_id, one.text_sha256) for one in batch if one.text_sha256 is not None]
    texts = read(store, chunks.list_text_contents, keys)
    cuts = [chunks_of(one, texts[one.source_id] if one.text_sha256 else "", policy) for one in batch]
    done = write(store, _switch, cuts, policy.version, run.run_id)
    report.added += done.changes.added
    report.changed += done.changes.changed
    report.retired += done.retired
    report.sources += len(done.sources)
    report.omitted_characters += sum(source.omitted_character_count for source in done.sources)
    report.bytes_processed += done.bytes_processed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Switched:
    sources: list[ChunkedSource]
    changes: ChunkChanges
    retired: int
    bytes_processed: int


def _switch(
    session: Session, cuts: Sequence[tuple[ChunkedSource, list[Chunk]]], policy_version: str, run_id: uuid.UUID
) -> _Switched:
    """Make the whole cuts of some sources current, unless a run that raced this one brought newer texts."""
    now = utc_now()
    states = sources.list_source_states(session, [source.source_id for source, _ in cuts])
    texts_now = {source_id: state.text_sha256 for source_id, state in states.items()}
    cuts = [cut for cut in cuts if texts_now.get(cut[0].source_id) == cut[0].text_sha256]
    chunked_sources = [source for source, _ in cuts]
    new_chunks = [item for _, items in cuts for item in items]
    chunks.stage_chunks(session, chunked_sources, new_chunks)
    changes = chunks.get_chunk_changes(session)
    retired = chunks.retire_chunks(session, now)
    chunks.close_chunk_versions(session, now)
    chunks.update_chunks(session, run_id)
    chunks.insert_chunks(session, run_id, now)
    chunks.insert_chunk_versions(session, policy_version, run_id, now)
    chunks.update_chunked_sources(session, policy_version, now)
    return _Switched(
        sources=chunked_sources,
        changes=changes,
        retired=retired,
        bytes_processed=sum(item.byte_count for item in new_chunks),
    )
