"""The `embedded` provider: all-MiniLM-L6-v2 in fp32 on the CPU, with no server, no network and no torch.

Here a text becomes tokens, tokens a vector, and the whole an identity. Where the files are is in
`minilm_files`, the network in `minilm_graph`.
"""

import platform
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Literal

import numpy as np
import onnxruntime
import tokenizers
from numpy.typing import NDArray
from pydantic import Field, field_validator

from holocron_assets.errors import InputRejectedError
from holocron_assets.ports import EmbeddingProvider, Purpose
from holocron_assets.processors import usable_processors
from holocron_assets.records import SpaceIdentity
from holocron_assets.vectors import Vectors
from resources.providers.minilm_files import PACKAGE, TOKENIZER_SHA256, ModelFiles, find_model_files
from resources.providers.minilm_graph import DIMENSIONS, minilm_graph
from resources.providers.options import Options, require_model

MODEL = "all-minilm-l6-v2"


class MiniLMOptions(Options):
    """How a text is cut to what the model reads; two of its tokens are the model's own marks."""

    max_tokens: int = Field(default=512, ge=3, le=512)
    truncation: Literal["right"] = "right"
    tokenizer_sha256: str = TOKENIZER_SHA256

    @field_validator("tokenizer_sha256")
    @classmethod
    def _is_the_one_we_read(cls, value: str) -> str:
        if value != TOKENIZER_SHA256:
            raise ValueError(f"a space of tokenizer {value} cannot be continued: this version reads {TOKENIZER_SHA256}")
        return value


class MiniLM(EmbeddingProvider):
    """The vectors of sentence-transformers within float rounding, the same bytes in any batch, thread or process.

    `threads` is how many texts are embedded at once, by default one for each processor that this process
    may use. `package` is the installed package that holds the weights.
    """

    #: A few seconds of work on one core: little to lose in a crash, long beside the commit that follows.
    batch_size = 128
    batch_characters = 1_000_000
    #: Its threads share the texts of one call.
    concurrency = 1

    def __init__(
        self, model: str, options: Mapping[str, Any], *, threads: int | None = None, package: str = PACKAGE
    ) -> None:
        require_model("embedded", model, MODEL)
        self._options = MiniLMOptions.read("embedded", options)
        self._threads = threads or usable_processors()
        self._package = package

    def describe(self) -> SpaceIdentity:
        """Hashes the model's files on the first call; raises what `find_model_files` raises."""
        return SpaceIdentity(
            provider="embedded",
            model_name=MODEL,
            model_tag="fp32",
            model_digest=self._files.weights_sha256,
            dimensions=DIMENSIONS,
            normalize=True,
            distance_metric="cosine",
            preprocess_policy=self._options.model_dump(),
            is_plain=self._options == MiniLMOptions(),
            description="sentence-transformers/all-MiniLM-L6-v2 on the CPU",
        )

    def runtime(self) -> Mapping[str, str]:
        return {
            "engine": "onnxruntime",
            "onnxruntime": onnxruntime.__version__,
            "tokenizers": tokenizers.__version__,
            "machine": platform.machine(),
        }

    def embed(self, texts: Sequence[str], purpose: Purpose = Purpose.DOCUMENT) -> Vectors:
        """`purpose` makes no difference to this model. Rejects a text that is not valid Unicode."""
        encoder = self._encoder
        values = np.empty((len(texts), DIMENSIONS), np.float32)
        truncated = np.zeros(len(texts), np.int32)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="minilm") as pool:
            for row, (vector, lost) in enumerate(pool.map(encoder.encode, texts)):
                values[row] = vector
                truncated[row] = lost
        return Vectors(values=values, truncated_tokens=truncated)

    @cached_property
    def _files(self) -> ModelFiles:
        return find_model_files(self._package)

    @cached_property
    def _encoder(self) -> "_Encoder":
        return _Encoder(self._files, self._options.max_tokens)


class _Encoder:
    """The loaded model: one text in, one vector out; threads may share it."""

    def __init__(self, files: ModelFiles, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._tokenizer = tokenizers.Tokenizer.from_file(str(files.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        settings = onnxruntime.SessionOptions()
        # Threads share the texts; inside one text they would cost 1.4 times the processor time.
        settings.intra_op_num_threads = 1
        settings.inter_op_num_threads = 1
        # A memory plan is kept for each length of text that was ever seen: here, for hundreds.
        settings.enable_mem_pattern = False
        # The engine maps the weights from the file, so they are not held twice.
        settings.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(files.weights.parent)
        )
        self._session = onnxruntime.InferenceSession(
            minilm_graph(files.weights), settings, providers=["CPUExecutionProvider"]
        )

    def encode(self, text: str) -> tuple[NDArray[np.float32], int]:
        """The text's vector, and how many of its tokens did not fit."""
        try:
            tokens: list[int] = self._tokenizer.encode(text).ids
        except TypeError as error:  # what `tokenizers` says of half a surrogate pair
            raise InputRejectedError("the text is not valid Unicode: it holds half a surrogate pair") from error
        lost = max(0, len(tokens) - self._max_tokens)
        if lost:
            tokens = [*tokens[: self._max_tokens - 1], tokens[-1]]
        (vector,) = self._session.run(None, {"tokens": np.array(tokens, np.int64)})
        return vector, lost
