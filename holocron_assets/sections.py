"""The sections of the settings, and what each may say; servers of models have theirs in `model_servers`."""

import os
from dataclasses import replace
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from holocron_assets.chunking import POLICIES, ChunkingPolicy
from holocron_assets.environment import NO_SECRETS, named_secret
from holocron_assets.evidence.policy import EvidencePolicy
from holocron_assets.identity import canonical_json
from holocron_assets.selection import Selection
from holocron_assets.user_queries import require_reading

_Word = Annotated[str, Field(min_length=1, max_length=200)]
#: Five fields; what they may hold, Dagster says when it loads the schedule.
_Cron = Annotated[str, Field(pattern=r"^(\S+ ){4}\S+$")]


class Section(BaseModel):
    """Settings that belong together: fixed once they are read, and nothing in them that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DuckDBSettings(Section):
    """Limits for the embedded store; they bound memory, not the size of the data."""

    memory_limit: ByteSize = ByteSize(256_000_000)
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None


class SqlServerSettings(Section):
    """How SQL Server is spoken to; where it is, `store_url` and the environment say."""

    login_timeout_seconds: PositiveInt = 15
    statement_timeout_seconds: PositiveInt = 600
    vector_json: bool = True


class ExtractionSettings(Section):
    """Limits that keep one hostile document from stopping the others."""

    workers: PositiveInt | None = None
    timeout_seconds: PositiveFloat = 30.0
    max_payload_bytes: PositiveInt = 32 * 1024 * 1024
    worker_memory_bytes: PositiveInt = 2 * 1024 * 1024 * 1024


class SourceSettings(Section):
    """Which pages are sources, and which record speaks for one (`docs/decisions/0003-which-record-speaks.md`)."""

    html_preferred_hours: Annotated[float, Field(ge=0)] = 24.0
    gone_status_retires: bool = False
    primary_types: tuple[_Word, ...] = ()
    continuities: tuple[_Word, ...] = ()
    unclassified: bool = True
    link_pages: bool = False

    def selection(self) -> Selection:
        """Which pages are embedded."""
        return Selection(
            primary_types=self.primary_types, continuities=self.continuities, unclassified=self.unclassified
        )


class SqlSource(Section):
    """A query that only reads; each of its rows (`id`, `title`, `text`) is a source, `name` their source name."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    query: str

    @field_validator("query")
    @classmethod
    def _only_reads(cls, query: str) -> str:
        require_reading(query)
        return query


class ChunkingSettings(Section):
    """A built-in policy by its version, or sizes of your own under a version of your own."""

    version: Annotated[str, Field(min_length=1, max_length=50)] = "2.0"
    algorithm: Literal["1.0", "2.0"] | None = None
    chunk_size: int | None = None
    overlap: int | None = None
    max_chunks_per_source: int | None = None

    @model_validator(mode="after")
    def _is_a_policy(self) -> "ChunkingSettings":
        self.policy()
        return self

    def policy(self) -> ChunkingPolicy:
        """The policy that these settings name; raises ValueError where a built-in version is redefined."""
        chosen: dict[str, Any] = self.model_dump(exclude={"version"}, exclude_none=True)
        builtin = POLICIES.get(self.version)
        if builtin is None:
            return replace(POLICIES[chosen.get("algorithm", "2.0")], version=self.version, **chosen)
        if any(getattr(builtin, name) != value for name, value in chosen.items()):
            raise ValueError(f"version {self.version} is built in and fixed; give your sizes another version")
        return builtin


class GuardSettings(Section):
    """How much one run may retire before it stops and asks."""

    max_retired_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    always_allowed: Annotated[int, Field(ge=0)] = 20


class CanarySettings(Section):
    """What is embedded again before a run, and what a changed model leads to."""

    on_change: Literal["stop", "register"] = "stop"
    tolerance: Annotated[float, Field(ge=0, le=2)] | None = None
    anchors: str | None = None


