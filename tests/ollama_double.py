"""Ollama as it is spoken to: its paths, fields, status codes and error texts, over HTTP, with a real encoder behind it.

Written from Ollama's source (0.33). What it embeds with is any function from texts to unit vectors. A test makes it
misbehave by setting what is wrong with it before, or while, it is asked.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from resources.providers import open_provider

Encoder = Callable[[Sequence[str]], NDArray[np.float32]]
#: What answers a request instead of Ollama: status, content type, body, further headers.
Answer = tuple[int, str, bytes, dict[str, str]]
DIGEST = "0" * 63 + "1"


def hashed(dimensions: int = 32) -> Encoder:
    """Vectors that cost next to nothing, and differ from text to text."""
    provider = open_provider("hashing", "ngram", {"dimensions": dimensions})
    return lambda texts: provider.embed(texts).values


@dataclass
class Model:
    """What the server has of one model."""

    encoder: Encoder = field(default_factory=hashed)
    digest: str | None = DIGEST
    embedding_length: int = 32
    context_length: int = 512
    capabilities: list[str] | None = field(default_factory=lambda: ["embedding"])


@dataclass
class OllamaDouble:
    """A server on a port of its own. One token is one word, as far as limits go."""

    models: dict[str, Model] = field(default_factory=lambda: {"all-minilm:latest": Model()})
    version: str = "0.32.14"
    seconds_per_request: float = 0.0
    #: how many requests are worked on at once; Ollama embeds one at a time, and lets the others wait
    parallel: int = 64
    #: answers these requests in this order, before anything is looked at; None stands for the usual answer
    instead: list[Answer | None] = field(default_factory=list)
    #: texts that contain this word fail the request, each time, as `poison_answer` says
    poison: str | None = None
    poison_answer: Answer = (400, "application/json", b'{"error":"the model will not have it"}', {})
    spoil: Callable[[NDArray[np.float64]], Any] | None = None
    ignores_dimensions: bool = False
    #: what was asked of /api/embed
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    #: requests of /api/embed that are with the server, and the most that were
    at_once: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = threading.BoundedSemaphore(self.parallel)
        handler = type("Handler", (_Handler,), {"double": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        with self._lock:
            self.paths.append(path)
            wanted = self.instead.pop(0) if self.instead else None
        if wanted is not None:
            return wanted
        known: dict[str, tuple[str, Callable[[bytes], Answer]]] = {
            "/": ("GET", lambda _: (200, "text/plain; charset=utf-8", b"Ollama is running", {})),
            "/api/version": ("GET", lambda _: _json({"version": self.version})),
            "/api/tags": ("GET", lambda _: _json({"models": [self._listed(*one) for one in self.models.items()]})),
            "/api/show": ("POST", self._show),
            "/api/embed": ("POST", self._embed),
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
        return _json(shown if model.capabilities is None else {**shown, "capabilities": model.capabilities})

    def _embed(self, body: bytes) -> Answer:
        try:
            asked = json.loads(body)
        except ValueError:
            return _error(400, "invalid character 'x' looking for beginning of value")
        with self._lock:
            self.requests.append(asked)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with self._turn:
                began = time.monotonic()
                answer = self._embedded(asked)
                time.sleep(max(0.0, began + self.seconds_per_request - time.monotonic()))
            return answer
        finally:
            with self._lock:
                self.at_once -= 1

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
        vectors = model.encoder(texts).astype(np.float64)
        wanted = asked.get("dimensions")
        if wanted and wanted < vectors.shape[1] and not self.ignores_dimensions:
            vectors = vectors[:, :wanted]
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        embeddings = vectors.tolist() if self.spoil is None else self.spoil(vectors)
        tokens = sum(len(text.split()) for text in texts)
        return _json({"model": asked["model"], "embeddings": embeddings, "prompt_eval_count": tokens})


class _Handler(BaseHTTPRequestHandler):
    double: OllamaDouble
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, kind, content, headers = self.double.answer(method, self.path, body)
        if status == 0:  # hang up without an answer
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests look at what was asked."""


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _json(content: object) -> Answer:
    return 200, "application/json; charset=utf-8", json.dumps(content).encode(), {}


def _error(status: int, said: str) -> Answer:
    return status, "application/json; charset=utf-8", json.dumps({"error": said}).encode(), {}


if __name__ == "__main__":
    spread = np.random.default_rng(0).normal(size=(4096, 384))
    spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    model = Model(encoder=lambda texts: spread[[hash(text) % 4096 for text in texts]].astype(np.float32))
    with OllamaDouble(
        models={"all-minilm:latest": model}, seconds_per_request=float(sys.argv[1]), parallel=1
    ) as double:
        sys.stdout.write(f"{double.url}\n")
        sys.stdout.flush()
        threading.Event().wait()
