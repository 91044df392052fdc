"""The floor: the same extraction, chunking, hashing and vectors in one plain loop, one bulk insert per batch.

No pipeline can be faster in one process; what a pipeline costs beyond it is its price. Run as a process of
its own: `python -m benchmarks.floor RECORDS STORE`.
"""

import json
import sys
import time
import uuid
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from holocron_assets.chunking import POLICIES, cut
from holocron_assets.extraction.examination import examine
from holocron_assets.identity import chunk_id, text_sha256
from holocron_assets.records import RawRecord, RecordKey
from holocron_assets.vectors import vector_sha256
from resources.providers import open_provider

_BATCH_CHUNKS = 4096


def main(records: Path, store: Path) -> None:
    """Print what was done and how long each part of it took, in CPU seconds."""
    provider = open_provider("hashing", "ngram", {})
    policy = POLICIES["2.0"]
    connection = duckdb.connect(str(store), config={"threads": 1, "memory_limit": "256MB"})
    connection.execute(
        "create table vectors (chunk_id varchar primary key, source_id varchar, content varchar, "
        "content_sha256 varchar, vector float[], vector_sha256 varchar)"
    )
    spent = dict.fromkeys(("read", "extract", "chunk and hash", "embed", "insert"), 0.0)
    rows: list[tuple[str, str, str, str]] = []
    documents = chunks = 0

    def clock(part: str, since: float) -> float:
        now = time.process_time()
        spent[part] += now - since
        return now

    def flush() -> None:
        if not rows:
            return
        began = time.process_time()
        vectors = provider.embed([row[2] for row in rows]).values
        began = clock("embed", began)
        hashes = [vector_sha256(vector) for vector in vectors]
        began = clock("chunk and hash", began)
        offsets = np.arange(0, (len(rows) + 1) * vectors.shape[1], vectors.shape[1], dtype=np.int32)
        columns = list(zip(*rows, strict=True))
        lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors.reshape(-1)))
        names = ["chunk_id", "source_id", "content", "content_sha256", "vector", "vector_sha256"]
        batch = pa.Table.from_arrays([*(pa.array(c) for c in columns), lists, pa.array(hashes)], names=names)
        connection.register("batch", batch)
        connection.execute("insert into vectors select * from batch")
        connection.unregister("batch")
        rows.clear()
        clock("insert", began)

    with records.open(encoding="utf-8") as lines:
        for line in lines:
            began = time.process_time()
            record = _raw(json.loads(line))
            began = clock("read", began)
            (found,) = examine([record])
            began = clock("extract", began)
            text = found.text or ""
            for span in cut(text, policy).spans:
                content = text[span.start : span.end]
                key = chunk_id(str(found.source_id), span.index, span.start, span.end, policy.version)
                rows.append((key, str(found.source_id), content, text_sha256(content)))
            clock("chunk and hash", began)
            documents += 1
            if len(rows) >= _BATCH_CHUNKS:
                chunks += len(rows)
                flush()
    chunks += len(rows)
    flush()
    began = time.process_time()
    connection.close()
    clock("insert", began)
    print(json.dumps({"documents": documents, "chunks": chunks, "cpu": spent}))


def _raw(row: dict[str, str]) -> RawRecord:
    key = RecordKey(
        ingest_id=uuid.uuid4(),
        source_system=row["source_system"],
        source_name=row["source_name"],
        resource_type=row["resource_type"],
        resource_id=row["resource_id"],
        variant=row["variant"],
        content_type=row["content_type"],
        request_uri=row["request_uri"],
        status_code=200,
        fetched_at_utc=datetime.fromisoformat(row["fetched_at_utc"]),
    )
    return RawRecord(key=key, payload=row["payload"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
