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

from holocron_assets.errors import ConfigurationError, InputRejectedError, ProviderError, ProviderUnavailableError

_CONNECT_SECONDS = 10.0
_LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
_SHOWN_CHARACTERS = 300
#: Below 500, of these a later attempt may be answered otherwise; 424 is said by text-embeddings-inference when a model
#: fails, 499 by Ollama of a request that was given up in its queue. From 500 on, of all but these.
_TRANSIENT, _LASTING = {408, 409, 424, 425, 429, 499}, {501, 505}
_BUSY = 429
#: A proxy on the way to this machine itself is never meant.
_DIRECT = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class RefusedError(Exception):
    """The server said no: a status of 400 or more, with its own words.

    `kinds` are the code and the type that an error body may have beside them. What it means, each provider knows of its
    servers, and `usual_meaning` of all.
    """

    def __init__(
        self, status: int, said: str, *, is_json: bool, kinds: frozenset[str], retry_after: float | None
    ) -> None:
        super().__init__(f"HTTP {status}: {said}")
        self.status = status
        self.said = said
        self.is_json = is_json
        self.kinds = kinds
        self.retry_after = retry_after


def usual_meaning(error: RefusedError, server: str) -> ProviderError | None:
    """What a status means whatever the server is; None where its words must tell."""
    if error.status in _TRANSIENT or (error.status >= 500 and error.status not in _LASTING):
        return ProviderUnavailableError(
            f"{server}: {error}", retry_after=error.retry_after, is_busy=error.status == _BUSY
        )
    if error.status in (401, 403, 407):
        return ProviderError(f"{server} refuses access: {error}")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is, and how messages may call it: never with a name or password of a user."""

    url: httpx.URL
    name: str
    #: user and password, where the base URL has them; the URL that requests are logged with does not
    credentials: tuple[str, str] | None

    @classmethod
    def of(cls, what: str, text: str) -> "Address":
        """Read a base URL: with or without a path, a trailing slash or credentials; raises `ConfigurationError`."""
        try:
            url = httpx.URL(text.strip())
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in ("http", "https") or not url.host:
            # It is not repeated: what cannot be read may hold a password anywhere.
            raise ConfigurationError(
                f"{what}: its base URL cannot be used; it must look like http://localhost:11434 or https://host/path."
            )
        if url.query:
            raise ConfigurationError(f"{what}: its base URL has a `?` and more behind it. Leave that out.")
        bare = url.copy_with(path=url.path.rstrip("/") + "/", fragment=None, username=None, password=None)
        credentials = (url.username, url.password) if url.userinfo else None
        return cls(url=bare, name=f"{what} at {bare}".rstrip("/"), credentials=credentials)


class JsonServer:
    """One server. Threads may share it; of their requests `concurrency` are with the server at once.

    A `key` goes to this server alone, and into no message, even where the server repeats it.
    """

    def __init__(self, address: Address, *, timeout_seconds: float, concurrency: int, key: str | None = None) -> None:
        self.name = address.name
        self._key = key
        self._turn = threading.BoundedSemaphore(concurrency)
        self._timeout_seconds = timeout_seconds
        self._client = httpx.Client(
            base_url=address.url,
            headers={"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})},
            auth=address.credentials,
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

        Raises `RefusedError` when the server says no, `ProviderUnavailableError` when it is away or did not answer in
        whole and in time, `ProviderError` when what answers is not such a server, and `InputRejectedError` for what
        no JSON can hold.
        """
        try:
            content = orjson.dumps(body)
        except orjson.JSONEncodeError as error:
            raise InputRejectedError("the text is not valid Unicode: it holds half a surrogate pair") from error
        return self._ask("POST", path, content)

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
        except httpx.RequestError as error:  # broken off, or not in the encoding that it says
            raise ProviderUnavailableError(
                f"{self.name} broke off: {type(error).__name__}: {self.shown(str(error))}"
            ) from None
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
            target = self.shown(response.headers.get("location", "nowhere"))
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
                    f"{self.name}: the answer is no whole JSON: {self.shown(answer)!r}"
                ) from None
            content, is_json = None, False
        if response.is_success:
            if content is None:
                kind = response.headers.get("content-type", "no content type")
                raise ProviderError(
                    f"{self.name} answers with {kind} instead of JSON: {self.shown(answer)!r}. Is that the server "
                    "itself, or a page of a proxy in front of it?"
                )
            return content
        raise RefusedError(
            response.status_code,
            self.shown(said(content)) or self.shown(answer) or response.reason_phrase,
            is_json=is_json,
            kinds=_kinds(content),
            retry_after=_retry_after(response.headers),
        )

    def shown(self, text: str | bytes) -> str:
        """The beginning of what a server sent, in one line and without the key."""
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        if self._key:
            text = text.replace(self._key, "***")
        return " ".join(text[: 10 * _SHOWN_CHARACTERS].split())[:_SHOWN_CHARACTERS]


def said(content: Any) -> str:
    """The message in an error body; empty where it has none.

    OpenAI: `{"error": {"message": "..."}}`; Ollama: `{"error": "..."}`; others have `message` or `detail` outermost.
    """
    error = _error(content)
    message = (error.get("message") or error.get("detail")) if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""


def _kinds(content: Any) -> frozenset[str]:
    error = _error(content)
    given = (error.get("code"), error.get("type")) if isinstance(error, dict) else ()
    return frozenset(one for one in given if isinstance(one, str))


def _error(content: Any) -> Any:
    return content.get("error", content) if isinstance(content, dict) else None


def _retry_after(headers: httpx.Headers) -> float | None:
    """When to come back: OpenAI and Azure also say it in milliseconds, more exactly."""
    milliseconds = headers.get("retry-after-ms", "").strip()
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else _seconds(headers.get("retry-after"))


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
