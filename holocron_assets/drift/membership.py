"""What the digest of a snapshot is of. Pure."""

import hashlib

import pyarrow as pa
import pyarrow.compute as pc


class Membership:
    """Counts and digests the chunks of a snapshot, batch by batch in the order of `chunk_id`.

    The digest is the SHA-256 of `chunk_id:content_sha256` and a line feed for each.
    """

    def __init__(self) -> None:
        self.chunk_count = 0
        self._digest = hashlib.sha256()

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in the columns `chunk_id` and `content_sha256` of the next rows."""
        ids, contents = (batch.column(name).cast(pa.string()) for name in ("chunk_id", "content_sha256"))
        lines = pc.binary_join_element_wise(pc.binary_join_element_wise(ids, contents, ":"), "\n", "")
        self._digest.update("".join(lines.to_pylist()).encode())
        self.chunk_count += batch.num_rows

    @property
    def sha256(self) -> str:
        """The digest of what was added, in hexadecimal."""
        return self._digest.hexdigest()
