"""Fixtures: a filled store that nobody keeps open, and the page over it."""

import pytest

from holocron_assets.composition import InstalledProviders
from holocron_assets.settings import Settings
from resources.stores import open_store
from tests.conftest import Templates
from tests.web.pages import Page, fill
from tests.world import World


@pytest.fixture
def filled(settings: Settings, templates: Templates) -> World:
    """Pages, everything up to date."""
    world = World(store=open_store(settings, wait_seconds=5), settings=settings, providers=InstalledProviders(settings))
    templates.fill(settings, "search page", lambda: fill(world))
    return world


@pytest.fixture
def page(filled: World) -> Page:
    """The search page over them."""
    return Page(filled.settings)
