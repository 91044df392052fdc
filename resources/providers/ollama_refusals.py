"""What Ollama means when it refuses: a status, and words that changed from version to version."""

import re

from holocron_assets.errors import (
    ConfigurationError,
    InputRejectedError,
    ModelMissingError,
    ProviderError,
    ProviderUnavailableError,
)
from resources.providers.json_server import RefusedError, usual_meaning

#: Until 0.11 `input length exceeds maximum context length`, in 0.12 and 0.13 `input exceeds …`, since then `the input
#: length exceeds the context length`. And `input after truncation exceeds …`, and `… cannot be truncated further`.
_OVERFLOW = re.compile(r"input.*exceeds (the|maximum) context length|cannot be truncated further", re.IGNORECASE)
#: Said with status 400 when the process that runs the model died.
_RUNNER_DIED = re.compile(r"\bEOF\b|connection (refused|reset)|do embedding request|llama runner", re.IGNORECASE)


class ContextOverflowError(Exception):
    """A text of the request has more tokens than the context."""


def missing(server: str, model: str) -> ModelMissingError:
    """The server does not have the model."""
    return ModelMissingError(f"{server} has no model {model}. Run `ollama pull {model}` there.")


def meaning(error: RefusedError, server: str, model: str, path: str) -> Exception:
    """The error for a request about `model` to `/path` that was refused."""
    return usual_meaning(error, server) or _of_status(error, server, model, path) or _of_words(error, server, model)


def _of_status(error: RefusedError, server: str, model: str, path: str) -> Exception | None:
    if error.status in (404, 405) and not error.is_json:
        return ProviderError(
            f"{server} has no /{path}: it is older than Ollama 0.3, or no Ollama at all. Update it, or correct the "
            "base URL."
        )
    if error.status == 404:
        return missing(server, model)
    if error.status == 501:
        return ProviderError(f"{server}: {model} is no embedding model: {error.said}")
    return None


def _of_words(error: RefusedError, server: str, model: str) -> Exception:
    if "does not support embed" in error.said:
        return ProviderError(f"{server}: {model} is no embedding model: {error.said}")
    if "invalid model name" in error.said:
        return ConfigurationError(f"Ollama cannot have a model called {model!r}: {error.said}")
    if _OVERFLOW.search(error.said):
        return ContextOverflowError(error.said)
    if _RUNNER_DIED.search(error.said):
        return ProviderUnavailableError(f"{server}: {error}")
    return InputRejectedError(f"{server}: {error}")
