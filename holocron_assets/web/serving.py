"""Letting the search page listen: the address it is given, and no other."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from holocron_assets.errors import ConfigurationError, HolocronError, UnfinishedError
from holocron_assets.retrieval.hits import SearchResult
from holocron_assets.search import Question
from holocron_assets.web.application import Services
from holocron_assets.web.guarding import MOST_QUERY_BYTES, Guard

_GRACE_SECONDS = 2


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises `ConfigurationError` where that cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"nothing can listen at {host} port {port}: {getattr(error, 'strerror', None) or error}. "
            "Name another with --host and --port; port 0 is any that is free."
        ) from error


def url_of(listener: socket.socket) -> str:
    """How a browser on this machine gets there."""
    address, port = listener.getsockname()[:2]
    if address in {"0.0.0.0", "::"}:  # noqa: S104 - it is compared
        address = "localhost"
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def prepare(services: Services, say: Callable[[str], None]) -> None:
    """Load what a first search needs. Where that fails or takes long, the page will say the same; it listens anyway."""

    async def search() -> SearchResult:
        return await services.desk.answer(
            "",
            lambda progress: services.searcher.search(Question(query="ready", top_k=1), log=False, progress=progress),
        )

    try:
        asyncio.run(search())
    except UnfinishedError as error:
        say(f"{error}; the page says when it is ready")
    except HolocronError as error:
        say(str(error))


class _Server(uvicorn.Server):
    """Says that it is ready when it is, and when a signal ends it as it should."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def serve(guarded: Guard, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer whoever comes, until this process is told to end; `ready` is called when the first may."""
    config = uvicorn.Config(
        guarded,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=2 * MOST_QUERY_BYTES,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    _Server(config, ready).run(sockets=[listener])
