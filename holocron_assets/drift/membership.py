"""What the digest of a snapshot is of. Pure."""

import hashlib

import pyarrow as pa

#: Lines that are made ready for the digest.
_AT_ONCE = 65_536


def membership_sha256(keys: pa.Table) -> str:
    """The SHA-256 of `chunk_id:content_sha256` and a line feed for each row, by chunk id as bytes, in hexadecimal."""
    digest = hashlib.sha256()
    ordered = keys.select(["chunk_id", "content_sha256"]).sort_by("chunk_id")
    for batch in ordered.to_batches(max_chunksize=_AT_ONCE):
        rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        digest.update("".join(f"{chunk_id}:{content}\n" for chunk_id, content in rows).encode())
    return digest.hexdigest()
