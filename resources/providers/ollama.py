"""The `ollama` provider: whatever embedding model an Ollama server has.

The server cuts texts that do not fit, silently, to a length that depends on the machine. So it is never left a choice:
the context is part of each request and of the space, and cutting is asked for only where the space says so.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from holocron_assets.errors import InputRejectedError, ProviderError
from holocron_assets.model_servers import OllamaSettings
from holocron_assets.ports import Purpose
from holocron_assets.records import SpaceIdentity
from holocron_assets.vectors import Vectors
from resources.providers.json_server import Address, JsonServer, RefusedError
from resources.providers.ollama_refusals import ContextOverflowError, meaning, missing
from resources.providers.options import Options
from resources.providers.served import PROBE, ServedProvider, is_normalized

#: A model may read more; what chunks never need would only cost memory.
_LONGEST_DEFAULT_CONTEXT = 8192
_CONTEXT_WITHOUT_METADATA = 2048
#: Until the server has counted some: English prose.
_TOKENS_PER_CHARACTER = 0.25
#: What the authors of a model say that queries and documents must begin with: nomic-embed-text, mxbai-embed-large and
#: embeddinggemma, from their model cards.
_PREFIXES: dict[str, tuple[str, str]] = {
    "nomic-embed-text": ("search_document: ", "search_query: "),
    "mxbai-embed-large": ("", "Represent this sentence for searching relevant passages: "),
    "embeddinggemma": ("title: none | text: ", "task: search result | query: "),
}


class OllamaOptions(Options):
    """What changes the vectors; where nothing is said, it follows the model.

    `num_ctx`: how many tokens of a text are read. `overflow`: what becomes of a longer one. `dimensions`: how many of
    the vector's first numbers the server keeps, for models that were made for it.
    """

    num_ctx: int | None = Field(default=None, ge=16, le=1_048_576)
    num_batch: int | None = Field(default=None, ge=16, le=1_048_576)
    overflow: Literal["truncate", "refuse"] = "truncate"
    document_prefix: str | None = None
    query_prefix: str | None = None
    dimensions: int | None = Field(default=None, ge=1, le=65_536)


class Ollama(ServedProvider):
    """Embeds through `/api/embed`. `model` is a name as Ollama has it, with or without a tag."""

    def __init__(self, model: str, options: Mapping[str, Any], settings: OllamaSettings | None = None) -> None:
        self._name, self._tag = name_and_tag(model)
        self._model = f"{self._name}:{self._tag}"
        self._options = OllamaOptions.read("ollama", options)
        self._settings = settings or OllamaSettings()
        super().__init__(self._settings)
        self._server = JsonServer(
            Address.of("Ollama", self._settings.address()),
            timeout_seconds=self._settings.timeout_seconds,
            concurrency=self._settings.concurrency,
        )
        self._lock = threading.Lock()
        self._described: SpaceIdentity | None = None
        self._weights = ""
        self._characters = self._tokens = 0

    def describe(self) -> SpaceIdentity:
        """Asks the server which weights the name means now; whatever follows from them is asked once.

        Raises `ModelMissingError` with the command that pulls the model, and `ProviderError` for a model that embeds
        nothing, or of which the server tells no digest.
        """
        digest = self._digest()
        with self._lock:
            if self._described is None or self._described.model_digest != digest:
                self._described = self._examined(digest)
            return self._described

    def runtime(self) -> Mapping[str, str]:
        if self._described is None:
            self.describe()
        version = self._answer(self._server.get, "api/version").get("version", "unknown")
        return {
            "engine": "ollama",
            "version": str(version),
            "server": self._server.name,
            "weights": self._weights,
        }

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        """The lost tokens of a text that was cut are estimated: the server does not count them."""
        identity = self.describe() if self._described is None else self._described
        policy = identity.preprocess_policy
        prefix = policy["query_prefix" if purpose is Purpose.QUERY else "document_prefix"]
        prefixed = [prefix + text for text in texts]
        if not texts:
            return Vectors(
                values=np.empty((0, identity.dimensions), np.float32), truncated_tokens=np.zeros(0, np.int32)
            )
        parts = self._parts(prefixed, policy)
        return Vectors(
            values=np.concatenate([values for values, _ in parts]),
            truncated_tokens=np.concatenate([lost for _, lost in parts]).astype(np.int32),
        )

    def _parts(
        self, texts: Sequence[str], policy: Mapping[str, Any]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """Vectors and lost tokens; texts of which one is too long are halved until that one stands alone."""
        try:
            values, tokens = self._embedded(texts, policy, truncate=False)
        except ContextOverflowError as error:
            if policy["overflow"] == "refuse":
                raise InputRejectedError(f"{error}; the space reads {policy['num_ctx']} tokens") from error
            if len(texts) > 1:
                middle = len(texts) // 2
                return [*self._parts(texts[:middle], policy), *self._parts(texts[middle:], policy)]
            values, tokens = self._embedded(texts, policy, truncate=True)
            lost = max(1, round(len(texts[0]) * self._tokens_per_character()) - tokens)
            return [(values, np.array([lost], np.int32))]
        with self._lock:
            self._characters += sum(map(len, texts))
            self._tokens += tokens
        return [(values, np.zeros(len(texts), np.int32))]

    def _tokens_per_character(self) -> float:
        with self._lock:
            return self._tokens / self._characters if self._tokens else _TOKENS_PER_CHARACTER

    def _embedded(
        self, texts: Sequence[str], policy: Mapping[str, Any], *, truncate: bool
    ) -> tuple[NDArray[np.float32], int]:
        """The vectors of one request, and how many tokens the server read."""
        body: dict[str, Any] = {
            "model": self._model,
            "input": list(texts),
            "truncate": truncate,
            "keep_alive": self._settings.keep_alive,
            "options": {"num_ctx": policy["num_ctx"], "num_batch": policy["num_batch"]},
        }
        if policy["dimensions"] is not None:
            body["dimensions"] = policy["dimensions"]
        answer = self._answer(self._server.post, "api/embed", body)
        vectors = answer.get("embeddings")
        if not isinstance(vectors, list) or len(vectors) != len(texts):
            got = len(vectors) if isinstance(vectors, list) else "no"
            raise ProviderError(f"{self._server.name} answered {len(texts)} texts with {got} vectors")
        try:
            values = np.array(vectors, np.float64).astype(np.float32)
        except (TypeError, ValueError) as error:
            raise ProviderError(f"{self._server.name} answered with vectors that are none: {error}") from error
        if values.ndim != 2:
            raise ProviderError(f"{self._server.name} answered with vectors of different lengths")
        return values, int(answer.get("prompt_eval_count") or 0)

    def _digest(self) -> str:
        models = self._answer(self._server.get, "api/tags").get("models")
        listed = {str(one.get("name")): one for one in models or () if isinstance(one, dict)}
        found = listed.get(self._model)
        if found is None:
            raise missing(self._server.name, self._model)
        digest = str(found.get("digest") or "").removeprefix("sha256:")
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ProviderError(
                f"{self._server.name} tells no digest of {self._model}, so a change of the model would go "
                f"unnoticed. Run `ollama pull {self._model}` there, or update Ollama."
            )
        return digest

    def _examined(self, digest: str) -> SpaceIdentity:
        shown = self._answer(self._server.post, "api/show", {"model": self._model})
        capabilities = shown.get("capabilities")
        if isinstance(capabilities, list) and capabilities and "embedding" not in capabilities:
            raise ProviderError(
                f"{self._server.name}: {self._model} is no embedding model (it is for "
                f"{', '.join(map(str, capabilities))}). Choose one that is, such as nomic-embed-text."
            )
        about = shown.get("model_info") or {}
        architecture = about.get("general.architecture")
        context_length = about.get(f"{architecture}.context_length")
        policy = self._policy(self._options, context_length)
        length = about.get(f"{architecture}.embedding_length")
        probe, _ = self._embedded([PROBE], policy, truncate=False)
        dimensions = probe.shape[1]
        if policy["dimensions"] is None and isinstance(length, int) and dimensions != length:
            raise ProviderError(
                f"{self._server.name}: {self._model} has {length} dimensions by its metadata and embeds in "
                f"{dimensions}. If that is as it should be, say so by the space's option `dimensions: {dimensions}`."
            )
        if policy["dimensions"] is not None and dimensions != policy["dimensions"]:
            raise ProviderError(
                f"{self._server.name} was asked for {policy['dimensions']} dimensions of {self._model} and gave "
                f"{dimensions}: the model has no more, or Ollama is older than 0.11.11 and ignores it."
            )
        self._weights = ", ".join(re.findall(r"(?m)^FROM .*sha256-([0-9a-f]{64})", str(shown.get("modelfile") or "")))
        details = shown.get("details") or {}
        known = [details.get(key) for key in ("family", "parameter_size", "quantization_level")]
        return SpaceIdentity(
            provider="ollama",
            model_name=self._name,
            model_tag=self._tag,
            model_digest=digest,
            dimensions=dimensions,
            normalize=is_normalized(probe[0], f"{self._server.name}: {self._model}"),
            distance_metric="cosine",
            preprocess_policy=policy,
            is_plain=policy == self._policy(OllamaOptions(), context_length),
            description=" ".join(str(one) for one in known if one) or None,
        )

    def _policy(self, options: OllamaOptions, context_length: object) -> dict[str, Any]:
        """The options with what follows from the model in place of what was left open."""
        known = context_length if isinstance(context_length, int) and context_length > 0 else _CONTEXT_WITHOUT_METADATA
        num_ctx = options.num_ctx or min(known, _LONGEST_DEFAULT_CONTEXT)
        document, query = _PREFIXES.get(self._name.rpartition("/")[2], ("", ""))
        return {
            "num_ctx": num_ctx,
            # A longer input than this is cut to it, silently.
            "num_batch": options.num_batch or num_ctx,
            "overflow": options.overflow,
            "document_prefix": document if options.document_prefix is None else options.document_prefix,
            "query_prefix": query if options.query_prefix is None else options.query_prefix,
            "dimensions": options.dimensions,
        }

    def _answer(self, ask: Any, path: str, *body: Mapping[str, Any]) -> dict[str, Any]:
        """What the server answers, an object; what it refuses, in terms of models and texts."""
        try:
            answer = ask(path, *body)
        except RefusedError as error:
            raise meaning(error, self._server.name, self._model, path) from error
        if not isinstance(answer, dict):
            raise ProviderError(f"{self._server.name} is no Ollama: /{path} answers with {type(answer).__name__}")
        return answer


def name_and_tag(model: str) -> tuple[str, str]:
    """`nomic-embed-text:v1.5` in its two parts; the tag is `latest` where none is given. A port is no tag."""
    name, colon, tag = model.rpartition(":")
    return (name, tag) if colon and "/" not in tag and name and tag else (model.rstrip(":"), "latest")
