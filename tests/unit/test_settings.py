"""Settings: where they come from, and what a fault in them says."""

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from holocron_assets.errors import ConfigurationError
from holocron_assets.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_file_the_defaults_hold(folder: Path) -> None:
    """A newcomer needs no settings file; paths then belong to the current folder."""
    settings = load_settings()

    assert settings.store_url == "duckdb:///.holocron/store.duckdb"
    assert settings.path("x") == folder / "x"


def test_the_environment_beats_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of a section changes that setting and leaves the section's others to the file."""
    (folder / "holocron.yaml").write_text("extraction: {workers: 3, timeout_seconds: 7}")
    monkeypatch.setenv("HOLOCRON_EXTRACTION__WORKERS", "5")

    settings = load_settings()

    assert (settings.extraction.workers, settings.extraction.timeout_seconds) == (5, 7.0)


def test_lists_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list as JSON is read; one that is not is an error that says so."""
    monkeypatch.setenv("HOLOCRON_INGEST", '["a.ndjson"]')
    assert load_settings().ingest == ("a.ndjson",)

    monkeypatch.setenv("HOLOCRON_INGEST", "a.ndjson")
    with pytest.raises(ConfigurationError, match=r'field "ingest".* written as JSON'):
        load_settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store_uri: x", r"holocron.yaml: store_uri: Extra inputs are not permitted"),
        ("base_dir: /tmp", r"base_dir: relative paths belong to the folder of this file"),
        ("extraction: {workers: 0}", r"extraction.workers: Input should be greater than 0"),
        ("[1, 2]", r"must hold settings by name"),
        ("a: [", r"cannot read the settings in .*holocron.yaml"),
        ("schedules: {nightly: tonight}", r"schedules.nightly: String should match pattern"),
        ("schedules: {time_zone: Mars/Olympus}", r"Mars/Olympus is no time zone"),
        ("drift: {permutations: 99}", r"drift.permutations: Input should be greater than or equal to 199"),
        ("evidence: {max_items: 0}", r"evidence: max_items is 0, and must be at least 1"),
        ("rerank: {depth: 0}", r"rerank.depth: Input should be greater than or equal to 1"),
        ("sensors: {interval_seconds: 0}", r"sensors.interval_seconds: Input should be greater than 0"),
        ("lake: {root: ''}", r"lake.root: String should have at least 1 character"),
        ("lake: {max_bytes_per_run: -1}", r"lake.max_bytes_per_run"),
        ("chunking: {version: '2.0', chunk_size: 5}", r"version 2.0 is built in and fixed"),
        (f"chunking: {{version: {'v' * 51}}}", r"chunking.version: String should have at most 50 characters"),
        ("sql_sources: [{name: Notes, query: select 1}]", r"sql_sources.0.name: String should match pattern"),
        ("sql_sources: [{name: a, query: delete from x}]", r"sql_sources.0.query: .* begins with select or with"),
        ("sql_sources: [{name: a, query: select * from llm.run}]", r"it names llm.run: .* are never read"),
        ("sql_sources: [{name: a, query: select * from x_legacy}]", r"it names x_legacy: .* are never read"),
        (
            "sql_sources: [{name: a, query: select 1}, {name: a, query: select 2}]",
            r"sql_sources: .* two queries are called a",
        ),
    ],
)
def test_a_fault_in_the_file_is_named(folder: Path, text: str, message: str) -> None:
    """Every fault says which file and which setting, and what is wrong."""
    (folder / "holocron.yaml").write_text(text)

    with pytest.raises(ConfigurationError, match=message):
        load_settings()


@pytest.mark.parametrize(
    ("text", "variables", "message"),
    [
        (
            "",
            {"HOLOCRON_GUARD__MAX_RETIRED_SHARE": "3"},
            "HOLOCRON_GUARD__MAX_RETIRED_SHARE: guard.max_retired_share: Input should be less than or equal to 1",
        ),
        (
            "guard: {max_retired_share: 2}",
            {"HOLOCRON_GUARD__MAX_RETIRED_SHARE": "3", "HOLOCRON_GUARD__ALWAYS_ALLOWED": "5"},
            "HOLOCRON_GUARD__MAX_RETIRED_SHARE: guard.max_retired_share",
        ),
        (
            "guard: {max_retired_share: 2}",
            {"HOLOCRON_GUARD__ALWAYS_ALLOWED": "-5"},
            "{file}: guard.max_retired_share: Input should be less than or equal to 1; HOLOCRON_GUARD__ALWAYS_ALLOWED: "
            "guard.always_allowed: Input should be greater than or equal to 0. See docs/configuration.md.",
        ),
        ("guard: {max_retired_share: 2}", {"HOLOCRON_GUARD": '{"always_allowed": 5}'}, "{file}: guard.max_retired"),
        ("", {"HOLOCRON_SQL_SOURCES": '[{"name": "a"}]'}, "HOLOCRON_SQL_SOURCES: sql_sources.0.query: Field required"),
        (
            "chunking: {chunk_size: 5}",
            {"HOLOCRON_CHUNKING__VERSION": "1.0"},
            "HOLOCRON_CHUNKING__VERSION and {file}: chunking: Value error, version 1.0 is built in",
        ),
    ],
)
def test_a_fault_is_blamed_on_who_set_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, variables: dict[str, str], message: str
) -> None:
    """The variables or the file that the value came from are named, and no others that are set."""
    (folder / "holocron.yaml").write_text(text)
    monkeypatch.setenv("HOLOCRON_WEBHOOK_URL", "https://hooks.example/secret")
    monkeypatch.setenv("HOLOCRON_DUCKDB__THREADS", "2")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError) as error:
        load_settings()

    assert str(error.value).startswith(message.replace("{file}", "holocron.yaml"))
    assert not any(name in str(error.value) for name in ("WEBHOOK", "THREADS"))


def optional_settings(model: type[BaseModel], *names: str) -> Iterator[tuple[str, ...]]:
    """The settings that may be null, each by the names that lead to it."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from optional_settings(annotation, *names, name)
        elif type(None) in get_args(annotation):
            yield (*names, name)


