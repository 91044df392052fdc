"""The `openai` provider: OpenAI, or a server that speaks as it does: vLLM, LM Studio, llama.cpp, a gateway.

Such a server tells no digest of a model, and its names are its own. So the digest is empty and the tag is the server's
name: vectors of two servers never mix. Other weights behind one name of one server are for the canary to find.
"""

import base64
import os
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from holocron_assets.environment import OPENAI_KEY, openai_key
from holocron_assets.errors import ConfigurationError, InputRejectedError, ProviderError
from holocron_assets.model_servers import LONGEST_SERVER_NAME, OpenAISettings
from holocron_assets.ports import Purpose
from holocron_assets.records import SpaceIdentity
from holocron_assets.vectors import Vectors
from resources.providers.json_server import Address, JsonServer, RefusedError, said
from resources.providers.openai_refusals import WHERE, meaning
from resources.providers.options import Options
from resources.providers.served import PROBE, ServedProvider, is_normalized


class OpenAIOptions(Options):
    """What changes the vectors. `dimensions`: how many numbers are asked for, of models that were made for it."""

    document_prefix: str = ""
    query_prefix: str = ""
    dimensions: int | None = Field(default=None, ge=1, le=65_536)


class OpenAI(ServedProvider):
    """Embeds through `/embeddings` below the base URL. `model` is a name as the server has it."""

    def __init__(self, model: str, options: Mapping[str, Any], settings: OpenAISettings | None = None) -> None:
        self._model = model
        self._options = OpenAIOptions.read("openai", options)
        self._settings = settings or OpenAISettings()
        super().__init__(self._settings)
        address = Address.of("openai", self._settings.base_url)
        key = _key(address)
        self._has_key = key is not None
        self._tag = self._settings.server_name or _host(address)
        self._server = JsonServer(
            address,
            timeout_seconds=self._settings.timeout_seconds,
            concurrency=self._settings.concurrency,
            key=key,
        )
        self._lock = threading.Lock()
        self._described: SpaceIdentity | None = None
        #: numbers packed, of which a server need not write, nor we read, the digits
        self._encoding = "base64"
        self._served_as = ""

    def describe(self) -> SpaceIdentity:
        """Has a sentence embedded, once: nothing else tells of a model. Raises `ProviderError` where that fails."""
        with self._lock:
            if self._described is None:
                self._described = self._examined()
            return self._described

    def runtime(self) -> Mapping[str, str]:
        self.describe()
        return {"engine": "openai", "server": self._server.name, "served_as": self._served_as}

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        """A text that is too long is rejected, as the server says: nothing is cut here."""
        identity = self.describe()
        prefix = self._options.query_prefix if purpose is Purpose.QUERY else self._options.document_prefix
        values = self._embedded([prefix + text for text in texts]) if texts else np.empty((0, identity.dimensions))
        return Vectors(values=values.astype(np.float32, copy=False), truncated_tokens=np.zeros(len(texts), np.int32))

    def _examined(self) -> SpaceIdentity:
        probe = self._probe()
        dimensions = probe.shape[1]
        if self._options.dimensions not in (None, dimensions):
            raise ProviderError(
                f"{self._server.name} was asked for {self._options.dimensions} dimensions of {self._model} and gave "
                f"{dimensions}: leave the option `dimensions` out."
            )
        return SpaceIdentity(
            provider="openai",
            model_name=self._model,
            model_tag=self._tag,
            model_digest="",
            dimensions=dimensions,
            normalize=is_normalized(probe[0], f"{self._server.name}: {self._model}"),
            distance_metric="cosine",
            preprocess_policy=self._options.model_dump(),
            is_plain=self._options == OpenAIOptions(),
        )

    def _probe(self) -> NDArray[np.float32]:
        """The one vector of a harmless sentence; a server that refuses to pack numbers writes them from then on."""
        try:
            return self._embedded([PROBE])
        except InputRejectedError:
            self._encoding = "float"
        try:
            return self._embedded([PROBE])
        except InputRejectedError as error:
            words = str(error).rstrip(".")
            raise ProviderError(
                f"{words}. That was its answer to {PROBE!r}: is {self._model} an embedding model, and do the space's "
                "options suit it?"
            ) from error

    def _embedded(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of one request, in the order of its texts."""
        body: dict[str, Any] = {"model": self._model, "input": list(texts), "encoding_format": self._encoding}
        if self._options.dimensions is not None:
            body["dimensions"] = self._options.dimensions
        try:
            answer = self._server.post("embeddings", body)
        except RefusedError as error:
            raise meaning(error, self._server.name, self._model, has_key=self._has_key) from error
        vectors = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(vectors, list):
            # LM Studio answers so, with status 200, where it has nothing.
            raise ProviderError(
                f"{self._server.name} answers without vectors: {self._server.shown(said(answer))!r}. {WHERE}."
            )
        self._served_as = self._server.shown(str(answer.get("model") or ""))
        return self._in_order(vectors, len(texts))

    def _in_order(self, vectors: Sequence[Any], count: int) -> NDArray[np.float32]:
        try:
            numbered = {one["index"]: _numbers(one["embedding"]) for one in vectors}
            if len(vectors) != count or numbered.keys() != set(range(count)):
                raise ProviderError(
                    f"{self._server.name} answered {count} texts with {len(vectors)} vectors, numbered "
                    f"{self._server.shown(str(list(numbered)))}: it is not known which belongs to which"
                )
            values = np.stack([numbered[row] for row in range(count)])
        except (KeyError, TypeError, ValueError) as error:
            fault = self._server.shown(str(error))
            raise ProviderError(f"{self._server.name} answered with vectors that are none: {fault}") from None
        if values.ndim != 2:
            raise ProviderError(f"{self._server.name} answered with vectors that are none, of shape {values.shape}")
        return values


def _numbers(embedding: Any) -> NDArray[np.float32]:
    """A vector as it is sent: packed as little-endian float32, or written out."""
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
    with np.errstate(over="ignore"):
        return np.array(embedding, np.float64).astype(np.float32)


def _key(address: Address) -> str | None:
    key = openai_key(os.environ)
    if key is None:
        return None
    if address.credentials:
        raise ConfigurationError(
            f"{address.name}: its base URL has a user or password, and {OPENAI_KEY} is set too. Both go into the same "
            "header: leave one out."
        )
    if not re.fullmatch(r"[!-~]+", key):
        raise ConfigurationError(f"{OPENAI_KEY} holds a space or another character that no key has. Set it again.")
    return key


def _host(address: Address) -> str:
    """Host and port, by which two servers are told apart."""
    host = address.url.netloc.decode()
    if len(host) > LONGEST_SERVER_NAME:
        raise ConfigurationError(f"{address.name}: its name is too long for a tag. Set `openai.server_name`.")
    return host
