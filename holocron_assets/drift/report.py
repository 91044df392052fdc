"""What a comparison of two sets of vectors found: the records of a drift report. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Which question a report answers."""

    CONTENT = "content"  #: are the texts of one space other ones than they were?
    MODEL = "model"  #: does the model of a space still answer as it did?
    SPACES = "spaces"  #: how do two spaces differ?


class Verdict(StrEnum):
    """What to do about a figure, or a report: nothing, look at it, act. In the order of their weight."""

    OK = "ok"
    WATCH = "watch"
    ALERT = "alert"


def gravest(verdicts: Sequence[Verdict]) -> Verdict:
    """The one of most weight; `ok` where there are none."""
    return max(verdicts, key=list(Verdict).index, default=Verdict.OK)


class Subject(StrEnum):
    """What a judgement is about; two judgements of one report may differ."""

    CONTENT = "content"
    MODEL = "model"
    SPACE = "space"
    RETRIEVAL = "retrieval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """From which effect on a figure is worth looking at, and from which on worth acting; the same unit as the effect.

    `is_calibrated`: they are above the default, since so much is found without drift: between parts of the reference,
    between a model's answers to the same texts, or, of a classifier, by guessing among as few documents where that is
    more.
    """

    watch: float
    alert: float
    is_calibrated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure of a report, as it is stored.

    `effect` is how much, in a unit that means the same at every size, and None where it could not be had: `missing`
    says why. `statistic` is what was tested, where anything was.
    `p` is how often chance alone gives as much, `p_adjusted` the same after Benjamini and Hochberg over all that the
    report tested. A figure without a floor is context and has no verdict. `explanation` says it in words.
    """

    name: str
    effect: float | None
    statistic: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    floor: Floor | None = None
    verdict: Verdict | None = None
    reference: float | None = None
    current: float | None = None
    explanation: str = ""
    missing: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """A figure of an earlier report on the same question: what a line over time is drawn from."""

    report_id: uuid.UUID
    created_utc: datetime
    metric: str
    effect: float | None
    floor: Floor | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a report says about a subject: why, in words a user understands, and what to do next."""

    subject: Subject
    verdict: Verdict
    why: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two that were compared: its name, how much there was of it, and how much of that was looked at."""

    label: str
    documents: int
    chunks: int
    sampled_documents: int
    sampled_chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Numbers to be drawn; `kind` says how, `data` holds what that kind needs. See `holocron_assets.drift.pictures`."""

    kind: str
    title: str
    explanation: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """A comparison, with everything that is needed to make it again."""

    report_id: uuid.UUID
    run_id: uuid.UUID
    kind: Kind
    space_id: uuid.UUID
    space: str
    reference: Side
    current: Side
    judgements: Sequence[Judgement]
    metrics: Sequence[Metric]
    parameters: Mapping[str, Any]
    seed: int
    created_utc: datetime
    other_space_id: uuid.UUID | None = None
    other_space: str | None = None
    pictures: Sequence[Picture] = ()

    @property
    def verdict(self) -> Verdict:
        """The gravest of its judgements."""
        return gravest([one.verdict for one in self.judgements])

    @property
    def calls_for_action(self) -> bool:
        """Whether something is wrong by an alert; that two spaces are unlike is none."""
        return any(one.verdict is Verdict.ALERT and one.subject is not Subject.SPACE for one in self.judgements)
