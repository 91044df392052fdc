"""Fixtures: a store of each backend, and a small world in which records become vectors."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from holocron_assets.composition import InstalledProviders
from holocron_assets.settings import ExtractionSettings, Settings, SpaceDeclaration
from resources.stores import STORES, open_store
from resources.stores.base import SqlStore
from tests.world import World

#: A backend's URL within a test's own folder; other servers are tested where the environment names one.
BACKENDS: dict[str, Callable[[], str | None]] = {
    "duckdb": lambda: "duckdb:///store.duckdb",
}


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
        if name.startswith(("HOLOCRON_", "DAGSTER_")):
            monkeypatch.delenv(name)


@pytest.fixture(params=BACKENDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a fresh store, with one worker and a small hashing space."""
    url = BACKENDS[request.param]()
    if url is None:
        pytest.skip(f"no URL for {request.param}")
    return Settings(
        base_dir=tmp_path,
        store_url=url,
        ingest=(),
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
        path = settings.path(str(make_url(settings.store_url).database))
        template = self.folder / name
        if template.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(template, path)
            return
        fill()
        if path.exists():
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
def world(store: SqlStore, settings: Settings) -> World:
    """Everything between records and vectors, without Dagster."""
    return World(store=store, settings=settings, providers=InstalledProviders())
