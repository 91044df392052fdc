"""How far alerts were told: nothing lost, nothing told twice, whatever becomes of the webhook and the process."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.alerts import Alert, Position, Teller, Told
from holocron_assets.errors import AlertRefusedError, WebhookError
from holocron_assets.events import EventFile, event

ENDS: list[tuple[int, list[Alert], Told]] = [
    (5, [event("check_failed", "a"), event("check_failed", "b")], {"a": "is red"}),
    (6, [], {"a": "is red"}),
    (9, [event("check_failed", "c")], {}),
]


class Away:
    """A webhook that takes so many alerts and then answers as it is told."""

    longest_seconds = 1.0

    def __init__(self, takes: int, then: type[WebhookError] = WebhookError) -> None:
        self.takes, self.then = takes, then
        self.taken: list[str] = []

    def send(self, alert: Mapping[str, Any]) -> None:
        if len(self.taken) >= self.takes:
            raise self.then("the webhook at host answers HTTP 500")
        self.taken.append(alert["id"])


def teller(tmp_path: Path, webhook: Away | None) -> Teller:
    events = EventFile(path=tmp_path / "events.ndjson", max_bytes=100_000)
    return Teller(events=events, webhook=webhook, warn=lambda _said: None)


def written(tmp_path: Path) -> list[tuple[str, str]]:
    told = [json.loads(line) for line in (tmp_path / "events.ndjson").read_text().splitlines()]
    return [(one["kind"], one["id"]) for one in told]


def after(position: Position) -> list[tuple[int, list[Alert], Told]]:
    return [end for end in ENDS if end[0] > position.after]


def test_everything_is_told_once(tmp_path: Path) -> None:
    """Each alert is written and sent, and the position is at the last end."""
    webhook = Away(takes=99)

    position = teller(tmp_path, webhook).tell(ENDS, Position(after=4))

    assert position == Position(after=9)
    assert webhook.taken == ["a", "b", "c"]
    assert [event_id for _, event_id in written(tmp_path)] == ["a", "b", "c"]


def test_without_a_webhook_events_are_written(tmp_path: Path) -> None:
    """Nothing waits for a webhook that nobody set."""
    assert teller(tmp_path, None).tell(ENDS, Position(after=4)) == Position(after=9)
    assert [event_id for _, event_id in written(tmp_path)] == ["a", "b", "c"]


def test_a_webhook_that_is_away_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """It takes one alert and fails for three ticks: then the others come, each once, and one event told of it."""
    webhook = Away(takes=1)
    position = Position(after=4)
    for _tick in range(3):
        position = teller(tmp_path, webhook).tell(after(position), position)

    assert position == Position(after=4, sent=1, written=2, is_failing=True)
    webhook.takes = 99
    position = teller(tmp_path, webhook).tell(after(position), Position.of(position.to_json()) or Position(after=0))

    assert position == Position(after=9)
    assert webhook.taken == ["a", "b", "c"]
    assert written(tmp_path) == [
        ("check_failed", "a"),
        ("check_failed", "b"),
        ("webhook_failed", "b:webhook"),
        ("check_failed", "c"),
    ]


def test_an_alert_that_is_refused_does_not_stop_the_others(tmp_path: Path) -> None:
    """What the webhook will never take is told of, and passed."""
    position = teller(tmp_path, Away(takes=0, then=AlertRefusedError)).tell(ENDS, Position(after=4))

    assert position == Position(after=9)
    assert [one for one in written(tmp_path) if one[0] == "webhook_failed"] == [
        ("webhook_failed", "a:webhook"),
        ("webhook_failed", "b:webhook"),
        ("webhook_failed", "c:webhook"),
    ]


def test_a_tick_is_repeated_with_the_same_ids(tmp_path: Path) -> None:
    """A process that dies before its position is stored tells the same again: receivers know it by its id."""
    webhook = Away(takes=99)
    for _tick in range(2):
        teller(tmp_path, webhook).tell(ENDS, Position(after=4))

    assert webhook.taken == ["a", "b", "c", "a", "b", "c"]


@pytest.mark.parametrize(
    "cursor",
    [
        None,
        "",
        "17",
        "[]",
        "{}",
        "not json",
        '{"after": "x"}',
        '{"after": 1, "more": 2}',
        '{"after": null}',
        '{"after": 1, "told": 3}',
    ],
)
def test_a_cursor_that_is_none_is_no_position(cursor: str | None) -> None:
    """Garbage is not an error: the sensor begins anew."""
    assert Position.of(cursor) is None
