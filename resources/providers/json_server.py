"""Asking a server over HTTP that answers in JSON: limits on time and size, and what went wrong in our words."""

import email.utils
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from holocron_assets.errors import ConfigurationError, ProviderError, ProviderUnavailableError

_CONNECT_SECONDS = 10.0
_LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
_SHOWN_CHARACTERS = 300
#: Of these a later attempt may be answered otherwise; 499 is Ollama's for a request that was given up in its queue.
_TRANSIENT = {408, 425, 429, 499, 500, 502, 503, 504}
#: A proxy on the way to this machine itself is never meant.
_DIRECT = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class RefusedError(Exception):
    """The server understood and said no: a status from 400 to 499, or 501, with its own words."""

    def __init__(self, status: int, said: str, *, is_json: bool) -> None:
        super().__init__(f"HTTP {status}: {said}")
        self.status = status
        self.said = said
        self.is_json = is_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is, and how messages may call it: never with a name or password of a user."""

    url: httpx.URL
    name: str

    @classmethod
    def of(cls, what: str, text: str) -> "Address":
        """Read a base URL: with or without a path, a trailing slash or credentials; raises `ConfigurationError`."""
        try:
            url = httpx.URL(text.strip())
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"{what}: its base URL cannot be read: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            shown = str(url.copy_with(username=None, password=None))
            raise ConfigurationError(
                f"{what}: its base URL is {shown!r}; it must look like http://localhost:11434 or https://host/path."
            )
        bare = url.copy_with(path=url.path.rstrip("/") + "/", query=None, fragment=None)
        return cls(url=bare, name=f"{what} at {bare.copy_with(username=None, password=None)}".rstrip("/"))


class JsonServer:
    """One server. Threads may share it; of their requests `concurrency` are with the server at once."""

    def __init__(self, address: Address, *, timeout_seconds: float, concurrency: int) -> None:
        self.name = address.name
        self._turn = threading.BoundedSemaphore(concurrency)
        self._timeout_seconds = timeout_seconds
        self._client = httpx.Client(
            base_url=address.url,
            headers={"Accept": "application/json"},
            timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            follow_redirects=False,
            mounts=dict.fromkeys(_DIRECT),
        )
        weakref.finalize(self, self._client.close)

    def get(self, path: str) -> Any:
        """The JSON at `path`, relative to the base URL; raises as `post` does."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that answers `body`.

        Raises `RefusedError` when the server says no, `ProviderUnavailableError` when it is away, overloaded, or did
        not answer in whole and in time, and `ProviderError` when what answers is not such a server.
        """
        return self._ask("POST", path, orjson.dumps(body))

    def _ask(self, method: str, path: str, content: bytes | None) -> Any:
        headers = {"Content-Type": "application/json"} if content is not None else {}
        try:
            with self._turn, self._client.stream(method, path, content=content, headers=headers) as response:
                answer = self._whole(response)
        except httpx.TimeoutException as error:
            raise ProviderUnavailableError(
                f"{self.name} did not answer within {self._timeout_seconds:g} s ({type(error).__name__}). "
                "Try again, or raise its time-out."
            ) from None
        except httpx.ConnectError as error:
            raise ProviderUnavailableError(
                f"{self.name} cannot be reached: {error}. Is it running, and is its base URL right?"
            ) from None
        except httpx.TransportError as error:
            raise ProviderUnavailableError(f"{self.name} broke off: {type(error).__name__}: {error}") from None
        return self._understood(response, answer)

    def _whole(self, response: httpx.Response) -> bytes:
        deadline = time.monotonic() + self._timeout_seconds
        answer = bytearray()
        for piece in response.iter_bytes():
            answer += piece
            if len(answer) > _LARGEST_ANSWER_BYTES:
                raise ProviderError(f"{self.name}: the answer does not end: {len(answer):,} bytes, and more to come")
            if time.monotonic() > deadline:
                raise ProviderUnavailableError(
                    f"{self.name} was still answering after {self._timeout_seconds:g} s. "
                    "Try again, or raise its time-out."
                )
        return bytes(answer)

    def _understood(self, response: httpx.Response, answer: bytes) -> Any:
        if response.is_redirect:
            target = response.headers.get("location", "nowhere")
            raise ProviderError(
                f"{self.name} redirects to {target}, which is not followed: texts go only where the settings say. "
                "If that is the server, make it the base URL."
            )
        is_json = "json" in response.headers.get("content-type", "")
        try:
            content: Any = orjson.loads(answer)
        except ValueError:
            if response.is_success and is_json:
                raise ProviderUnavailableError(
                    f"{self.name}: the answer is no whole JSON: {_shown(answer)!r}"
                ) from None
            content, is_json = None, False
        if response.is_success:
            if content is None:
                kind = response.headers.get("content-type", "no content type")
                raise ProviderError(
                    f"{self.name} answers with {kind} instead of JSON: {_shown(answer)!r}. Is that the server "
                    "itself, or a page of a proxy in front of it?"
                )
            return content
        said = _said(content) or _shown(answer) or response.reason_phrase
        if response.status_code in _TRANSIENT:
            raise ProviderUnavailableError(
                f"{self.name}: HTTP {response.status_code}: {said}",
                retry_after=_seconds(response.headers.get("retry-after")),
            )
        if response.status_code in (401, 403, 407):
            raise ProviderError(f"{self.name} refuses access: HTTP {response.status_code}: {said}")
        raise RefusedError(response.status_code, said, is_json=is_json)


def _said(content: Any) -> str:
    """The message in an error body: `{"error": "..."}` or `{"error": {"message": "..."}}`; empty where it has none."""
    error = content.get("error") if isinstance(content, dict) else None
    if isinstance(error, dict):
        error = error.get("message")
    return error[:_SHOWN_CHARACTERS] if isinstance(error, str) else ""


def _shown(answer: bytes) -> str:
    return " ".join(answer[:_SHOWN_CHARACTERS].decode(errors="replace").split())


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` as seconds from now: it is given in seconds, or as a date (RFC 9110, section 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        when = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    when = when.replace(tzinfo=when.tzinfo or UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
