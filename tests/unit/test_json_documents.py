"""JSON that programs read."""

import json
from dataclasses import dataclass

from holocron_assets.json_documents import json_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something measured."""

    name: str
    value: float


def test_what_is_no_finite_number_is_null() -> None:
    """JSON has no NaN, and readers of it refuse a document that has one; everything else stays as it is."""
    figures = [Figure(name="è", value=0.5), Figure(name="b", value=float("nan")), Figure(name="c", value=-float("inf"))]

    read = json.loads(json_text(figures), parse_constant=lambda name: "no JSON")

    assert [one["value"] for one in read] == [0.5, None, None]
    assert json_text(figures[:1]) == '[\n  {\n    "name": "è",\n    "value": 0.5\n  }\n]'
