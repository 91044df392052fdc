"""What the doubles of embedding servers share: a server over real HTTP, and the ways in which it misbehaves.

A test makes it misbehave by setting what is wrong with it before, or while, it is asked.
"""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from resources.providers import open_provider

Encoder = Callable[[Sequence[str]], NDArray[np.float32]]
#: What answers a request instead of the server: status, content type, body, further headers.
Answer = tuple[int, str, bytes, dict[str, str]]


def hashed(dimensions: int = 32) -> Encoder:
    """Vectors that cost next to nothing, and differ from text to text."""
    provider = open_provider("hashing", "ngram", {"dimensions": dimensions})
    return lambda texts: provider.embed(texts).values


@dataclass
class HttpDouble(ABC):
    """A server on a port of its own; what it answers, `respond` says."""

    seconds_per_request: float = 0.0
    #: how many requests are worked on at once, while the others wait
    parallel: int = 64
    #: answers these requests in this order, before anything is looked at; None stands for the usual answer
    instead: list[Answer | None] = field(default_factory=list)
    #: texts that contain this word fail the request, each time, as `poison_answer` says
    poison: str | None = None
    poison_answer: Answer = (400, "application/json", b'{"error":"the model will not have it"}', {})
    #: what becomes of the vectors before they are sent
    spoil: Callable[[NDArray[np.float64]], Any] | None = None
    ignores_dimensions: bool = False
    #: what was asked to be embedded
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    #: requests to embed that are with the server, and the most that were
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
        return self.respond(method, path, body) if wanted is None else wanted

    @abstractmethod
    def respond(self, method: str, path: str, body: bytes) -> Answer:
        """The usual answer."""

    def answer_in_turn(self, asked: dict[str, Any], embedded: Callable[[dict[str, Any]], Answer]) -> Answer:
        """The answer to a request to embed, in as long as one takes, when it is its turn."""
        with self._lock:
            self.requests.append(asked)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with self._turn:
                began = time.monotonic()
                answer = embedded(asked)
                time.sleep(max(0.0, began + self.seconds_per_request - time.monotonic()))
            return answer
        finally:
            with self._lock:
                self.at_once -= 1

    def vectors(self, encoder: Encoder, texts: Sequence[str], dimensions: int | None) -> NDArray[np.float64]:
        """Vectors of `texts`, of fewer dimensions where that is asked for."""
        vectors = encoder(texts).astype(np.float64)
        if dimensions and dimensions < vectors.shape[1] and not self.ignores_dimensions:
            vectors = vectors[:, :dimensions]
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


class _Handler(BaseHTTPRequestHandler):
    double: HttpDouble
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.double.headers.append(dict(self.headers))
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


def in_json(content: object, status: int = 200) -> Answer:
    return status, "application/json; charset=utf-8", json.dumps(content).encode(), {}


def answer(status: int, body: object, kind: str = "application/json", **headers: str) -> Answer:
    """An answer as tests write it: a body that is no bytes is JSON, and `_` in a header's name is `-`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return status, kind, content, {name.replace("_", "-"): value for name, value in headers.items()}
