"""Facts over snapshots: their lists are read back."""

import pyarrow as pa

from holocron_assets.drift.membership import membership_sha256
from holocron_assets.ports import Session
from holocron_assets.tables import drift_windows
from holocron_assets.verification.finding import Finding


def snapshots_are_what_they_were(session: Session) -> Finding:
    """Every snapshot holds the chunks that its digest was taken of, and no others."""
    snapshots = drift_windows.list_snapshots(session)
    faults = []
    for snapshot in snapshots:
        batches = list(drift_windows.list_snapshot_chunks(session, snapshot.snapshot_id))
        found = sum(batch.num_rows for batch in batches)
        if not found or membership_sha256(pa.Table.from_batches(batches)) != snapshot.membership_sha256:
            faults.append(f"{snapshot.name} held {snapshot.chunk_count:,} chunks and holds {found:,}")
    return Finding(
        claim="snapshots_are_what_they_were",
        holds=not faults,
        explanation=f"{len(faults)} of {len(snapshots)} snapshots are other lists than were taken: what is compared "
        "with them says nothing. Restore their rows of vector.drift_snapshot_chunk from a backup, or take others."
        if faults
        else f"{len(snapshots)} snapshots, each the list that its digest was taken of.",
        figures={"snapshots": len(snapshots), "faults": len(faults)},
        offenders=faults,
    )
