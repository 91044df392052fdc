"""What stands before the search page: headers, names, methods, limits and the log."""

import asyncio

import pytest
from starlette.routing import Route
from starlette.types import Message

from holocron_assets.web.guarding import MOST_QUERY_BYTES, SECURITY, Hosts, is_loopback
from tests.web.pages import Page

POLICY = {
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "img-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/?q=tides", 200),
        ("/?mode=x&q=tides", 400),
        ("/nowhere", 404),
        ("/api/search", 400),
        ("/static/page.js", 200),
        ("/static/../application.py", 404),
        ("/static/%2e%2e/application.py", 404),
    ],
)
def test_every_answer_holds_the_browser_back(page: Page, path: str, status: int) -> None:
    """Pages, errors and files have the policy and the other headers, and nothing is kept but by asking again."""
    answer = page.get(path)

    assert answer.status_code == status
    assert set(answer.headers["content-security-policy"].split("; ")) == POLICY
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    is_file = answer.url.path.startswith("/static/")
    assert answer.headers["cache-control"] == ("no-cache" if is_file else "no-store")
    assert "server" not in answer.headers


def test_a_fault_of_ours_shows_no_traceback(page: Page, capfd: pytest.CaptureFixture[str]) -> None:
    """An unexpected error is a plain sentence with all the headers, whatever was asked."""
    page.application.routes.append(Route("/broken", lambda request: 1 / 0))

    answer = page.get("/broken", q="a secret")

    assert answer.status_code == 500
    assert answer.text.startswith("This page has a fault (ZeroDivisionError)")
    assert "secret" not in answer.text
    assert set(answer.headers["content-security-policy"].split("; ")) == POLICY


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "", "localhost@evil"])
def test_other_names_are_refused(page: Page, host: str) -> None:
    """A name that somebody's DNS leads here is none of ours: nothing is searched for it."""
    answer = page.client.get("/api/search", params={"q": "tides"}, headers={"host": host})

    assert answer.status_code == 421
    assert "tides" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:8321", "[::1]:80", "localhost."])
def test_this_machine_is_asked_by_its_own_names(page: Page, host: str) -> None:
    """With any port: it may be forwarded."""
    assert page.client.get("/", headers={"host": host}).status_code == 200


def test_names_follow_what_it_listens_at() -> None:
    """The name given counts too; who listens everywhere is asked by any address, which no DNS could give away."""
    named, everywhere = Hosts("search.example", "box"), Hosts("0.0.0.0", "box")

    assert named.allow("search.example:8321")
    assert not named.allow("box")
    assert not named.allow("192.168.1.5")
    assert everywhere.allow("192.168.1.5:8321")
    assert everywhere.allow("[fe80::1]:8321")
    assert everywhere.allow("box")
    assert not everywhere.allow("evil.example")
    assert not everywhere.allow("[::1")
    assert [is_loopback(one) for one in ("127.0.0.9", "::1", "0.0.0.0", "192.168.1.5")] == [True, True, False, False]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_written(page: Page, method: str) -> None:
    """Only reading is answered."""
    answer = page.client.request(method, "/", params={"q": "tides"})

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_megabyte_is_refused(page: Page) -> None:
    """So is a path that leads nowhere at length."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    asyncio.run(page.client.app(scope | {"query_string": b"q=" + b"t" * 1_000_000}, receive, send))

    assert sent[0]["status"] == 414
    assert page.get("/", q="t" * (MOST_QUERY_BYTES - 2)).status_code == 400
    assert page.get("/" + "p" * 2000).status_code == 414


def test_other_sites_may_only_link_here(page: Page) -> None:
    """What another site's page loads by itself is refused; a link that its reader follows is not."""
    loads = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    follows = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}

    assert page.client.get("/", headers=loads).status_code == 403
    assert page.client.get("/", headers=follows).status_code == 200


def test_programs_are_told_errors_as_json(page: Page) -> None:
    """Under /api/ every one of them, whoever refuses it: the guard, the addresses, or a fault."""
    page.application.routes.append(Route("/api/broken", lambda request: 1 / 0))
    client, loads = page.client, {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}

    answers = [
        client.get("/api/search"),
        client.get("/api/search", params={"q": "tides"}, headers=loads),
        client.get("/api/nowhere"),
        client.post("/api/search"),
        client.get("/api/" + "p" * 2000),
        client.get("/api/search", headers={"host": "evil.example"}),
        client.get("/api/broken"),
    ]

    assert [answer.status_code for answer in answers] == [400, 403, 404, 405, 414, 421, 500]
    assert all(list(answer.json()) == ["error"] for answer in answers)


def test_the_log_keeps_queries_to_itself(page: Page) -> None:
    """A line for each request: method, path, status and seconds; with `verbose` what was asked, and never two lines."""
    loud = Page(page.settings, verbose=True)

    page.get("/", q="private matters")
    page.get("/a%0Ab%3Fc", q="x")
    loud.get("/", q="private matters")

    assert [line.rsplit(" ", 2)[0] for line in page.logged] == ["GET / 200", "GET /a%0Ab%3Fc 404"]
    assert loud.logged[0].startswith("GET /?q=private+matters 200 0.")
