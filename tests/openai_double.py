"""OpenAI's `/v1/embeddings` as it is spoken: fields, status codes and error bodies, over HTTP, with a real encoder.

Written from its reference and from errors that users report. Switches make it one of the servers that speak nearly so.
"""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.http_double import Answer, Encoder, HttpDouble, hashed, in_json

_MOST_TEXTS = 2048


@dataclass
class OpenAIDouble(HttpDouble):
    """OpenAI. One token is one word, as far as limits go."""

    models: dict[str, Encoder] = field(default_factory=lambda: {"text-embedding-3-small": hashed()})
    #: the only key that it takes; None for a server that wants none
    key: str | None = None
    longest: int = 8192
    takes_empty_texts: bool = False
    #: `both`; or `float`, which sends numbers whatever it is asked for; or `float only`, which refuses anything else
    encodings: str = "both"
    path: str = "/v1/embeddings"

    @property
    def base_url(self) -> str:
        return f"{self.url}{self.path.removesuffix('/embeddings')}"

    def respond(self, method: str, path: str, body: bytes) -> Answer:
        given = self.headers[-1].get("Authorization")
        if self.key is not None and given is None:
            return error(401, "You didn't provide an API key.")
        if self.key is not None and given != f"Bearer {self.key}":
            return error(401, f"Incorrect API key provided: {str(given)[7:]}.", code="invalid_api_key")
        if (method, path) != ("POST", self.path):
            return error(404, f"Invalid URL ({method} {path})")
        return self.answer_in_turn(json.loads(body), self._embedded)

    def _embedded(self, asked: dict[str, Any]) -> Answer:
        encoder = self.models.get(asked["model"])
        if encoder is None:
            said = f"The model `{asked['model']}` does not exist or you do not have access to it."
            return error(404, said, code="model_not_found")
        texts, packs = asked["input"], asked.get("encoding_format") == "base64"
        if packs and self.encodings == "float only":
            return error(400, "base64 encoding is not currently supported")
        if len(texts) > _MOST_TEXTS or not texts or not (all(texts) or self.takes_empty_texts):
            return error(400, "'$.input' is invalid. Please check the API reference.")
        if self.poison is not None and any(self.poison in text for text in texts):
            return self.poison_answer
        if any(len(text.split()) > self.longest for text in texts):
            return error(400, f"Invalid 'input': maximum context length is {self.longest} tokens.")
        vectors: Any = self.vectors(encoder, texts, asked.get("dimensions"))
        vectors = vectors if self.spoil is None else self.spoil(vectors)
        packed = packs and self.encodings == "both"
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(np.array(vector, "<f4").tobytes()).decode() if packed else list(vector),
            }
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return in_json({"object": "list", "data": data, "model": asked["model"], "usage": usage})


def error(status: int, said: str, kind: str = "invalid_request_error", code: str | None = None) -> Answer:
    """An error as OpenAI words it."""
    return in_json({"error": {"message": said, "type": kind, "param": None, "code": code}}, status)
