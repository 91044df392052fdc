"""From the vectors of one space to those of a space derived from it. No model is called."""

import time
import uuid
from collections.abc import Iterator
from itertools import chain

from holocron_assets.derived_spaces import Derivation, model_space, read_derivation
from holocron_assets.errors import HolocronError, NotReadyError, TransientError
from holocron_assets.ports import Progress, Session, Store
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.runs import Origin, recorded_run
from holocron_assets.stages.calling import EmbeddedBatch
from holocron_assets.stages.embed import STAGE, EmbeddingReport, write_batch
from holocron_assets.stages.model_guard import require_canary, require_settled
from holocron_assets.tables import embeddings, spaces, transforms
from holocron_assets.tables.embeddings import ChunkKey, Position
from holocron_assets.tables.transforms import LOOKED_UP_AT_ONCE, DerivableChunk
from holocron_assets.transactions import read, write
from holocron_assets.vectors import faults

_PAGE_CHUNKS = 65536
_COMMIT_CHUNKS = LOOKED_UP_AT_ONCE


def derive_space(store: Store, space: EmbeddingSpace, origin: Origin, progress: Progress) -> EmbeddingReport:
    """Transform the vectors that the source of `space` has and `space` lacks; each batch is one transaction.

    A chunk that the source lacks stays pending; one that it holds in quarantine is held here too. Raises
    `TransformError` before anything is written when the transform is not what it was.
    """
    report = EmbeddingReport(space=space)
    backlog = read(store, embeddings.count_pending_chunks, space.embedding_space_id)
    report.quarantined = backlog.quarantined
    waiting = backlog.pending - backlog.quarantined
    if waiting == 0:
        return report
    derivation = read(store, read_derivation, space)
    model = model_space(store, space)
    canary_id = require_settled(store, model)
    batches = _batches(store, derivation)
    first = next(batches, None)
    damaged = 0
    if first is not None:
        options = {
            "source_space": derivation.source.slug,
            "source_space_id": str(derivation.source.embedding_space_id),
            "transform": derivation.transform.ref,
            "artefact_sha256": derivation.artefact_sha256,
        }
        with recorded_run(store, origin, JobType.EMBED_CHUNKS, stage=STAGE, options=options, space=space) as run:
            report.run_id = run.run_id
            began = time.monotonic()
            try:
                for batch in chain([first], batches):
                    done, embedded = write(store, _derive, derivation, batch, model, canary_id, run.run_id)
                    report.count(done, embedded)
                    damaged += len(batch) - len(done)
                    progress(report.embedded + report.rejected, waiting)
            finally:
                report.seconds = time.monotonic() - began
                run.count(
                    chunks_processed=report.embedded + report.rejected,
                    embeddings_created=report.embedded,
                    texts_rejected=report.rejected,
                )
    after = read(store, embeddings.count_pending_chunks, space.embedding_space_id)
    report.still_pending = after.pending - after.quarantined
    report.quarantined = after.quarantined
    if report.still_pending:
        report.waits_for = derivation.source.slug
        report.held_up = read(store, _why_held_up, derivation, report.still_pending, damaged)
    return report


def _batches(store: Store, derivation: Derivation) -> Iterator[list[DerivableChunk]]:
    space_id, source_id = derivation.space.embedding_space_id, derivation.source.embedding_space_id
    after: Position | None = None
    while True:
        page = read(store, transforms.list_derivable_chunks, space_id, source_id, after=after, limit=_PAGE_CHUNKS)
        for first in range(0, len(page), _COMMIT_CHUNKS):
            yield page[first : first + _COMMIT_CHUNKS]
        if len(page) < _PAGE_CHUNKS:
            return
        after = page[-1].position


def _derive(
    session: Session,
    derivation: Derivation,
    batch: list[DerivableChunk],
    model: EmbeddingSpace,
    canary_id: uuid.UUID | None,
    run_id: uuid.UUID,
) -> tuple[EmbeddedBatch, int]:
    """Read, transform and write in one transaction: a vector of the source that is replaced meanwhile is not used."""
    require_canary(session, model, canary_id)
    done = _transformed(session, derivation, batch)
    return done, write_batch(session, done, derivation.space.embedding_space_id, run_id)


def _transformed(session: Session, derivation: Derivation, batch: list[DerivableChunk]) -> EmbeddedBatch:
    """What becomes of a batch; a damaged vector of the source counts as one that it lacks."""
    done = EmbeddedBatch()
    wanted: list[ChunkKey] = []
    for one in batch:
        if one.reason is None:
            wanted.append(one)
        else:
            done.rejected.append((one, f"{derivation.source.slug} has no vector of it: {one.reason}"))
    chunks, vectors = transforms.list_vectors(session, derivation.source, wanted)
    values = derivation.transform.apply(vectors)
    lost = {
        int(row): fault for fault, rows in faults(values, normalized=derivation.space.normalize).items() for row in rows
    }
    sound = [row for row in range(len(chunks)) if row not in lost]
    if sound:
        done.accepted += [chunks[row] for row in sound]
        done.vectors.append(values[sound])
    done.rejected += [
        (chunks[row], f"{derivation.transform.ref} leaves nothing of its vector, which then {fault}")
        for row, fault in lost.items()
    ]
    return done


def _why_held_up(session: Session, derivation: Derivation, still_pending: int, damaged: int) -> HolocronError:
    """Why chunks have no vector in a derived space, and what to do; transient where that may come by itself."""
    known = {one.embedding_space_id: one for one in spaces.list_spaces(session)}
    source = known[derivation.source.embedding_space_id]
    backlog = embeddings.count_pending_chunks(session, source.embedding_space_id)
    lacking = backlog.pending - backlog.quarantined
    which = f"{still_pending} current chunks have no vector, because the space {source.slug} that it is derived from"
    if not source.is_active and lacking:
        return NotReadyError(
            f"{which} lacks {lacking} and is inactive; `holocron spaces activate {source.slug}`, then run again"
        )
    if lacking:
        return TransientError(f"{which} lacks {lacking}; bring that one up to date, then run again")
    if damaged:
        return NotReadyError(f"{which} has {damaged} damaged ones; run `holocron verify --repair`, then run again")
    return TransientError(f"{which} changes meanwhile; run again")
