"""The rules of the house, executed. Layers of imports are held by import-linter (`pyproject.toml`)."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("holocron_assets", "resources")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
DAGSTER_ROOM = [path for path in SOURCES if "import dagster" in path.read_text(encoding="utf-8")]
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "manager", "managers", "misc"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_are_small(path: Path) -> None:
    """No module is longer than 300 lines: past that it is two things."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_says_what_belongs_there(path: Path) -> None:
    """Every module opens with a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_names_mean_something(path: Path) -> None:
    """No module is named after nothing in particular."""
    assert path.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_sql_lives_in_sql_files(path: Path) -> None:
    """No statement is written in Python."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]

    statement = re.compile(r"^\s*(select\s.+\sfrom|insert\s+into|update\s+\w+\.\w+|delete\s+from|merge\s+into)\s", re.S)
    assert not [text for text in strings if statement.match(text)]


@pytest.mark.parametrize("path", DAGSTER_ROOM, ids=name_of)
def test_dagster_can_read_signatures(path: Path) -> None:
    """Where Dagster reads annotations at run time, they are not strings and their names are imported."""
    text = path.read_text(encoding="utf-8")

    assert "from __future__ import annotations" not in text
    assert "TYPE_CHECKING" not in text


def test_only_one_module_sees_both_packages() -> None:
    """`composition` is the only module of `holocron_assets` that imports `resources`."""
    seeing = [
        name_of(path)
        for path in SOURCES
        if path.parts[-2] != "resources"
        and path.relative_to(ROOT).parts[0] == "holocron_assets"
        and re.search(r"^\s*(from|import) resources\b", path.read_text(encoding="utf-8"), re.M)
    ]

    assert seeing == ["holocron_assets/composition.py"]
