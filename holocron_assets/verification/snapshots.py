"""Facts over snapshots: their lists are read back."""

from holocron_assets.drift.membership import Membership
from holocron_assets.ports import Session
from holocron_assets.tables import drift_windows
from holocron_assets.verification.finding import Finding


def snapshots_are_what_they_were(session: Session) -> Finding:
    """Every snapshot holds the chunks that its digest was taken of, and no others."""
    snapshots = drift_windows.list_snapshots(session)
    faults = []
    for snapshot in snapshots:
        found = Membership()
        for batch in drift_windows.list_snapshot_chunks(session, snapshot.snapshot_id):
            found.add(batch)
        if found.sha256 != snapshot.membership_sha256:
            faults.append(f"{snapshot.name} held {snapshot.chunk_count:,} chunks and holds {found.chunk_count:,}")
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
