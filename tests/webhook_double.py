"""A webhook over real HTTP, and the ways in which it misbehaves."""

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.http_double import Answer, HttpDouble, in_json


@dataclass
class WebhookDouble(HttpDouble):
    """Takes alerts. Set `hangs`, and it says nothing until it is cleared; `instead` answers as with every double."""

    hangs: bool = False
    taken: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.released = threading.Event()

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        if self.hangs:
            self.released.wait(30)
            return 0, "", b"", {}
        return super().answer(method, path, body)

    def respond(self, method: str, path: str, body: bytes) -> Answer:
        self.taken.append(json.loads(body))
        return in_json({"ok": True})

    def __exit__(self, *ended: Any) -> None:
        self.released.set()
        super().__exit__(*ended)
