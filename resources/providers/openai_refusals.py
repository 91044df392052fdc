"""What OpenAI, and servers that speak as it does, mean when they refuse: a status, a code or type, and words."""

import re

from holocron_assets.environment import OPENAI_KEY
from holocron_assets.errors import InputRejectedError, ModelMissingError, ProviderError
from resources.providers.json_server import RefusedError, usual_meaning

#: Said with 429, as is that there were too many requests; only these do not pass by themselves.
_NOTHING_LEFT = {"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"}
#: OpenAI and vLLM: `maximum context length is 8192 tokens`, with 400. llama.cpp, with 500 or 400: `input is too large
#: to process`, `input is larger than the max context size`, `request exceeds the available context size`.
_TOO_LONG = re.compile(
    r"maximum context length|too large to process|larger than the max context|exceeds the available context",
    re.IGNORECASE,
)
#: Of these the request is to blame, and so, where others are answered, a text in it; 413 is said by
#: text-embeddings-inference.
_OF_THE_REQUEST = {400, 413, 422}
WHERE = "The base URL is what stands before /embeddings; of most servers it ends in /v1"


def meaning(error: RefusedError, server: str, model: str, *, has_key: bool) -> ProviderError:
    """The error for a request about `model` that was refused."""
    return _of_the_account(error, server, has_key=has_key) or _of_the_model(error, server, model)


def _of_the_account(error: RefusedError, server: str, *, has_key: bool) -> ProviderError | None:
    words = str(error).rstrip(".")
    if error.status == 402 or error.kinds & _NOTHING_LEFT:
        return ProviderError(
            f"{server}: the account has nothing left to spend: {words}. Raise its limit or add credit, then run again: "
            "what was embedded is stored."
        )
    if error.status != 401:
        return None
    step = f"Set {OPENAI_KEY} to one that is valid there" if has_key else f"Set {OPENAI_KEY}: it is not set"
    return ProviderError(f"{server} refuses access: {words}. {step}.")


def _of_the_model(error: RefusedError, server: str, model: str) -> ProviderError:
    if _TOO_LONG.search(error.said):
        return InputRejectedError(f"{server}: {error}")
    if usual := usual_meaning(error, server):
        return usual
    words = str(error).rstrip(".")
    if error.status in (404, 405):
        if "model" in error.said.lower():
            return ModelMissingError(f"{server} has no model {model}: {words}. Correct `model:`, or load it there.")
        return ProviderError(f"{server} has no /embeddings: {words}. {WHERE}.")
    if error.status in _OF_THE_REQUEST:
        return InputRejectedError(f"{server}: {error}")
    return ProviderError(f"{server}: {error}")
