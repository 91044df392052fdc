"""The docs name everything that there is, lead only to what exists, and their examples work."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import dagster as dg
import pytest
import yaml
from pydantic import BaseModel

from holocron_assets.assets.chunks import ChunksConfig
from holocron_assets.assets.space_embeddings import SpaceEmbeddingsConfig
from holocron_assets.cli import COMMANDS, main
from holocron_assets.definitions import ASSETS, CHECKS
from holocron_assets.extraction import EXTRACTORS
from holocron_assets.model_servers import OllamaSettings, OpenAISettings
from holocron_assets.sections import SpaceDeclaration, SqlSource
from holocron_assets.settings import Settings
from resources.providers import PROVIDERS, open_provider
from resources.queries import load_migrations
from resources.stores.base import SqlStore
from tests.cli.test_commands import filled, folder
from tests.contract.test_provider import MODELS
from tests.existing_tables import DEFINITIONS
from tests.ollama_double import OllamaDouble
from tests.openai_double import OpenAIDouble
from tests.world import World

__all__ = ["filled", "folder"]

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("CHANGELOG.md"), *ROOT.glob("docs/**/*.md")])
SOURCES = [path for folder in ("holocron_assets", "resources", "sql") for path in sorted((ROOT / folder).rglob("*.*"))]
RUN_OPTIONS = {"chunks": ChunksConfig, "space_embeddings": SpaceEmbeddingsConfig}
CHECK_SPECS = [spec for definition in [*ASSETS, *CHECKS] for spec in definition.check_specs]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, about: str) -> str:
    """The text below the one heading that names `about`, up to the next heading of its level or above."""
    (heading,) = re.finditer(rf"^(##+) (?:.* )?`{about}`.*\n", read(page), flags=re.M)
    below = read(page)[heading.end() :]
    return re.split(rf"^#{{2,{len(heading[1])}}} ", below, maxsplit=1, flags=re.M)[0]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), flags=re.M | re.S)


def setting_rows(model: type[BaseModel] = Settings, inside: str = "") -> Iterator[str]:
    """How the row of every setting begins: its dotted name and its environment variable."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_rows(field.annotation, f"{name}.")
        elif name != "base_dir":
            variable = f"{inside}{name}".replace(".", "__").upper()
            yield f"| `{inside}{name}` | `HOLOCRON_{variable}` | "


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("asset", [asset.key.to_user_string() for asset in ASSETS])
def test_every_asset_is_described(asset: str) -> None:
    """Every asset has a section, of its own or shared with another."""
    assert len(section("docs/assets.md", asset)) > 200


@pytest.mark.parametrize("spec", CHECK_SPECS, ids=lambda spec: f"{spec.asset_key.to_user_string()}-{spec.name}")
def test_every_check_is_described(spec: dg.AssetCheckSpec) -> None:
    """Every check has a row in the section of its asset, which says whether it blocks."""
    row = f"| `{spec.name}` | {'blocks' if spec.blocking else 'warns'} | "

    assert row in section("docs/assets.md", spec.asset_key.to_user_string())


@pytest.mark.parametrize("extractor", [extractor.name for extractor in EXTRACTORS])
def test_every_extractor_is_named(extractor: str) -> None:
    """Every extractor has a row in the section on texts."""
    assert f"| `{extractor}` | " in section("docs/assets.md", "extracted_texts")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described(name: str) -> None:
    """Every command has a section with an example, and every option and argument is named there or in common."""
    text = section("docs/commands.md", f"holocron {name}")
    common = read("docs/commands.md").partition("\n## ")[0]
    command = main.get_command(click.Context(main), name)

    assert command is not None
    assert f"$ holocron {name}" in text
    for parameter in command.params:
        names = parameter.opts if isinstance(parameter, click.Option) else [str(parameter.name).upper()]
        assert [one for one in names if f"`{one}`" not in text + common] == []


