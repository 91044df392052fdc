"""Failures as Dagster stores them become events and alerts, once each."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from holocron_assets.ports import Webhook
from holocron_assets.records import ItemType, QuarantinedItem
from holocron_assets.runs import METRICS
from holocron_assets.sensors.failures import failed_checks, failed_runs
from holocron_assets.settings import Settings
from holocron_assets.tables import quarantine
from holocron_assets.transactions import write
from resources.webhook import HttpWebhook
from tests.graph.conftest import Graph
from tests.webhook_double import WebhookDouble
from tests.world import START, page_row, prose


@pytest.fixture
def webhook() -> Iterator[WebhookDouble]:
    with WebhookDouble() as double:
        yield double


class Watch:
    """A sensor with its cursor, as the daemon keeps it."""

    def __init__(
        self, graph: Graph, sensor: Callable[[Settings], dg.SensorDefinition], webhook: Webhook | None
    ) -> None:
        self.graph, self.sensor, self.webhook = graph, sensor(graph.world.settings), webhook
        self.cursor: str | None = None

    def tick(self) -> str:
        """What the sensor said."""
        with dg.build_sensor_context(
            instance=self.graph.instance,
            cursor=self.cursor,
            resources={"webhook": self.webhook},
        ) as context:
            data = self.sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return str(data.skip_message)


def events(tmp_path: Path, kind: str) -> list[dict[str, Any]]:
    path = tmp_path / ".holocron" / "events.ndjson"
    told = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [one for one in told if one["kind"] == kind]


def fail(graph: Graph) -> str:
    """A run that fails, because its space cannot be opened."""
    broken = graph.world.settings.spaces[0].model_copy(update={"options": {"dimensions": "many"}})
    settings = graph.world.settings
    graph.world.settings = settings.model_copy(update={"spaces": (broken,)})
    result = graph.materialize()
    graph.world.settings = settings
    assert not result.success
    return result.run_id


def test_every_stage_is_told_of(graph: Graph, tmp_path: Path) -> None:
    """Each recorded run of a Dagster run leaves an event with ids, counts and where it came from."""
    graph.world.add(page_row("Tides", 1, prose("tides", 5000)))

    result = graph.materialize()

    told = events(tmp_path, "run_ended")
    assert [one["stage"] for one in told] == ["extract", "chunk", "embed"]
    assert {(one["status"], one["origin"], one["reference"]) for one in told} == {
        ("SUCCEEDED", "dagster", result.run_id)
    }
    assert all(set(METRICS) <= set(one["metrics"]) for one in told)
    embedding = told[-1]
    assert embedding["space"].startswith("ngram")
    assert embedding["metrics"]["embeddings_created"] > 0
    assert {(str(run), str(job)) for run, job in graph.world.rows("select run_id, job_id from vector.run")} == {
        (one["run_id"], one["job_id"]) for one in told
    }
    assert "Fact 1" not in json.dumps(told)


def test_a_file_of_events_that_cannot_be_written_is_warned_of(graph: Graph, tmp_path: Path) -> None:
    """The run succeeds although its events have nowhere to go."""
    events_settings = graph.world.settings.events.model_copy(update={"file": "/dev/full"})
    graph.world.settings = graph.world.settings.model_copy(update={"events": events_settings})
    graph.world.add(page_row("Tides", 1, prose("tides")))

    result = graph.materialize()

    assert result.success
    logged = [
        record.event_log_entry.user_message for record in graph.instance.get_records_for_run(result.run_id).records
    ]
    assert any("no event tells of run" in line for line in logged)


def test_a_failed_run_is_told_once(graph: Graph, webhook: WebhookDouble, tmp_path: Path) -> None:
    """What failed before the sensor's first tick is not told; what fails later is, with the step and the reason."""
    fail(graph)
    watch = Watch(graph, failed_runs, HttpWebhook(webhook.url))
    assert watch.tick() == "Begins now: what fails from here on is told."
    run_id = fail(graph)

    assert "1 events written, 1 alerts sent" in watch.tick()
    assert watch.tick() == "Nothing ended since the last tick."

    (alert,) = webhook.taken
    assert alert == events(tmp_path, "dagster_run_failed")[0]
    assert (alert["id"], alert["dagster_run_id"]) == (f"{run_id}:failed", run_id)
    assert [step["step"] for step in alert["steps"]] == ["embeddings"]
    assert "dimensions" in alert["text"]


def test_a_killed_run_is_told_with_what_dagster_knows(graph: Graph, webhook: WebhookDouble) -> None:
    """No step failed in it; who ended it says why, or Dagster's engine did just before."""
    watch = Watch(graph, failed_runs, HttpWebhook(webhook.url))
    watch.tick()
    job = graph.defs.resolve_job_def("bring_up_to_date")
    killed, marked = (graph.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED) for _ in range(2))
    # What Dagster's code server does when it finds the process of a run gone.
    graph.instance.report_engine_event("Its process was terminated by signal 9 (SIGKILL).", killed)
    graph.instance.report_run_failed(killed)
    graph.instance.report_run_failed(marked, "Its process ended without finishing it.")

    watch.tick()

    assert [alert["text"].partition(" failed. ")[2] for alert in webhook.taken] == [
        "Its process was terminated by signal 9 (SIGKILL). "
        "This run has been marked as failed from outside the execution context.",
        "Its process ended without finishing it.",
    ]


