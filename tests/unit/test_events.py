"""The file of events: whole lines, whoever writes; a bounded size; no secrets; a disk that fails."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from holocron_assets.clock import utc_now
from holocron_assets.environment import struck
from holocron_assets.errors import EventError
from holocron_assets.events import EventFile, event, event_file
from holocron_assets.sections import EventSettings
from holocron_assets.settings import Settings

WRITER = """
import sys
from pathlib import Path
from holocron_assets.events import EventFile, event
file = EventFile(path=Path(sys.argv[1]), max_bytes=int(sys.argv[2]))
for number in range(400):
    file.append(event("test", f"{sys.argv[3]}:{number}", filler="x" * (number % 97 * 10)))
"""


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_an_event_is_a_line(tmp_path: Path) -> None:
    """Each event is one JSON object with id, kind and time, and the folder is made."""
    file = EventFile(path=tmp_path / "new" / "events.ndjson", max_bytes=10_000)

    file.append(event("run_ended", "r1", text="two\nlines", started_utc=utc_now(), run_id=uuid.UUID(int=1)))
    file.append(event("run_ended", "r2"))

    first, second = lines(file.path)
    assert (first["id"], first["kind"], first["text"]) == ("r1", "run_ended", "two\nlines")
    assert first["at_utc"].endswith("Z")
    assert first["run_id"] == str(uuid.UUID(int=1))
    assert second["id"] == "r2"


@pytest.mark.parametrize("max_bytes", [10_000_000, 100_000])
def test_processes_do_not_tear_each_others_lines(tmp_path: Path, max_bytes: int) -> None:
    """Four processes write at once, and every line that is there is whole; without rotation none is missing."""
    path = tmp_path / "events.ndjson"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(max_bytes), str(number)]) for number in range(4)
    ]

    assert [writer.wait() for writer in writers] == [0] * 4

    kept = [one["id"] for file in sorted(tmp_path.iterdir()) for one in lines(file)]
    assert len(kept) == len(set(kept))
    assert len(kept) == 1600 or max_bytes < 1_000_000
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2 * max_bytes + 10_000


def test_a_full_file_is_put_aside(tmp_path: Path) -> None:
    """Two files are kept, the newest events are in them, and both are bounded."""
    file = EventFile(path=tmp_path / "events.ndjson", max_bytes=1000)

    for number in range(100):
        file.append(event("test", str(number)))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.ndjson", "events.ndjson.1"]
    assert all(path.stat().st_size < 1200 for path in tmp_path.iterdir())
    kept = [one["id"] for path in (tmp_path / "events.ndjson.1", file.path) for one in lines(path)]
    assert kept == [str(number) for number in range(100 - len(kept), 100)]


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    """The error names the file and the setting."""
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(EventError, match=r"taken/events.ndjson: .*`events.file`"):
        EventFile(path=tmp_path / "taken" / "events.ndjson", max_bytes=1000).append(event("test", "1"))


def test_a_full_disk_is_an_error() -> None:
    """A device that takes nothing is told of."""
    with pytest.raises(EventError, match="No space left"):
        EventFile(path=Path("/dev/full"), max_bytes=1000).append(event("test", "1"))


def test_events_can_be_turned_off(tmp_path: Path) -> None:
    """Without a file there are no events."""
    assert event_file(Settings(base_dir=tmp_path, events=EventSettings(file=None))) is None
    kept = event_file(Settings(base_dir=tmp_path))
    assert kept is not None
    assert kept.path == tmp_path / ".holocron" / "events.ndjson"


def test_long_texts_are_cut(tmp_path: Path) -> None:
    """An error of a megabyte makes no line of a megabyte."""
    assert len(event("test", "1", error="e" * 1_000_000)["error"]) == 2000


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("OPENAI_API_KEY", "sk-verysecret", "401 for sk-verysecret"),
        ("MSSQL_SA_PASSWORD", "hunter22", "login failed with hunter22"),
        ("HOLOCRON_STORE_URL", "mssql://sa:a/hunter22@h/d", "login failed with a/hunter22"),
        ("HOLOCRON_STORE_URL", "mssql:///?odbc_connect=UID%3Dsa%3BPWD%3Dhunter22", "login failed with hunter22"),
        ("INGEST_SQLSERVER_CONN_STR", "UID=sa;PWD={hunter;}}22};APP=x", "login failed with hunter;}22"),
        ("HOLOCRON_WEBHOOK_URL", "https://hooks/T1/verysecret", "posting to https://hooks/T1/verysecret"),
        ("HF_TOKEN", "hf_verysecret", "HTTP 403, hf_verysecret"),
        ("HOLOCRON_STORE_URL", "mssql+pyodbc://sa:p%40ssword@host/db", "login of sa with p@ssword"),
        ("INGEST_SQLSERVER_CONN_STR", "SERVER=x;PWD=verysecret;UID=sa", "verysecret was refused"),
        ("NOTHING", "", "cannot open https://me:verysecret@host/path"),
        ("NOTHING", "", "SERVER=x;Password=verysecret;"),
    ],
)
def test_secrets_are_struck_out(name: str, value: str, text: str) -> None:
    """What the environment holds as a secret, and what stands where passwords stand, is in no event."""
    said = struck(text, {name: value, "TOKENIZERS_PARALLELISM": "false", "PWD": "/srv/wiki"})

    assert "***" in said
    assert not [secret for secret in ("verysecret", "hunter", "p@ssword") if secret in said]


def test_nothing_else_is_struck_out() -> None:
    """A current folder is no password, and an empty variable hides nothing."""
    text = "/srv/wiki/store.duckdb is busy: false"

    assert struck(text, {"PWD": "/srv/wiki", "TOKENIZERS_PARALLELISM": "false", "OPENAI_API_KEY": ""}) == text
