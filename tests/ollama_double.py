"""Ollama as it is spoken to: its paths, fields, status codes and error texts, over HTTP, with a real encoder behind it.

Written from Ollama's source (0.33). What it embeds with is any function from texts to unit vectors.
"""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.http_double import Answer, Encoder, HttpDouble, hashed, in_json

DIGEST = "0" * 63 + "1"


@dataclass
class Model:
    """What the server has of one model."""

    encoder: Encoder = field(default_factory=hashed)
    digest: str | None = DIGEST
    embedding_length: int = 32
    context_length: int = 512
    capabilities: list[str] | None = field(default_factory=lambda: ["embedding"])


@dataclass
class OllamaDouble(HttpDouble):
    """Ollama. One token is one word, as far as limits go; it embeds one request at a time where `parallel` is 1."""

    models: dict[str, Model] = field(default_factory=lambda: {"all-minilm:latest": Model()})
    version: str = "0.32.14"
    #: what a chat model says to a request
    says: Callable[[dict[str, Any]], str] = field(default=lambda asked: '{"score": 0.5}')

    def respond(self, method: str, path: str, body: bytes) -> Answer:
        known: dict[str, tuple[str, Callable[[bytes], Answer]]] = {
            "/": ("GET", lambda _: (200, "text/plain; charset=utf-8", b"Ollama is running", {})),
            "/api/version": ("GET", lambda _: in_json({"version": self.version})),
            "/api/tags": ("GET", lambda _: in_json({"models": [self._listed(*one) for one in self.models.items()]})),
            "/api/show": ("POST", self._show),
            "/api/embed": ("POST", self._embed),
            "/api/chat": ("POST", lambda body: self.answer_in_turn(json.loads(body), self._chat)),
        }
        if path not in known:
            return 404, "text/plain", b"404 page not found", {}
        allowed, answered = known[path]
        return answered(body) if method == allowed else (405, "text/plain", b"405 method not allowed", {})

    def _listed(self, name: str, model: Model) -> dict[str, Any]:
        listed: dict[str, Any] = {"name": name, "model": name, "size": 45_960_996, "details": {"family": "bert"}}
        return listed if model.digest is None else {**listed, "digest": model.digest}

    def _show(self, body: bytes) -> Answer:
        asked = json.loads(body)
        model = self.models.get(_tagged(asked["model"]))
        if model is None:
            return _error(404, f"model '{_tagged(asked['model'])}' not found")
        shown: dict[str, Any] = {
            "modelfile": f"# Modelfile\nFROM /models/blobs/sha256-{'a' * 64}\n",
            "details": {"family": "bert", "parameter_size": "23M", "quantization_level": "F16"},
            "model_info": {
                "general.architecture": "bert",
                "bert.embedding_length": model.embedding_length,
                "bert.context_length": model.context_length,
            },
        }
        return in_json(shown if model.capabilities is None else {**shown, "capabilities": model.capabilities})

    def _embed(self, body: bytes) -> Answer:
        try:
            asked = json.loads(body)
        except ValueError:
            return _error(400, "invalid character 'x' looking for beginning of value")
        return self.answer_in_turn(asked, self._embedded)

    def _embedded(self, asked: dict[str, Any]) -> Answer:
        model = self.models.get(_tagged(asked["model"]))
        if model is None:
            return _error(404, f'model "{asked["model"]}" not found, try pulling it first')
        if model.capabilities is not None and "embedding" not in model.capabilities:
            return _error(501, "This server does not support embeddings. Start it with `--embeddings`")
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        if self.poison is not None and any(self.poison in text for text in texts):
            return self.poison_answer
        limit = min(asked.get("options", {}).get("num_ctx", 4096), model.context_length)
        if not asked.get("truncate", True) and any(len(text.split()) > limit for text in texts):
            return _error(400, "the input length exceeds the context length")
        texts = [text if len(text.split()) <= limit else " ".join(text.split()[:limit]) for text in texts]
        vectors = self.vectors(model.encoder, texts, asked.get("dimensions"))
        embeddings = vectors.tolist() if self.spoil is None else self.spoil(vectors)
        tokens = sum(len(text.split()) for text in texts)
        return in_json({"model": asked["model"], "embeddings": embeddings, "prompt_eval_count": tokens})

    def _chat(self, asked: dict[str, Any]) -> Answer:
        if _tagged(asked["model"]) not in self.models:
            return _error(404, f"model '{asked['model']}' not found")
        message = {"role": "assistant", "content": self.says(asked)}
        return in_json({"model": asked["model"], "message": message, "done": True, "done_reason": "stop"})


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _error(status: int, said: str) -> Answer:
    return in_json({"error": said}, status)


if __name__ == "__main__":
    spread = np.random.default_rng(0).normal(size=(4096, 384))
    spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    model = Model(
        encoder=lambda texts: spread[[hash(text) % 4096 for text in texts]].astype(np.float32), embedding_length=384
    )
    with OllamaDouble(
        models={"all-minilm:latest": model}, seconds_per_request=float(sys.argv[1]), parallel=1
    ) as double:
        sys.stdout.write(f"{double.url}\n")
        sys.stdout.flush()
        threading.Event().wait()
