"""Alerts over HTTP: what is tried again, what is given up, how long it takes, and that no secret is said."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from holocron_assets.errors import AlertRefusedError, WebhookError
from resources.webhook import HttpWebhook, open_webhook
from tests.http_double import answer
from tests.webhook_double import WebhookDouble

ALERT = {"id": "r1:failed", "kind": "dagster_run_failed", "text": "Run r1 failed."}
SECRET = "T0123/B0123/a-secret-of-the-url"


@pytest.fixture
def server() -> Iterator[WebhookDouble]:
    with WebhookDouble() as double:
        yield double


@pytest.fixture
def webhook(server: WebhookDouble) -> HttpWebhook:
    return HttpWebhook(f"{server.url}/services/{SECRET}")


def test_an_alert_is_posted_as_json(server: WebhookDouble, webhook: HttpWebhook) -> None:
    """The alert is the body, and nothing is added."""
    webhook.send(ALERT)

    assert server.taken == [ALERT]
    assert server.paths == [f"/services/{SECRET}"]
    assert server.headers[0]["Content-Type"] == "application/json"


def test_no_webhook_without_the_variable() -> None:
    """Who names no URL, or an empty one, has no webhook."""
    assert open_webhook({}) is None
    assert open_webhook({"HOLOCRON_WEBHOOK_URL": " "}) is None


@pytest.mark.parametrize("status", [500, 503, 429])
def test_trouble_that_passes_is_waited_for(server: WebhookDouble, webhook: HttpWebhook, status: int) -> None:
    """A server that fails twice and then answers gets the alert once."""
    server.instead = [answer(status, "later"), answer(status, "later")]

    webhook.send(ALERT)

    assert server.taken == [ALERT]
    assert len(server.paths) == 3


def test_trouble_that_lasts_is_an_error(server: WebhookDouble, webhook: HttpWebhook) -> None:
    """After three attempts the status and the server's words are told, without the URL."""
    server.instead = [answer(500, f"cannot post to /services/{SECRET}")] * 3

    with pytest.raises(WebhookError, match=r"the webhook at 127.0.0.1 answers HTTP 500: \"cannot post to") as failure:
        webhook.send(ALERT)

    assert not isinstance(failure.value, AlertRefusedError)
    assert "a-secret-of-the-url" not in str(failure.value)
    assert server.taken == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_wrong_url_is_no_fault_of_the_alert(server: WebhookDouble, webhook: HttpWebhook, status: int) -> None:
    """It is asked once, and the alert is kept for when the URL was mended."""
    server.instead = [answer(status, "no_service")]

    with pytest.raises(WebhookError, match="no_service") as failure:
        webhook.send(ALERT)

    assert not isinstance(failure.value, AlertRefusedError)
    assert len(server.paths) == 1


def test_an_alert_may_be_refused_for_good(server: WebhookDouble, webhook: HttpWebhook) -> None:
    """HTTP 400 is about the alert: no later attempt would be answered otherwise."""
    server.instead = [answer(400, "invalid_payload")]

    with pytest.raises(AlertRefusedError, match="invalid_payload"):
        webhook.send(ALERT)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server: WebhookDouble, webhook: HttpWebhook, status: int) -> None:
    """An alert goes nowhere else, and the other place is not even asked."""
    with WebhookDouble() as other:
        server.instead = [answer(status, "", location=f"{other.url}/elsewhere")]

        with pytest.raises(WebhookError, match="redirects, which is not followed"):
            webhook.send(ALERT)

    assert other.paths == []


def test_nobody_listens() -> None:
    """A refused connection is told with the host alone."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(WebhookError, match=r"the webhook at 127.0.0.1 cannot be reached: .*refused") as failure:
        HttpWebhook(f"http://127.0.0.1:{port}/{SECRET}").send(ALERT)

    assert SECRET not in str(failure.value)


def test_a_server_that_hangs_up_is_an_error(server: WebhookDouble, webhook: HttpWebhook) -> None:
    """A connection that ends without an answer is tried again, then told."""
    server.instead = [(0, "", b"", {})] * 3

    with pytest.raises(WebhookError, match="cannot be reached"):
        webhook.send(ALERT)


@pytest.mark.slow
def test_a_server_that_hangs_costs_no_more_than_is_said(server: WebhookDouble, webhook: HttpWebhook) -> None:
    """A server that takes the request and says nothing is given up in time."""
    server.hangs = True
    began = time.monotonic()

    with pytest.raises(WebhookError):
        webhook.send(ALERT)

    assert time.monotonic() - began < webhook.longest_seconds + 1


@pytest.mark.slow
def test_a_server_that_drips_costs_no_more_than_is_said() -> None:
    """So is one that sends a byte now and then, which no time-out of a socket ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200:
                    try:
                        connection.sendall(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(0.5)

        threading.Thread(target=drip, daemon=True).start()
        webhook = HttpWebhook(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        began = time.monotonic()

        with pytest.raises(WebhookError, match="did not answer within 8 s"):
            webhook.send(ALERT)

    assert time.monotonic() - began < webhook.longest_seconds + 1


@pytest.mark.parametrize("url", ["nonsense", "ftp://host/x", "http://", "https://host:port/x", "file:///etc/passwd"])
def test_what_is_no_url_is_said_without_repeating_it(url: str) -> None:
    """It may be a secret that was put into the wrong variable."""
    with pytest.raises(WebhookError, match="HOLOCRON_WEBHOOK_URL is no URL") as failure:
        HttpWebhook(url).send(ALERT)

    assert url not in str(failure.value)


def test_user_and_password_of_the_url_are_sent_as_such(server: WebhookDouble) -> None:
    """They go into the header, and into no message."""
    HttpWebhook(server.url.replace("://", "://me:pass@")).send(ALERT)

    assert server.headers[0]["Authorization"] == "Basic bWU6cGFzcw=="
