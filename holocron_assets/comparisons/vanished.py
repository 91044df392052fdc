"""What of a snapshot is gone: the share of its documents that have no text in the store any more."""

from dataclasses import dataclass

from holocron_assets.drift.report import Floor, Judgement, Metric, Subject, Verdict
from holocron_assets.drift.verdicts import judged
from holocron_assets.tables.drift_windows import Snapshot

#: A judgement: a twentieth is more than a few pages that were merged or renamed, a fifth is a part of the corpus.
_FLOOR = Floor(watch=0.05, alert=0.2, is_calibrated=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanished:
    """How many documents of a snapshot have no current chunk any more."""

    snapshot: Snapshot
    documents: int

    @property
    def metric(self) -> Metric:
        """Judged by its floor alone: every document of the snapshot was looked at."""
        (metric,) = judged(
            [
                Metric(
                    name="vanished",
                    effect=self.documents / self.snapshot.document_count,
                    floor=_FLOOR,
                    explanation="The share of the snapshot's documents that have no text in the store any more.",
                    details={"documents": self.documents, "of": self.snapshot.document_count},
                )
            ]
        )
        return metric

    @property
    def verdict(self) -> Verdict:
        return self.metric.verdict or Verdict.OK

    def judgement(self) -> Judgement:
        """In words, also where it gives no reason to look."""
        of = f"the {self.snapshot.document_count:,} documents of snapshot {self.snapshot.name}"
        return Judgement(
            subject=Subject.CONTENT,
            verdict=self.verdict,
            why=f"{self.documents:,} of {of} have vanished: they have no text in the store any more.",
            next_step="Nothing needs to be done."
            if self.verdict is Verdict.OK
            else "Find out whether they were meant to go: no search finds them. If they were, take a new snapshot, and "
            "name it as the reference: `drift.reference` in holocron.yaml.",
        )
