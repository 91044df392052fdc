"""What a user may set: `holocron.yaml`, overridden by the environment. No component is opened here.

`HOLOCRON_CONFIG` names the file, else `./holocron.yaml`, else the defaults below. Environment variables
beat the file: `HOLOCRON_STORE_URL`, and for a section `HOLOCRON_EXTRACTION__WORKERS`. Relative paths
belong to the file's folder. Secrets come from the environment only.
"""

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import (
    Field,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from holocron_assets.environment import default_store_url
from holocron_assets.errors import ConfigurationError
from holocron_assets.model_servers import OllamaSettings, OpenAISettings
from holocron_assets.sections import (
    CanarySettings,
    ChunkingSettings,
    DriftSettings,
    DuckDBSettings,
    EvaluationSettings,
    EventSettings,
    EvidenceSettings,
    ExtractionSettings,
    GuardSettings,
    LakeSettings,
    QueueSettings,
    RerankSettings,
    SchedulesSettings,
    SearchSettings,
    SensorsSettings,
    SourceSettings,
    SpaceDeclaration,
    SqlServerSettings,
    SqlSource,
)

SAMPLE = "sample"
_NOTHING = object()


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
        env_parse_none_str="null",  # as in the file
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
    search: SearchSettings = SearchSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    drift: DriftSettings = DriftSettings()
    events: EventSettings = EventSettings()
    lake: LakeSettings = Field(default_factory=LakeSettings)
    queue: QueueSettings = QueueSettings()
    rerank: RerankSettings = RerankSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    schedules: SchedulesSettings = SchedulesSettings()
    sensors: SensorsSettings = SensorsSettings()
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
        raise ConfigurationError(f"{_faults(error, path, content)}. See docs/configuration.md.") from error
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
_PASSWORD_IN_URL = re.compile(
    r"[\w+]+://[^/@:]*:[^@]+@|.*(\b|%3b)(pwd|password)(\s|\+|%20)*(=|%3d)", re.IGNORECASE | re.DOTALL
)


def _faults(error: ValidationError, path: Path | None, content: Any) -> str:
    """Every fault, after the variables or the file to mend."""
    faults: dict[str, list[str]] = {}
    environment = _Environment(Settings)()
    for fault in error.errors():
        if fault["type"] == "default_factory_not_called":
            continue  # follows from another fault
        origin = _origin(fault["loc"], path, content, environment)
        faults.setdefault(origin, []).append(f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}")
    return "; ".join(f"{origin}: {'; '.join(those)}" for origin, those in faults.items())


def _origin(loc: tuple[str | int, ...], path: Path | None, content: Any, environment: Any) -> str:
    """The variables and the file that a faulty setting's value came from: pydantic does not say what it read where."""
    while loc and not _has(content, loc) and not _has(environment, loc):
        loc = loc[:-1]  # what is missing is missing in something
    names = [str(part).lower() for part in loc]
    origins = []
    if _has(environment, loc):
        origins += sorted(variable for variable in os.environ if _is_about(variable, names))
    if path is not None and _has(content, loc) and (not origins or isinstance(_at(environment, loc), dict)):
        origins.append(str(path))
    return " and ".join(origins) or "the defaults"


def _is_about(variable: str, names: list[str]) -> bool:
    """Whether a variable sets the setting that is reached by these names, or something in it."""
    prefix, _, rest = variable.lower().partition("_")
    about = rest.split("__")
    is_setting = prefix == "holocron" and about[0] in Settings.model_fields
    return is_setting and all(one == other for one, other in zip(about, names, strict=False))


def _has(values: Any, loc: tuple[str | int, ...]) -> bool:
    return _at(values, loc) is not _NOTHING


def _at(values: Any, loc: tuple[str | int, ...]) -> Any:
    """What lies under a place in nested settings."""
    for part in loc:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return _NOTHING
    return values


def _settings_file() -> Path | None:
    named = os.environ.get("HOLOCRON_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"HOLOCRON_CONFIG names {path}, and there is no such file")
        return path
    default = Path("holocron.yaml")
    return default if default.is_file() else None