def test_failed_checks_are_told_with_their_severity(graph: Graph, webhook: WebhookDouble, tmp_path: Path) -> None:
    """Every failed check of a run is told, one that blocks as an error, quarantine as a warning; no other is."""
    watch = Watch(graph, failed_checks, HttpWebhook(webhook.url))
    watch.tick()
    graph.world.add(page_row("Tides", 1, prose("tides")))
    graph.materialize()
    assert "0 events written" in watch.tick()
    graph.world.rows("update vector.chunk set content = 'tampered'")
    graph.check("chunk_ids_recompute", asset="chunks")
    item = QuarantinedItem(item_type=ItemType.RECORD, item_id="item 42", stage="x", reason="it would not")
    write(graph.world.store, quarantine.upsert_quarantined, [item], uuid.UUID(int=9), START)
    graph.check("nothing_is_quarantined", asset="extracted_texts")

    assert "2 alerts sent" in watch.tick()

    told = events(tmp_path, "check_failed")
    assert webhook.taken == told
    assert [(one["asset"], one["check"], one["severity"], one["blocks"]) for one in told] == [
        ("chunks", "chunk_ids_recompute", "error", True),
        ("extracted_texts", "nothing_is_quarantined", "warn", False),
    ]
    assert all(one["description"] and one["check"] in one["text"] for one in told)


def test_a_check_that_says_the_same_is_not_told_again(graph: Graph, webhook: WebhookDouble, tmp_path: Path) -> None:
    """A warning comes once however many runs repeat it, again when it says something else, and after it passed."""
    watch = Watch(graph, failed_checks, HttpWebhook(webhook.url))
    watch.tick()
    graph.world.add(page_row("Tides", 1, prose("tides")))
    graph.materialize()

    def quarantine_one(item_id: str) -> None:
        item = QuarantinedItem(item_type=ItemType.RECORD, item_id=item_id, stage="x", reason="it would not")
        write(graph.world.store, quarantine.upsert_quarantined, [item], uuid.UUID(int=9), START)

    def told_after(times: int) -> int:
        for _ in range(times):
            graph.check("nothing_is_quarantined", asset="extracted_texts")
        before = len(webhook.taken)
        watch.tick()
        return len(webhook.taken) - before

    assert told_after(1) == 0
    quarantine_one("item 42")
    assert told_after(3) == 1
    assert told_after(1) == 0
    quarantine_one("item 43")
    assert told_after(2) == 1
    graph.world.rows("delete from vector.quarantine")
    assert told_after(1) == 0
    quarantine_one("item 43")
    quarantine_one("item 42")
    assert told_after(2) == 1
    assert len(events(tmp_path, "check_failed")) == 3


def test_an_alert_that_was_not_taken_is_still_news(graph: Graph, webhook: WebhookDouble) -> None:
    """What says the same as an alert that the webhook did not take is told when it is back, once."""
    watch = Watch(graph, failed_checks, HttpWebhook("http://127.0.0.1:9/away"))
    watch.tick()
    item = QuarantinedItem(item_type=ItemType.RECORD, item_id="item 42", stage="x", reason="it would not")
    write(graph.world.store, quarantine.upsert_quarantined, [item], uuid.UUID(int=9), START)
    for _ in range(2):
        graph.check("nothing_is_quarantined", asset="extracted_texts")
        watch.tick()
    watch.webhook = HttpWebhook(webhook.url)

    watch.tick()

    assert len(webhook.taken) == 1


def test_no_webhook_is_no_trouble(graph: Graph, tmp_path: Path) -> None:
    """Events are written where no webhook is set."""
    watch = Watch(graph, failed_runs, None)
    watch.tick()
    fail(graph)

    assert "1 events written, 0 alerts sent" in watch.tick()
    assert len(events(tmp_path, "dagster_run_failed")) == 1


@pytest.mark.slow
def test_a_webhook_that_hangs_bounds_the_tick(graph: Graph, webhook: WebhookDouble, tmp_path: Path) -> None:
    """The tick ends far below a minute, and when the webhook is back the alerts come, each once, in order."""
    watch = Watch(graph, failed_runs, HttpWebhook(webhook.url))
    watch.tick()
    runs = [fail(graph) for _ in range(3)]
    webhook.hangs = True
    began = time.monotonic()

    said = watch.tick()

    assert time.monotonic() - began < 20
    assert "the webhook at 127.0.0.1" in said
    webhook.hangs = False
    webhook.released.set()
    assert "3 alerts sent" in watch.tick()
    assert [alert["dagster_run_id"] for alert in webhook.taken] == runs
    assert len(events(tmp_path, "dagster_run_failed")) == 3
    assert len(events(tmp_path, "webhook_failed")) == 1


@pytest.mark.parametrize("cursor", ["garbage", '{"after": 100000}'])
def test_a_cursor_of_elsewhere_begins_anew(graph: Graph, cursor: str) -> None:
    """Neither garbage nor the position of an instance that was wiped since stops the sensor."""
    watch = Watch(graph, failed_runs, None)
    watch.cursor = cursor
    assert watch.tick() == "Begins now: what fails from here on is told."
    fail(graph)

    assert "1 events written" in watch.tick()


def test_no_secret_is_told(graph: Graph, webhook: WebhookDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that an error repeats is struck out of the alert."""
    watch = Watch(graph, failed_runs, HttpWebhook(webhook.url))
    watch.tick()
    monkeypatch.setenv("MSSQL_SA_PASSWORD", "many")
    fail(graph)
    watch.tick()

    assert "many" not in json.dumps(webhook.taken)
    assert "***" in webhook.taken[0]["text"]