@pytest.mark.parametrize("names", list(optional_settings(Settings)), ids=".".join)
def test_null_in_the_environment_is_null(folder: Path, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting that may be null is so by a variable that says `null`, whatever the file says."""
    given = {"nightly": "0 4 * * *", "chunk_size": 500}.get(names[-1])
    (folder / "holocron.yaml").write_text(f"{names[0]}: {{{names[1]}: {given}}}" if given else "")
    monkeypatch.setenv("_".join(["HOLOCRON", "__".join(names).upper()]), "null")

    assert attrgetter(".".join(names))(load_settings()) is None


def test_the_folder_cannot_be_set_by_a_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths belong to the settings' folder, whatever the environment says."""
    monkeypatch.setenv("HOLOCRON_BASE_DIR", "/elsewhere")

    assert load_settings().base_dir == folder


def test_the_lake_is_where_the_environment_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `LAKE_ROOT` there is no lake; the file beats that variable, also by saying that there is none."""
    assert load_settings().lake.root is None

    monkeypatch.setenv("LAKE_ROOT", "elsewhere")
    assert load_settings().lake.root == "elsewhere"

    (folder / "holocron.yaml").write_text("lake: {root: null, max_bytes_per_run: 2MB}")
    assert (load_settings().lake.root, load_settings().lake.max_bytes_per_run) == (None, 2_000_000)

    monkeypatch.setenv("HOLOCRON_LAKE__ROOT", "ours")
    assert load_settings().lake.root == "ours"


@pytest.mark.parametrize("given", ["abc", "0", "-1", "nan", "inf"])
def test_a_timeout_of_another_program_is_blamed_by_its_name(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`OLLAMA_TIMEOUT_SECONDS` must be seconds."""
    monkeypatch.setenv("OLLAMA_TIMEOUT_SECONDS", given)
    with pytest.raises(ConfigurationError, match=f"OLLAMA_TIMEOUT_SECONDS is '{given}'"):
        load_settings()
