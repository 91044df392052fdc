"""What a user may set: `holocron.yaml`, overridden by the environment. No component is opened here.

`HOLOCRON_CONFIG` names the file, else `./holocron.yaml`, else the defaults below. Environment variables
beat the file: `HOLOCRON_STORE_URL`, and for a section `HOLOCRON_EXTRACTION__WORKERS`. Relative paths
belong to the file's folder. Secrets come from the environment only.
"""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from holocron_assets.chunking import POLICIES, ChunkingPolicy
from holocron_assets.environment import NO_SECRETS, default_store_url, named_secret
from holocron_assets.errors import ConfigurationError
from holocron_assets.identity import canonical_json
from holocron_assets.model_servers import OllamaSettings, OpenAISettings
from holocron_assets.selection import Selection
from holocron_assets.user_queries import require_reading

SAMPLE = "sample"


_Word = Annotated[str, Field(min_length=1, max_length=200)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DuckDBSettings(_Section):
    """Limits for the embedded store; they bound memory, not the size of the data."""

    memory_limit: ByteSize = ByteSize(256_000_000)
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None


class SqlServerSettings(_Section):
    """How SQL Server is spoken to; where it is, `store_url` and the environment say."""

    login_timeout_seconds: PositiveInt = 15
    statement_timeout_seconds: PositiveInt = 600
    vector_json: bool = True


class ExtractionSettings(_Section):
    """Limits that keep one hostile document from stopping the others."""

    workers: PositiveInt | None = None
    timeout_seconds: PositiveFloat = 30.0
    max_payload_bytes: PositiveInt = 32 * 1024 * 1024
    worker_memory_bytes: PositiveInt = 2 * 1024 * 1024 * 1024


class SourceSettings(_Section):
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


class SqlSource(_Section):
    """A query that only reads; each of its rows (`id`, `title`, `text`) is a source, `name` their source name."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    query: str

    @field_validator("query")
    @classmethod
    def _only_reads(cls, query: str) -> str:
        require_reading(query)
        return query


class ChunkingSettings(_Section):
    """A built-in policy by its version, or sizes of your own under a version of your own."""

    version: str = "2.0"
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


class GuardSettings(_Section):
    """How much one run may retire before it stops and asks."""

    max_retired_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    always_allowed: Annotated[int, Field(ge=0)] = 20


class CanarySettings(_Section):
    """What is embedded again before a run, and what a changed model leads to."""

    on_change: Literal["stop", "register"] = "stop"
    tolerance: Annotated[float, Field(ge=0, le=2)] | None = None
    anchors: str | None = None


class LakeSettings(_Section):
    """Where the artefacts of runs go, and how many bytes of each run; without a root nowhere."""

    root: Annotated[str, Field(min_length=1)] | None = Field(
        default_factory=lambda: os.environ.get("LAKE_ROOT") or None
    )
    max_bytes_per_run: ByteSize = ByteSize(256_000_000)


class SpaceDeclaration(_Section):
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


class _Environment(EnvSettingsSource):
    def __call__(self) -> dict[str, Any]:
        """Everything but `base_dir`, which is where the file is and not what anyone sets."""
        return {name: value for name, value in super().__call__().items() if name != "base_dir"}


class Settings(BaseSettings):
    """Everything a user may set, with the defaults that a newcomer runs on."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="HOLOCRON_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may hold a secret
    )

    #: the folder that relative paths belong to; set by `load_settings`
    base_dir: Path
    store_url: str = Field(default_factory=lambda: default_store_url(os.environ), repr=False)
    ingest: tuple[str, ...] = (SAMPLE,)
    sql_sources: tuple[SqlSource, ...] = ()
    duckdb: DuckDBSettings = DuckDBSettings()
    sqlserver: SqlServerSettings = SqlServerSettings()
    extraction: ExtractionSettings = ExtractionSettings()
    sources: SourceSettings = SourceSettings()
    chunking: ChunkingSettings = ChunkingSettings()
    guard: GuardSettings = GuardSettings()
    canary: CanarySettings = CanarySettings()
    lake: LakeSettings = Field(default_factory=LakeSettings)
    ollama: OllamaSettings = Field(default_factory=OllamaSettings)
    openai: OpenAISettings = Field(default_factory=OpenAISettings)
    spaces: tuple[SpaceDeclaration, ...] = Field(default_factory=lambda given: _default_spaces(given["ollama"]))

    @field_validator("sql_sources")
    @classmethod
    def _names_are_unique(cls, sources: tuple[SqlSource, ...]) -> tuple[SqlSource, ...]:
        names = [source.name for source in sources]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two queries are called {repeated[0]}; a name belongs to one")
        return sources

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first: what `load_settings` passes as arguments is the file's content."""
        return _Environment(settings_cls), init_settings

    def path(self, name: str) -> Path:
        """A path from the settings, made absolute against the settings file's folder."""
        return (self.base_dir / Path(name).expanduser()).resolve()


def load_settings() -> Settings:
    """Read the settings file and the environment; raises `ConfigurationError` that names every fault."""
    path = _settings_file()
    content: dict[str, Any] = {}
    if path is not None:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigurationError(f"cannot read the settings in {path}: {error}") from error
        if not isinstance(content, dict):
            raise ConfigurationError(f"{path} must hold settings by name, e.g. `store_url: duckdb:///store.duckdb`")
        for name, variable in _URLS.items():
            section, _, key = name.rpartition(".")
            given = content.get(section) if section else content
            if isinstance(given, dict) and _PASSWORD_IN_URL.match(str(given.get(key))):
                raise ConfigurationError(
                    f"{path}: {name} holds a password. Leave it out there, and set {variable} in the environment: "
                    "files are copied and committed."
                )
        if "base_dir" in content:
            raise ConfigurationError(f"{path}: base_dir: relative paths belong to the folder of this file")
    try:
        return Settings(**(content | {"base_dir": (path.parent if path else Path.cwd()).resolve()}))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'settings'}: {fault['msg']}" for fault in error.errors()
        )
        raise ConfigurationError(f"{_origin(path)}: {faults}. See docs/configuration.md.") from error
    except SettingsError as error:
        raise ConfigurationError(
            f"the environment: {error}. Lists and sections are written as JSON there. See docs/configuration.md."
        ) from error


def _default_spaces(ollama: OllamaSettings) -> tuple[SpaceDeclaration, ...]:
    """Ollama's model where an Ollama is named, else the embedded one."""
    if ollama.base_url:
        return (SpaceDeclaration(provider="ollama", model=ollama.model),)
    return (SpaceDeclaration(provider="embedded", model="all-minilm-l6-v2"),)


#: The settings that are URLs, and the variables that may hold what is secret in one.
_URLS = {
    "store_url": "INGEST_SQLSERVER_PASSWORD",
    "ollama.base_url": "OLLAMA_BASE_URL",
    "openai.base_url": "OPENAI_BASE_URL",
}
_PASSWORD_IN_URL = re.compile(r"[\w+]+://[^/@:]*:[^/@]+@|.*\b(pwd|password)(=|%3d)", re.IGNORECASE | re.DOTALL)


def _origin(path: Path | None) -> str:
    """Where a faulty setting may come from: pydantic does not say which source it read."""
    set_here = sorted(name for name in os.environ if name.startswith("HOLOCRON_") and name != "HOLOCRON_CONFIG")
    return " and ".join([*([str(path)] if path else []), *set_here]) or "the defaults"


def _settings_file() -> Path | None:
    named = os.environ.get("HOLOCRON_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"HOLOCRON_CONFIG names {path}, and there is no such file")
        return path
    default = Path("holocron.yaml")
    return default if default.is_file() else None
