"""Facts over contents: what runs wrote is read back, and every hash and id computed anew."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from holocron_assets.chunking import POLICIES
from holocron_assets.identity import chunk_id, embedding_id, text_sha256
from holocron_assets.ports import Session
from holocron_assets.records import EmbeddingSpace
from holocron_assets.tables import checks
from holocron_assets.tables.checks import LISTED, Written
from holocron_assets.vectors import faults, rows_of, vector_sha256
from holocron_assets.verification.finding import Finding


@dataclass(slots=True, kw_only=True)
class TextFaults:
    """Texts that are not what their hash says, with the records they came from."""

    read: int = 0
    wrong: list[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ChunkFaults:
    """Chunks whose id or hash does not come out again, and sources whose chunks leave characters out."""

    read: int = 0
    wrong_ids: list[str] = field(default_factory=list)
    wrong_hashes: list[str] = field(default_factory=list)
    untiled: list[str] = field(default_factory=list)
    sources: set[str | None] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class VectorFaults:
    """Embeddings that should not have been stored, with what is wrong with each."""

    read: int = 0
    wrong: list[tuple[uuid.UUID, str]] = field(default_factory=list)


def read_texts(session: Session, written: Written) -> TextFaults:
    """Compute the hash of every text anew."""
    result = TextFaults()
    for row in _rows(checks.list_written_texts(session, written)):
        result.read += 1
        if text_sha256(row["content"]) != row["text_sha256"]:
            result.wrong.append((_uuid(row["text_id"]), _uuid(row["ingest_id"])))
    return result


def read_chunks(session: Session, written: Written) -> ChunkFaults:
    """Compute every id and hash anew, and see whether each source's chunks tile its text."""
    result = ChunkFaults()
    for row in _rows(checks.list_written_chunks(session, written)):
        result.read += 1
        source_id, start, end, content = row["source_id"], row["start_offset"], row["end_offset"], row["content"]
        named = (row["chunk_index"], start, end, row["policy_version"])
        if None in named or chunk_id(source_id, *named) != row["chunk_id"]:
            result.wrong_ids.append(row["chunk_id"])
            result.sources.add(source_id)
            continue
        if text_sha256(content) != row["content_sha256"] or len(content) != end - start:
            result.wrong_hashes.append(row["chunk_id"])
            result.sources.add(source_id)
    spans = _rows(checks.list_written_spans(session, written))
    for source_id, group in groupby(spans, key=itemgetter("source_id")):
        if not _tile(list(group)):
            result.untiled.append(source_id)
            result.sources.add(source_id)
    return result


def read_vectors(session: Session, space: EmbeddingSpace, written: Written) -> VectorFaults:
    """See whether every vector of a space is storable, and is what its hash and its key say."""
    result = VectorFaults()
    for stored in checks.list_written_embeddings(session, space.embedding_space_id, written):
        result.read += stored.num_rows
        # By DLPack, because `to_numpy` loads pandas.
        lengths = np.diff(np.from_dlpack(stored.column("vector").offsets))
        fits = lengths == space.dimensions
        for row in np.flatnonzero(~fits):
            result.wrong.append((_uuid(stored.column("embedding_id")[row].as_py()), f"has {lengths[row]} dimensions"))
        # Filtering loads pyarrow's compute module, which takes longer than checking thousands of vectors.
        batch = stored if fits.all() else stored.filter(pa.array(fits))
        ids = [_uuid(value) for value in batch.column("embedding_id").to_pylist()]
        vectors = rows_of(batch.column("vector"), space.dimensions)
        for fault, rows in faults(vectors, normalized=space.normalize).items():
            result.wrong.extend((ids[row], fault) for row in rows)
        columns = (batch.column(name).to_pylist() for name in ("chunk_id", "input_content_sha256", "vector_sha256"))
        for key, vector, chunk, content_sha256, digest in zip(ids, vectors, *columns, strict=True):
            if vector_sha256(vector) != digest:
                result.wrong.append((key, "is not what its hash says"))
            if embedding_id(chunk, space.embedding_space_id, content_sha256) != key:
                result.wrong.append((key, "has an id that is not of its key"))
    return result


def texts_match_their_hashes(faults_found: TextFaults) -> Finding:
    """Every text that was read back has the hash it is stored under."""
    wrong = faults_found.wrong
    return Finding(
        claim="texts_match_their_hashes",
        holds=not wrong,
        explanation=f"{len(wrong)} texts are not what their hash says. "
        "Run `holocron verify --repair`, then materialise extracted_texts."
        if wrong
        else f"{faults_found.read} texts read back, each as its hash says.",
        figures={"texts_read": faults_found.read, "wrong": len(wrong)},
        offenders=[str(key) for key, _ in wrong[:LISTED]],
    )


def chunk_ids_recompute(faults_found: ChunkFaults) -> Finding:
    """Every chunk that was read back has the id and the hash that its offsets and content give."""
    wrong = [*faults_found.wrong_ids, *faults_found.wrong_hashes]
    return Finding(
        claim="chunk_ids_recompute",
        holds=not wrong,
        explanation=f"{len(wrong)} chunks have an id or a hash that does not come out again. "
        "Run `holocron verify --repair`, then materialise chunks."
        if wrong
        else f"{faults_found.read} chunks read back; every id and hash came out again.",
        figures={"chunks_read": faults_found.read, "wrong": len(wrong)},
        offenders=wrong[:LISTED],
    )


def chunks_tile_their_text(faults_found: ChunkFaults) -> Finding:
    """No character of a text is in no chunk, but for those that the cap left out and counted."""
    untiled = faults_found.untiled
    return Finding(
        claim="chunks_tile_their_text",
        holds=not untiled,
        explanation=f"The chunks of {len(untiled)} sources leave characters out. "
        "Run `holocron verify --repair`, then materialise chunks."
        if untiled
        else "Every character of every text is in a chunk, but for what the cap left out and counted.",
        figures={"sources_with_gaps": len(untiled)},
        offenders=untiled[:LISTED],
    )


def vectors_are_valid(found: dict[str, VectorFaults]) -> Finding:
    """Every vector that was read back is finite, of its space's dimension and length, and as its hash says."""
    wrong = [f"{slug}: {key} {fault}" for slug, one in found.items() for key, fault in one.wrong]
    read = sum(one.read for one in found.values())
    return Finding(
        claim="vectors_are_valid",
        holds=not wrong,
        explanation=f"{len(wrong)} faults in {read} vectors. Run `holocron verify --repair`, then materialise "
        "embeddings."
        if wrong
        else f"{read} vectors read back: finite, of the right dimension and length, as their hashes say.",
        figures={"vectors_read": read, "faults": len(wrong)},
        offenders=wrong[:LISTED],
    )


def _tile(spans: list[dict[str, Any]]) -> bool:
    """Whether spans in order leave no character out, where the rule that made them promises that."""
    algorithm = spans[0]["algorithm"]
    if algorithm in POLICIES and not POLICIES[algorithm].tiles:
        return True
    covered = 0
    for span in spans:
        start, end = span["start_offset"], span["end_offset"]
        if start is None or end is None or not start <= covered < end:
            return False
        covered = end
    return bool(covered == spans[0]["expected_end"])


def _rows(batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


def _uuid(value: object) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))