@pytest.mark.parametrize(
    "row",
    [
        *setting_rows(),
        *(f"| `spaces[].{name}` | " for name in SpaceDeclaration.model_fields),
        *(f"| `sql_sources[].{name}` | " for name in SqlSource.model_fields),
    ],
)
def test_every_setting_is_described(row: str) -> None:
    """Every setting has a row with its dotted name and its environment variable."""
    assert row in read("docs/configuration.md")


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_is_described(name: str, tmp_path: Path) -> None:
    """Every provider has a section that names its model, with a row for each of its options."""
    text = section("docs/configuration.md", name)

    assert f"`{MODELS[name]}`" in text
    with OllamaDouble() as ollama, OpenAIDouble() as openai:
        settings = Settings(
            base_dir=tmp_path,
            ollama=OllamaSettings(base_url=ollama.url),
            openai=OpenAISettings(base_url=openai.base_url),
        )
        policy = open_provider(name, MODELS[name], {}, settings).describe().preprocess_policy
    for option in policy:
        assert f"| `{option}` | " in text


def test_examples_of_settings_are_accepted(tmp_path: Path) -> None:
    """Every YAML example is a settings file, or the configuration of a run."""
    for example in map(yaml.safe_load, blocks("docs/configuration.md", "yaml")):
        if "ops" in example:
            ((name, given),) = example["ops"].items()
            assert RUN_OPTIONS[name](**given["config"]).model_dump(exclude_defaults=True) == given["config"]
        else:
            assert Settings(base_dir=tmp_path, **example)


def test_examples_of_sql_run(store: SqlStore) -> None:
    """Every statement that the how-tos show runs on the schema as it is."""
    statements = [*blocks("docs/operations.md", "sql"), *blocks("docs/drift.md", "sql")]

    assert len(statements) > 8
    for statement in statements:
        with store.session() as session:
            session.run_script(statement)


@pytest.mark.parametrize("backend", ["translated", "sqlserver"])
def test_examples_of_tsql_run(store: SqlStore) -> None:
    """So does every statement for SQL Server, where there is one, and translated."""
    statements = blocks("docs/sql-server.md", "tsql")

    assert len(statements) > 4
    for statement in statements:
        with store.session() as session:
            session.run_script(statement)


def test_what_is_added_to_an_existing_database_is_named() -> None:
    """Every table that the migrations for SQL Server make, beside those of the contract, and every column they add."""
    script = "\n".join(migration.text for migration in load_migrations("tsql"))
    page = (ROOT / "docs/sql-server.md").read_text(encoding="utf-8")
    theirs = re.findall(r"create table (\w+\.\w+)", DEFINITIONS)
    made = set(re.findall(r"create table (\w+\.\w+)", script)) - set(theirs)
    added = re.findall(r"alter table (\w+\.\w+) add (\w+)", script)

    assert len(made) > 15
    assert [table for table in sorted(made) if f"`{table.partition('.')[2]}`" not in page] == []
    assert len(added) > 10
    for table, column in added:
        assert table in theirs
        assert re.search(rf"`{table}`\s+\([^)]*`{column}`", page), f"{table}.{column}"


@pytest.mark.parametrize("page", ["docs/search.md", "docs/evidence.md"])
def test_examples_of_python_run(page: str, filled: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Every one as it stands, in the folder of a store that is filled, and it shows something of what it found."""
    examples = blocks(page, "python")

    assert examples
    for example in examples:
        exec(compile(example, page, "exec"), {})
        assert "Tides" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Every relative link leads to a file of the project, and its anchor to a heading there."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert target.is_relative_to(ROOT), link
            assert not anchor or anchor in anchors(target), link


def test_every_page_that_the_code_names_exists() -> None:
    """Wherever code or SQL sends a reader to the docs, there is a page."""
    texts = [path.read_text(encoding="utf-8") for path in SOURCES if path.suffix in (".py", ".sql")]
    named = {name for text in texts for name in re.findall(r"\bdocs/[\w/-]+\.md", text)}

    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
