"""The search page, made of its parts: addresses, what answers them, and how errors are told."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from holocron_assets.errors import (
    ConfigurationError,
    HolocronError,
    InputError,
    NotReadyError,
    ProviderError,
    TransientError,
    UnfinishedError,
    UnknownItemError,
)
from holocron_assets.json_documents import json_text
from holocron_assets.lineage import chain, trace
from holocron_assets.ports import Progress, Store
from holocron_assets.promotion import DEFAULT
from holocron_assets.retrieval.hits import Fusion, Mode, SearchResult
from holocron_assets.retrieval.words import Analyzer
from holocron_assets.search import Searcher
from holocron_assets.web.asking import (
    FILTERS,
    MOST_HITS,
    PARAMETERS,
    REPEATED,
    Asked,
    Given,
    asked,
    compared,
    given_of,
    read_query,
    the_one,
)
from holocron_assets.web.guarding import Guard, Hosts, error_document, for_programs
from holocron_assets.web.showing import SCORES, address, readable, shown, stretches, web_address, without_other
from holocron_assets.web.spaces_known import SpacesKnown
from holocron_assets.web.waiting import Desk

_AGAIN_SECONDS = "5"
_SPACES = ("space", "alias", "other_space", "other_alias")
#: The first that an error is.
_STATUS = (
    (UnknownItemError, HTTPStatus.NOT_FOUND),
    (InputError, HTTPStatus.BAD_REQUEST),
    (ConfigurationError, HTTPStatus.BAD_REQUEST),
    (TransientError, HTTPStatus.SERVICE_UNAVAILABLE),
    (NotReadyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ProviderError, HTTPStatus.BAD_GATEWAY),
    (HolocronError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the page stands on: one searcher for all, the store, and the names of spaces for its forms."""

    searcher: Searcher
    store: Store
    spaces: SpacesKnown
    analyzer: Analyzer
    desk: Desk


