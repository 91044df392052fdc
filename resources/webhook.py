"""The webhook that alerts are posted to. Its URL is often the secret itself, so no message and no log has it.

That is why `urllib` speaks here: `httpx` logs the URL of every request.
"""

import base64
import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from holocron_assets.environment import WEBHOOK_URL
from holocron_assets.errors import AlertRefusedError, WebhookError

_ATTEMPTS = 3
_PAUSE_SECONDS = 0.5
_TIMEOUT_SECONDS = 4.0
_SHOWN_CHARACTERS = 200
#: Of these the alert is to blame. All others may pass, or be mended where the webhook is.
_OF_THE_ALERT = {400, 413, 415, 422}
_WORTH_ANOTHER_TRY = {408, 425, 429}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_given: Any) -> None:
        """An alert goes where the environment says, and nowhere else."""


class HttpWebhook:
    """Posts each alert as JSON, and again a little later where that may help."""

    #: Whatever happens below, such as a name that is never resolved, or an answer that comes a byte at a time.
    longest_seconds = 8.0

    def __init__(self, url: str) -> None:
        self._url = url.strip()
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, alert: Mapping[str, Any]) -> None:
        """See `holocron_assets.ports.Webhook`."""
        request, name = self._request(orjson.dumps(alert))
        failures: list[WebhookError | None] = []
        # A thread that can be left behind: not every wait in there has a time-out.
        posting = threading.Thread(target=lambda: failures.append(self._post(request, name)), daemon=True)
        posting.start()
        posting.join(self.longest_seconds)
        if not failures:
            raise WebhookError(f"{name} did not answer within {self.longest_seconds:g} s")
        if failures[0] is not None:
            raise failures[0]

    def _request(self, body: bytes) -> tuple[urllib.request.Request, str]:
        try:
            parts = urlsplit(self._url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or parts.scheme not in ("http", "https"):
            raise WebhookError(f"{WEBHOOK_URL} is no URL: it must look like https://host/path")
        headers = {"Content-Type": "application/json", "User-Agent": "holocron-assets"}
        if parts.username or parts.password:
            pair = f"{parts.username or ''}:{parts.password or ''}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        bare = parts._replace(netloc=f"{host}:{port}" if port else host, fragment="").geturl()
        return urllib.request.Request(bare, data=body, headers=headers, method="POST"), f"the webhook at {host}"  # noqa: S310 - http or https, as seen above

    def _post(self, request: urllib.request.Request, name: str) -> WebhookError | None:
        """Why the alert was not taken, after the last attempt."""
        until = time.monotonic() + self.longest_seconds
        for attempt in range(1, _ATTEMPTS + 1):
            error, is_worth_another = self._attempt(request, name, until)
            pause = _PAUSE_SECONDS * attempt
            if error is None or not is_worth_another or attempt == _ATTEMPTS or time.monotonic() + pause >= until:
                break
            time.sleep(pause)
        return error

    def _attempt(self, request: urllib.request.Request, name: str, until: float) -> tuple[WebhookError | None, bool]:
        try:
            with self._opener.open(request, timeout=max(0.1, min(_TIMEOUT_SECONDS, until - time.monotonic()))):
                return None, False
        except urllib.error.HTTPError as answer:
            with answer:
                status, words = answer.code, self._words(answer)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            return WebhookError(f"{name} cannot be reached: {reason}"), True
        if 300 <= status < 400:
            return WebhookError(f"{name} redirects, which is not followed. Set {WEBHOOK_URL} to where it leads."), False
        kind = AlertRefusedError if status in _OF_THE_ALERT else WebhookError
        return kind(f"{name} answers HTTP {status}{words}"), status >= 500 or status in _WORTH_ANOTHER_TRY

    def _words(self, answer: urllib.error.HTTPError) -> str:
        """The beginning of what it says, without the parts of the URL that may be the secret."""
        try:
            said = answer.read(10 * _SHOWN_CHARACTERS).decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return ""
        parts = urlsplit(self._url)
        for secret in (self._url, parts.path, parts.query, *parts.path.split("/")):
            if len(secret) > 3:
                said = said.replace(secret, "***")
        words = " ".join(said.split())[:_SHOWN_CHARACTERS]
        return f": {words}" if words else ""


def open_webhook(environment: Mapping[str, str]) -> HttpWebhook | None:
    """The webhook that the environment names; None where it names none. Whether it is one, `send` finds out."""
    url = environment.get(WEBHOOK_URL, "").strip()
    return HttpWebhook(url) if url else None
