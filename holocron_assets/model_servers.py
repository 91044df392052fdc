"""Sections of the settings that say where servers that embed are, and how they are spoken to: they change no vector."""

import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from holocron_assets.environment import NO_SECRETS, local_ollama_url, named_ollama_url, named_secret, openai_url
from holocron_assets.errors import ConfigurationError

#: A space's tag is at most 100 characters long, and may end in `+` and a mark of 12.
LONGEST_SERVER_NAME = 87


class ModelServerSettings(BaseModel):
    """How many requests are with a server at once, and how large one is: texts, and characters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: PositiveInt = 4
    batch_size: PositiveInt = 32
    batch_characters: PositiveInt = 100_000

    @model_validator(mode="before")
    @classmethod
    def _holds_no_secret(cls, given: Any) -> Any:
        if isinstance(given, dict) and (secret := named_secret(given)):
            raise ValueError(f"{secret}: {NO_SECRETS}")
        return given


class OllamaSettings(ModelServerSettings):
    """Where Ollama is and how it is spoken to."""

    base_url: str | None = Field(default_factory=lambda: named_ollama_url(os.environ), repr=False)
    model: str = Field(default_factory=lambda: os.environ.get("OLLAMA_EMBED_MODEL") or "nomic-embed-text")
    timeout_seconds: PositiveFloat = Field(default_factory=lambda: _ollama_timeout(os.environ))
    keep_alive: str | int = "5m"

    def address(self) -> str:
        """The base URL that is set, or where Ollama listens on this machine."""
        return self.base_url or local_ollama_url(os.environ)


class OpenAISettings(ModelServerSettings):
    """Where OpenAI, or a server that speaks as it does, is and how it is spoken to; the key is no setting.

    `server_name` is the tag of the spaces that the server fills, where that is not to be its host.
    """

    base_url: str = Field(default_factory=lambda: openai_url(os.environ), repr=False)
    server_name: Annotated[str, Field(pattern=r"^[^+\s]+$", max_length=LONGEST_SERVER_NAME)] | None = None
    timeout_seconds: PositiveFloat = 120.0


def _ollama_timeout(environment: Mapping[str, str]) -> float:
    """Seconds, as the variable of other programs says."""
    given = environment.get("OLLAMA_TIMEOUT_SECONDS") or "120"
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(f"OLLAMA_TIMEOUT_SECONDS is {given!r}: it must be a number of seconds above 0")
    return seconds
