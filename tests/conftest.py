"""Fixtures: a store of each backend, and a small world in which records become vectors."""

import os
import shutil
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from holocron_assets.composition import InstalledProviders
from holocron_assets.environment import SQLSERVER_VARIABLES
from holocron_assets.sections import DuckDBSettings, ExtractionSettings, SpaceDeclaration
from holocron_assets.settings import Settings
from resources.stores import STORES, open_store
from resources.stores.base import SqlStore
from tests.scratch_database import scratch_database
from tests.tds.certificate import self_signed
from tests.tds.drivers import DRIVERS
from tests.tds.serving import served
from tests.tds.translated import Translated
from tests.tsql_on_duckdb import Driver
from tests.world import World

#: What stands for the server's database, by the URL of the store.
EMULATED: dict[str, Driver] = {}
SQLSERVER_URL = os.environ.get("HOLOCRON_TEST_SQLSERVER_URL")


def pytest_report_header() -> str:
    """The engines that the tests run on."""
    import duckdb  # noqa: PLC0415 - only its version is wanted

    return f"duckdb {duckdb.__version__}; stores: {', '.join(STORES)}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that no processor waits for one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests depend on nobody's environment."""
    for name in list(os.environ):
        if name.startswith(
            ("HOLOCRON_", "DAGSTER_", "MSSQL_", "OLLAMA_", "OPENAI_", "LAKE_ROOT", *SQLSERVER_VARIABLES)
        ):
            monkeypatch.delenv(name)


@pytest.fixture(params=["duckdb", *(["sqlserver"] if SQLSERVER_URL else [])])
def backend(request: pytest.FixtureRequest) -> str:
    """The databases that are tested: the embedded one, and a server where the environment names one."""
    return str(request.param)


@pytest.fixture(scope="session")
def wire_tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext | None:
    """What lets the servers of this process encrypt."""
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def store_url(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire_tls: ssl.SSLContext | None
) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    if backend == "sqlserver":
        if not SQLSERVER_URL:
            pytest.skip("HOLOCRON_TEST_SQLSERVER_URL names no server to test on")
        with scratch_database(SQLSERVER_URL) as url:
            yield url
    elif backend == "translated":
        driver = Driver(tmp_path)
        monkeypatch.setitem(sys.modules, "pyodbc", driver)
        url = "mssql+pyodbc://tester:a-secret@emulated/Holocron"
        monkeypatch.setitem(EMULATED, url, driver)
        yield url
    elif backend in DRIVERS:
        driver = Driver(tmp_path)
        with served(Translated(driver), backend, wire_tls) as url:
            monkeypatch.setitem(EMULATED, url, driver)
            yield url
    else:
        yield "duckdb:///store.duckdb"


@pytest.fixture
def settings(store_url: str, tmp_path: Path) -> Settings:
    """Settings of a fresh store, with one thread, one worker and a small hashing space."""
    return Settings(
        base_dir=tmp_path,
        store_url=store_url,
        ingest=(),
        duckdb=DuckDBSettings(threads=1),
        extraction=ExtractionSettings(workers=1),
        spaces=(SpaceDeclaration(provider="hashing", model="ngram", options={"dimensions": 32}),),
    )


@pytest.fixture
def empty_store(settings: Settings) -> SqlStore:
    """A store without a schema."""
    return open_store(settings, wait_seconds=60)


@dataclass(frozen=True)
class Templates:
    """Stores that many tests begin with: filled once, then copied, where a store is a file."""

    folder: Path

    def fill(self, settings: Settings, name: str, fill: Callable[[], object]) -> None:
        """Bring the store of `settings` into the state called `name`, which `fill` makes."""
        if driver := EMULATED.get(settings.store_url):
            kept = self.folder / f"translated {name}"
            if kept.exists():
                driver.load(kept)
            else:
                fill()
                driver.save(kept)
            return
        if not settings.store_url.startswith("duckdb:"):
            fill()
            return
        path = settings.path(str(make_url(settings.store_url).database))
        template = self.folder / name
        if template.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(template, path)
            return
        fill()
        # Whoever kept the file open has let it go when another can have it.
        with open_store(settings, wait_seconds=60).session():
            pass
        shutil.copy(path, template)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Shared by all tests of a process."""
    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture
def store(empty_store: SqlStore, settings: Settings, templates: Templates) -> SqlStore:
    """A store with its schema and nothing in it."""
    templates.fill(settings, "migrated", empty_store.migrate)
    return empty_store


@pytest.fixture
def world(store: SqlStore, settings: Settings) -> Iterator[World]:
    """Everything between records and vectors, without Dagster; in a store that is kept open, as a run keeps it."""
    with store.kept_open():
        yield World(store=store, settings=settings, providers=InstalledProviders(settings))