class RerankSettings(Section):
    """What gives the first `depth` hits of a search another order, and its options."""

    name: str = "none"
    options: dict[str, Any] = Field(default_factory=dict)
    depth: Annotated[int, Field(ge=1, le=1000)] = 20


class EvidenceSettings(Section):
    """The limits of a bundle of evidence, and whether it is redacted."""

    max_items: int = 50
    max_total_bytes: int = 100_000
    max_item_bytes: int = 10_000
    redact: bool = False

    @model_validator(mode="after")
    def _is_a_policy(self) -> "EvidenceSettings":
        self.policy()
        return self

    def policy(self) -> EvidencePolicy:
        """The policy that these settings name; raises `ConfigurationError` for limits that make no sense."""
        return EvidencePolicy(**self.model_dump(exclude={"redact"}), enable_redaction=self.redact)


class QueueSettings(Section):
    """When a worker of the job queue is believed dead, and how long a failed job waits."""

    stale_seconds: Annotated[int, Field(ge=60)] = 900
    backoff_seconds: Annotated[int, Field(ge=0)] = 60


class EvaluationSettings(Section):
    """What spaces are evaluated on: folders of judged queries, and `sample` for those of the bundled sample."""

    collections: tuple[Annotated[str, Field(min_length=1)], ...] = ("sample",)


class DriftSettings(Section):
    """What is compared with what, and where reports go.

    `reference` names a snapshot; without one the reference is all that was fetched before the last `window_days` that
    brought something. With fewer `permutations` no single figure of the ten that are tested could be significant.
    """

    reference: Annotated[str, Field(min_length=1)] | None = None
    window_days: Annotated[int, Field(ge=1, le=36_500)] = 7
    permutations: Annotated[int, Field(ge=199, le=9999)] = 499
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    folder: Annotated[str, Field(min_length=1)] = ".holocron/drift"


class LakeSettings(Section):
    """Where the artefacts of runs go, and how many bytes of each run; without a root nowhere."""

    root: Annotated[str, Field(min_length=1)] | None = Field(
        default_factory=lambda: os.environ.get("LAKE_ROOT") or None
    )
    max_bytes_per_run: ByteSize = ByteSize(256_000_000)


class SearchSettings(Section):
    """Where search indexes are kept and what they are like, and whether searches are written to the store."""

    folder: Annotated[str, Field(min_length=1)] = ".holocron/search"
    language: Annotated[str, Field(min_length=1)] = "english"
    approximate_above: PositiveInt = 2_000_000
    log: bool = False


class EventSettings(Section):
    """Where structured events go, and how large their file may grow before it is put aside."""

    file: Annotated[str, Field(min_length=1)] | None = ".holocron/events.ndjson"
    max_bytes: ByteSize = ByteSize(10_000_000)


class SchedulesSettings(Section):
    """What is started by the clock, as cron says it; None for never."""

    nightly: _Cron | None = "0 2 * * *"
    verification: _Cron | None = "0 3 * * *"
    evaluation: _Cron | None = "0 4 * * *"
    drift: _Cron | None = "0 5 * * *"
    ingest: _Cron | None = None
    time_zone: str = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name != "UTC" and name not in available_timezones():
            raise ValueError(f"{name} is no time zone; write one such as Europe/Berlin")
        return name


class SensorsSettings(Section):
    """How often sensors look."""

    interval_seconds: PositiveInt = 30


class SpaceDeclaration(Section):
    """A space to register when the store has none like it."""

    provider: str
    model: str
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("options")
    @classmethod
    def _hold_no_secret(cls, options: dict[str, Any]) -> dict[str, Any]:
        if secret := named_secret(options):
            raise ValueError(f"{secret}: {NO_SECRETS}")
        return options

    @property
    def label(self) -> str:
        """What is declared, for messages: two declarations of one model differ in their options."""
        return " ".join([self.provider, self.model, *([canonical_json(self.options)] if self.options else [])])
