"""The network of all-MiniLM-L6-v2, written out in ONNX's text form. No file is found and no text is cut here.

BERT (Devlin et al. 2019, arXiv:1810.04805) with six layers, then the mean of its last states, scaled to
unit length (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2). The graph takes one text
and so knows neither padding nor masks: a vector cannot depend on its batch.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import onnx.parser

DIMENSIONS = 384
_LAYERS = 6

# The grammar: https://onnx.ai/onnx/repo-docs/Syntax.html. Operator set 23 is the first that has Attention.
_MODEL = """
<ir_version: 10, opset_import: ["": 23, "bert": 1]>
minilm (int64[T] tokens) => (float[384] vector)
<int64[1] zero = {{0}}, int64 only_segment = {{0}}, {weights}>
{{
    words = Gather ("embeddings.word_embeddings.weight", tokens)
    length = Shape (tokens)
    positions = Slice ("embeddings.position_embeddings.weight", zero, length)
    segment = Gather ("embeddings.token_type_embeddings.weight", only_segment)
    placed = Add (words, positions)
    summed = Add (placed, segment)
    x0 = LayerNormalization <epsilon = 1e-12> (summed, "embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias")
    {layers}
    mean = ReduceMean <keepdims = 0> (x{last}, zero)
    norm = ReduceL2 <keepdims = 0> (mean, zero)
    vector = Div (mean, norm)
}}

<domain: "bert", opset_import: ["": 23]>
Layer (x, zero, wq, bq, wk, bk, wv, bv, wo, bo, scale1, shift1, wi, bi, wf, bf, scale2, shift2) => (y)
{{
    q = Gemm <transB = 1> (x, wq, bq)
    k = Gemm <transB = 1> (x, wk, bk)
    v = Gemm <transB = 1> (x, wv, bv)
    q_batch = Unsqueeze (q, zero)
    k_batch = Unsqueeze (k, zero)
    v_batch = Unsqueeze (v, zero)
    heads_batch = Attention <q_num_heads = 12, kv_num_heads = 12> (q_batch, k_batch, v_batch)
    heads = Squeeze (heads_batch, zero)
    attended = Gemm <transB = 1> (heads, wo, bo)
    attended_skip = Add (attended, x)
    h = LayerNormalization <epsilon = 1e-12> (attended_skip, scale1, shift1)
    inner = Gemm <transB = 1> (h, wi, bi)
    active = Gelu (inner)
    outer = Gemm <transB = 1> (active, wf, bf)
    outer_skip = Add (outer, h)
    y = LayerNormalization <epsilon = 1e-12> (outer_skip, scale2, shift2)
}}
"""

#: The tensors of one layer, each a weight and a bias, in the order in which `Layer` takes them.
_LAYER_TENSORS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)


def minilm_graph(weights: Path) -> bytes:
    """The serialised model: token ids, int64 of shape (T,), to a unit vector, float32 of shape (384,).

    The weights stay in `weights`, the model's safetensors file. The graph names the file and each
    tensor's place in it; whoever runs it says in which folder the file is.
    """
    text = _MODEL.format(
        weights=", ".join(_declarations(weights)),
        layers="\n    ".join(_layer(number) for number in range(_LAYERS)),
        last=_LAYERS,
    )
    model: bytes = onnx.parser.parse_model(text).SerializeToString()
    return model


def _layer(number: int) -> str:
    tensors = [f'"encoder.layer.{number}.{name}.{part}"' for name in _LAYER_TENSORS for part in ("weight", "bias")]
    return f"x{number + 1} = bert.Layer (x{number}, zero, {', '.join(tensors)})"


def _declarations(weights: Path) -> Iterator[str]:
    """How the text form declares the tensors that the graph uses.

    A safetensors file opens with its header's length and a JSON header of names, shapes and places
    (https://github.com/huggingface/safetensors#format).
    """
    with weights.open("rb") as file:
        (header_length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_length))
    for name, tensor in header.items():
        if name.startswith(("embeddings.", "encoder.")) and tensor["dtype"] == "F32":
            start, end = tensor["data_offsets"]
            place = f'"location": "{weights.name}", "offset": "{8 + header_length + start}", "length": "{end - start}"'
            yield f'float{tensor["shape"]} "{name}" = [{place}]'
