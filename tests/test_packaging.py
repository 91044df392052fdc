"""The wheel: it carries the SQL and the sample, and nobody else's `resources` stands in for ours."""

import importlib.metadata
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import holocron_assets
import resources

ROOT = Path(__file__).parents[1]


def test_resources_is_ours() -> None:
    """The top-level package `resources` is the one beside `holocron_assets`, and no other distribution has it."""
    owners = importlib.metadata.packages_distributions().get("resources", [])

    assert set(owners) <= {"holocron-assets"}, f"{owners} install a package `resources` over ours: remove them"
    assert Path(resources.__file__).parents[1] == Path(holocron_assets.__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built with what is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_carries_what_is_needed(wheel: Path) -> None:
    """The wheel has SQL, sample, the files of pages and the command line's default, and no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())

    for file in (ROOT / "sql").rglob("*.sql"):
        assert f"resources/{file.relative_to(ROOT).as_posix()}" in names
    for folder in ("templates", "static"):
        for file in (ROOT / "holocron_assets" / "web" / folder).iterdir():
            assert file.relative_to(ROOT).as_posix() in names
    assert {f"holocron_assets/drift/page/page.{kind}" for kind in ("html", "css")} <= names
    assert "holocron_assets/sample/records.ndjson.gz" in names
    assert "holocron_assets/sample/judged/qrels.tsv" in names
    assert "holocron_assets_cli_defaults.pth" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "sample/"))]


@pytest.mark.slow
def test_the_wheel_works_installed(wheel: Path, tmp_path: Path) -> None:
    """Installed without the checkout, the wheel runs the literal command on the sample from any folder."""
    venv.create(tmp_path / "env")
    binaries = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    site = next(path for path in sys.path if path.endswith("site-packages"))
    install = [sys.executable, "-m", "pip", "--python", binaries / "python", "install", "-q", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    # Everything but the project comes from the environment that runs the tests.
    (next((tmp_path / "env").rglob("site-packages")) / "others.pth").write_text(site)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "holocron.yaml").write_text(
        "spaces: [{provider: hashing, model: ngram}]\nextraction: {workers: 1}\n"
    )
    command = [binaries / "python", "-m", "dagster", "asset", "materialize", "--select", "+key:embeddings"]

    done = subprocess.run(command, cwd=tmp_path / "work", capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-3000:]
    found = subprocess.run(
        [binaries / "holocron", "search", "tide clock", "--json"],
        cwd=tmp_path / "work",
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"hits": [' in found.stdout