class SearchPage:
    """Answers the addresses."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._templates = Environment(
            loader=PackageLoader("holocron_assets.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: readable(value) if value.__class__ is str else value,
        )
        self._templates.globals |= {
            "address": address,
            "without_other": without_other,
            "SCORES": SCORES,
            "REPEATED": REPEATED,
            "FILTERS": FILTERS,
            "MODES": list(Mode),
            "FUSIONS": list(Fusion),
            "DEFAULT": DEFAULT,
            "MOST_HITS": MOST_HITS,
        }

    def search(self, given: Given, progress: Progress) -> Response:
        """The form, and what it found; without a query, the form."""
        if "q" not in given:
            return self._page("search.html", given=given, result=None, hits=())
        result = self._found(asked(given), progress)
        return self._page("search.html", given=given, result=result, hits=shown(result, self._services.analyzer))

    def compare(self, given: Given, progress: Progress) -> Response:
        """One query in two spaces, or ranked in two ways; without a query, the form."""
        if "q" not in given:
            return self._page("compare.html", given=given, sides=(), both=0)
        left, right = (self._found(one, progress) for one in compared(given))
        analyzer = self._services.analyzer
        sides = ((left, shown(left, analyzer, right)), (right, shown(right, analyzer, left)))
        both = sum(one.there is not None for one in sides[0][1])
        return self._page("compare.html", given=given, sides=sides, both=both)

    def api_search(self, given: Given, progress: Progress) -> Response:
        """The document that `holocron search --json` prints."""
        return Response(json_text(self._found(asked(given), progress)) + "\n", media_type="application/json")

    def context(self, given: Given, progress: Progress) -> Response:
        """The text of a source, with the passage that was found."""
        searcher, analyzer = self._services.searcher, self._services.analyzer
        space, source, chunk = (the_one(given, name) for name in ("space", "source", "chunk"))
        passages = searcher.passages(searcher.space(space), source, progress)
        if not passages:
            raise UnknownItemError(f"{space} has no passage of {source}, or none any more: search again")
        return self._page(
            "context.html",
            source=passages[0],
            url=web_address(passages[0].url),
            stretches=stretches(passages, chunk, set(analyzer.query_terms(" ".join(given.get("q", ())))), analyzer),
            is_found=any(one.chunk_id == chunk for one in passages),
            lineage=address("/lineage", {"chunk": [chunk]}),
        )

    def lineage(self, given: Given, progress: Progress) -> Response:
        """Where a passage and its vectors come from."""
        found = trace(self._services.store, the_one(given, "chunk"))
        return self._page("lineage.html", chain=chain(found), chunk=found.chunk["chunk_id"])

    def failed(self, request: Request, error: Exception) -> Response:
        """One of our own errors, for a reader or a program."""
        status = next(code for kind, code in _STATUS if isinstance(error, kind))
        headers = {"retry-after": _AGAIN_SECONDS} if isinstance(error, TransientError) else {}
        if isinstance(error, UnfinishedError):
            headers["refresh"] = _AGAIN_SECONDS
        return self._told(request, status, str(error), headers)

    def refused(self, request: Request, error: Exception) -> Response:
        """An address that is none of ours."""
        status = HTTPStatus(error.status_code if isinstance(error, HTTPException) else 500)
        return self._told(request, status, "There is no such page. Begin with a search.")

    def crashed(self, request: Request, error: Exception) -> Response:
        """A fault of this program: the reader is told that, and whoever runs it has the traceback."""
        text = f"This page has a fault ({type(error).__name__}). What `holocron serve` printed says where."
        if for_programs(request.url.path):
            return error_document(HTTPStatus.INTERNAL_SERVER_ERROR, text)
        return PlainTextResponse(f"{text}\n", HTTPStatus.INTERNAL_SERVER_ERROR)

    def _found(self, one: Asked, progress: Progress) -> SearchResult:
        return self._services.searcher.search(one.question, space=one.space, alias=one.alias, progress=progress)

    def _page(self, template: str, **shown: Any) -> Response:
        return HTMLResponse(self._rendered(template, spaces=self._services.spaces.look(), **shown))

    def _rendered(self, template: str, **shown: Any) -> str:
        return self._templates.get_template(template).render(**shown)

    def _told(self, request: Request, status: HTTPStatus, text: str, headers: dict[str, str] | None = None) -> Response:
        if for_programs(request.url.path):
            return error_document(status, text, headers)
        page = self._rendered(
            "error.html",
            spaces=self._services.spaces.offered,
            given=given_of(request.query_params.multi_items()),
            heading=status.phrase,
            text=text,
            looks_again=bool(headers and "refresh" in headers),
            form_of=request.url.path if request.url.path in {"/", "/compare"} else None,
        )
        return HTMLResponse(page, status, headers)


def search_page(services: Services, hosts: Hosts, log: Callable[[str], None], *, verbose: bool = False) -> Guard:
    """The page as an ASGI application, behind its guard."""
    page = SearchPage(services)
    pages = {
        "/": page.search,
        "/compare": page.compare,
        "/context": page.context,
        "/lineage": page.lineage,
        "/api/search": page.api_search,
    }
    files = StaticFiles(directory=Path(__file__).parent / "static")
    application = Starlette(
        routes=[
            *(Route(path, _endpoint(answer, PARAMETERS[path], services.desk)) for path, answer in pages.items()),
            Mount("/static", files),
        ],
        exception_handlers={HolocronError: page.failed, HTTPException: page.refused, Exception: page.crashed},
    )
    return Guard(application, hosts, log, verbose=verbose)


def _endpoint(
    answer: Callable[[Given, Progress], Response], known: Sequence[str], desk: Desk
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = read_query(request.scope["query_string"], known)
        return await desk.answer(_about(request.url.path, given), partial(answer, given))

    return endpoint


def _about(path: str, given: Given) -> str:
    """What may have to be built before there is an answer: the indexes of whatever spaces are meant, or nothing."""
    if path == "/lineage" or not {"q", "source"} & set(given):
        return path
    return " ".join(value for name in _SPACES for value in given.get(name, ()))
