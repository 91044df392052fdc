"""What stands before the search page: who may ask, how, and what a browser may do with the answer."""

import time
from collections.abc import Callable, Mapping, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holocron_assets.json_documents import json_text

#: A browser runs and loads nothing but our own files, whatever a page's text makes it believe.
SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MOST_QUERY_BYTES = 65_536
_MOST_PATH_BYTES = 1024


class Hosts:
    """The names by which the page may be asked for: another one leads here because somebody's DNS says so.

    Who listens on every address is asked for by any of them; an address is no name that a DNS could give away.
    """

    def __init__(self, host: str, machine: str) -> None:
        self._is_everywhere = _is_unspecified(host)
        self._names = {name.casefold() for name in (*LOOPBACK, host, *([machine] if self._is_everywhere else []))}

    def allow(self, header: str) -> bool:
        """Whether a `Host` header is one of them, with whatever port."""
        try:
            name = urlsplit(f"//{header}").hostname
        except ValueError:
            return False
        if not name or any(sign in header for sign in "/?#@\\ "):
            return False
        return name.rstrip(".") in self._names or (self._is_everywhere and _is_address(name))


class Guard:
    """Lets reading requests of known hosts through, adds the headers that hold a browser back, and logs a line each.

    The line has no query: what people search for is theirs. With `verbose` it has.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, log: Callable[[str], None], *, verbose: bool) -> None:
        self.application = app
        self._hosts = hosts
        self._log = log
        self._verbose = verbose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _secure(message, scope["path"])
            await send(message)

        try:
            await (self._refusal(scope) or self.application)(scope, receive, guarded)
        finally:
            self._log(f"{scope['method']} {self._address(scope)} {status} {time.monotonic() - started:.3f} s")

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._hosts.allow(hosts[0]):
            return _said(scope, 421, "This server is not asked for by that name. Use the address that it printed.")
        if scope["method"] not in {"GET", "HEAD"}:
            return _said(scope, 405, "This page is only read.", {"allow": "GET, HEAD"})
        if len(scope["query_string"]) > MOST_QUERY_BYTES or len(scope["path"]) > _MOST_PATH_BYTES:
            return _said(scope, 414, f"The address is too long: at most {MOST_QUERY_BYTES:,} bytes can be asked.")
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return _said(scope, 403, "Another site's page asks for this, and only its reader may.")
        return None

    def _address(self, scope: Scope) -> str:
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        query = b"?" + scope["query_string"] if self._verbose and scope["query_string"] else b""
        return (path + query)[:_MOST_PATH_BYTES].decode("ascii", "backslashreplace")


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches it."""
    return ip_address(address).is_loopback


def _secure(message: MutableMapping[str, Any], path: str) -> None:
    headers = MutableHeaders(raw=message["headers"])
    headers.update(SECURITY)
    headers["cache-control"] = "no-cache" if path.startswith("/static/") else "no-store"


def for_programs(path: str) -> bool:
    """Whether an address answers in JSON, its errors too."""
    return path.startswith("/api/")


def error_document(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """What a program is told that asked for what it cannot have."""
    return Response(json_text({"error": text}) + "\n", status, headers, media_type="application/json")


def _said(scope: Scope, status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    if for_programs(scope["path"]):
        return error_document(status, text, headers)
    return PlainTextResponse(f"{text}\n", status, headers)


def _is_unspecified(host: str) -> bool:
    return _is_address(host) and ip_address(host).is_unspecified


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
