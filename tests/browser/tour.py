"""What a person does on the first day: looks at the graph, materialises, and opens a partition, a check and a plot."""

from pathlib import Path

from tests.browser.dagster_ui import Browser, make_project, webserver

SPACE = "ngram-a8fbd6cf"

PICTURES = ("check", "chunks", "graph", "materialised", "partition", "plots", "sensors")


def see_the_graph(browser: Browser) -> None:
    """The groups, from left to right, and every asset in them."""
    browser.open("/asset-groups")
    for group, asset in (("ingest", "ingest_records"), ("text", "extracted_texts"), ("embeddings", "space_embeddings")):
        browser.see(group)
        browser.rest()
        browser.click(group, times=2)
        browser.see(asset)
    browser.open("/asset-groups")  # opened anew, all of it fits the page
    browser.see("space_embeddings")
    browser.rest()
    browser.shot("graph")


def materialise(browser: Browser) -> None:
    """The button of `embeddings`, and then its node in green, with everything that it was made of."""
    browser.open("/assets/embeddings")
    browser.see("A vector of every current chunk")
    browser.click("Materialize", inside="button")
    browser.see("Launched run")
    browser.open("/assets/embeddings?view=lineage&lineageScope=upstream&lineageDepth=5")
    browser.see("7 / 7 Passed", seconds=240)
    browser.see("Materialized", times=5)
    browser.rest()
    browser.shot("materialised")


def open_a_partition(browser: Browser) -> None:
    """A space that the click filled, with what it cost."""
    browser.open("/assets/space_embeddings?view=partitions")
    browser.click(SPACE)
    browser.see("seconds in provider")
    browser.see("bytes embedded")
    browser.rest()
    browser.shot("partition")


def open_a_check(browser: Browser) -> None:
    """A check that passed, and what it says."""
    browser.open("/assets/embeddings?view=checks&checkDetail=vectors_are_valid")
    browser.see("This is a blocking asset check")
    browser.see("Passed")
    browser.rest()
    browser.shot("check")


def see_a_picture(browser: Browser) -> None:
    """The lengths of the chunks, drawn by the asset."""
    browser.open("/assets/chunks?view=events")
    browser.see("Materialized in run")
    browser.click("[Show Markdown]")
    browser.see_picture("Current chunks by length")
    browser.rest()
    browser.shot("chunks")


def see_a_plot(browser: Browser) -> None:
    """Figures over time, drawn by Dagster."""
    browser.open("/assets/embeddings?view=overview")
    browser.click("Plots", inside="button")
    browser.see("bytes embedded")
    browser.show("Metadata")
    browser.rest()
    browser.shot("plots")


def see_the_sensors(browser: Browser) -> None:
    """The sensors, switched on."""
    browser.open("/automation")
    browser.see("failed_checks")
    browser.see("failed_runs")
    browser.rest()
    browser.shot("sensors")


STEPS = (
    see_the_graph,
    materialise,
    open_a_partition,
    open_a_check,
    see_a_picture,
    see_a_plot,
    see_the_sensors,
)


def take(folder: Path, pictures: Path) -> None:
    """The whole tour through a new project in `folder`, with a picture of each stop."""
    make_project(folder)
    with webserver(folder) as url, Browser(url, pictures) as browser:
        for step in STEPS:
            step(browser)
