"""Alerts: what failed is written to the file of events and sent to the webhook, once each as far as that can be had.

What is told is the alerts of one Dagster run after another, and a position says how far that is, and what was last said
of what. It moves past an alert when the webhook has taken it, and is stored when the tick ends: a process that dies
between the two sends the alert again, with the same id.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from holocron_assets.errors import AlertRefusedError, EventError, WebhookError
from holocron_assets.events import EventFile, event
from holocron_assets.ports import Webhook

#: After so long no further alert is begun: the daemon waits for one sensor before it looks at the next.
_TICK_SECONDS = 10.0

Alert = Mapping[str, Any]
#: What the last alert about something said, by what it was about; the last told is the last.
Told = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The end of a run after which nothing was told yet; of the next end, how many alerts were sent and written.

    `is_failing`: the webhook did not take the next alert, which was told. `told` is of the ends up to this one.
    """

    after: int
    sent: int = 0
    written: int = 0
    is_failing: bool = False
    told: Told = field(default_factory=dict)

    def to_json(self) -> str:
        """For the cursor of a sensor."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, cursor: str | None) -> "Position | None":
        """The position in a cursor; None where it has none, or something else."""
        try:
            given = json.loads(cursor or "null")
            position = cls(**given)
        except (TypeError, ValueError):
            return None
        numbers = (position.after, position.sent, position.written)
        is_sound = all(type(number) is int for number in numbers) and isinstance(position.told, dict)
        return position if is_sound else None


@dataclass(slots=True, kw_only=True)
class Teller:
    """Tells of alerts during one tick; `said` is what became of it, for a person."""

    events: EventFile | None
    webhook: Webhook | None
    warn: Callable[[str], None]
    written: int = 0
    sent: int = 0
    said: list[str] = field(default_factory=list)

    def tell(self, ends: Iterable[tuple[int, Sequence[Alert], Told]], position: Position) -> Position:
        """Tell of the alerts of ends of runs, as `(storage id, alerts, told after them)`; returns how far it came."""
        began = time.monotonic()
        for storage_id, alerts, told in ends:
            for alert in alerts[position.written :]:
                self._write(alert)
                position = replace(position, written=position.written + 1)
            for alert in alerts[position.sent :] if self.webhook else ():
                if time.monotonic() - began > _TICK_SECONDS:
                    self.said.append("the webhook takes long, and gets the others at the next tick")
                    return position
                if not self._send(alert, is_news=not position.is_failing):
                    return replace(position, is_failing=True)
                position = replace(position, sent=position.sent + 1, is_failing=False)
            position = Position(after=storage_id, told=told)
        return position

    def _write(self, alert: Alert) -> None:
        if self.events is None:
            return
        try:
            self.events.append(alert)
            self.written += 1
        except EventError as error:
            self.warn(f"no event tells of {alert['id']}: {error}")

    def _send(self, alert: Alert, *, is_news: bool) -> bool:
        """Whether the webhook is done with an alert, for better or worse."""
        assert self.webhook is not None  # noqa: S101 - asked before
        try:
            self.webhook.send(alert)
        except WebhookError as error:
            is_done = isinstance(error, AlertRefusedError)
            self.said.append(str(error))
            self.warn(str(error))
            if is_news or is_done:
                self._write(event("webhook_failed", f"{alert['id']}:webhook", alert=alert["id"], error=str(error)))
            return is_done
        self.sent += 1
        return True
