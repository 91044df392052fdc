"""What a page says of a report in words of its own. Pure."""

import shlex
from collections.abc import Mapping
from typing import Any

import orjson

from holocron_assets.drawing import readable
from holocron_assets.drift.figures import MISSING, number
from holocron_assets.drift.report import DriftReport, Floor, Kind, Metric, Subject, Verdict

#: In the order in which a reader asks them.
QUESTIONS = {
    Subject.CONTENT: "Did the content change?",
    Subject.MODEL: "Is it the same model?",
    Subject.SPACE: "Did the space change?",
    Subject.RETRIEVAL: "Did retrieval get worse?",
}
_OF_TWO_SPACES = "Do the two spaces agree?"
_VERDICTS = {
    Verdict.OK: "nothing to do",
    Verdict.WATCH: "look at it",
    Verdict.ALERT: "act",
}
#: Of two spaces nobody broke anything.
_VERDICTS_OF_SPACES = {
    Verdict.OK: "no difference that matters",
    Verdict.WATCH: "they differ",
    Verdict.ALERT: "they differ much",
}
_AMOUNTS = {
    "Documents": "documents",
    "Chunks": "chunks",
    "Documents sampled": "sampled_documents",
    "Chunks sampled": "sampled_chunks",
}
_AMOUNTS_OF_ANCHORS = {"Anchors": "documents", "Anchors compared": "sampled_documents"}
#: Words of names that are no words.
_ABBREVIATIONS = {
    word.lower(): word
    for word in ("AUC", "CKA", "JS", "KS", "MMD", "MRR", "nDCG", "PSI", "RBO", "RFF", "RSA", "ms", "p")
} | {"mmd2": "MMD²"}
_MOST_EXACT = 2_000


def headline(report: DriftReport) -> str:
    """What was compared, in one line."""
    space = readable(report.space, 80)
    if report.kind is Kind.SPACES:
        return f"{space} compared with {readable(report.other_space or 'another space', 80)}"
    return f"The content of {space}" if report.kind is Kind.CONTENT else f"The model of {space}"


def about(report: DriftReport) -> str:
    """What kind of comparison it is."""
    return {
        Kind.CONTENT: "The texts of one space, now and before; they were embedded by the same model.",
        Kind.MODEL: "The same texts, embedded again under the same name of a model.",
        Kind.SPACES: "The same texts in two embedding spaces.",
    }[report.kind]


def question(subject: Subject, kind: Kind) -> str:
    """What a judgement answers."""
    return _OF_TWO_SPACES if subject is Subject.SPACE and kind is Kind.SPACES else QUESTIONS[subject]


def verdict_word(verdict: Verdict, subject: Subject) -> str:
    """What a verdict comes to, in a word or two."""
    return (_VERDICTS_OF_SPACES if subject is Subject.SPACE else _VERDICTS)[verdict]


def amounts(kind: Kind) -> Mapping[str, str]:
    """What the sides of a report are counted in, in words and as fields of a side."""
    return _AMOUNTS_OF_ANCHORS if kind is Kind.MODEL else _AMOUNTS


def command(report: DriftReport) -> str:
    """What makes the report again, on a command line."""
    words = ["holocron", "drift", "compare", "--space", report.space]
    if report.kind is Kind.MODEL:
        return shlex.join([*words, "--model"])
    if report.kind is Kind.SPACES:
        words += ["--with", str(report.other_space)]
    options = {"--reference": "snapshot", "--since": "split", "--as-of": "as_of"}
    said = ((option, report.parameters.get(name)) for option, name in options.items())
    return shlex.join([*words, *(str(word) for pair in said if pair[1] is not None for word in pair)])


def label(name: str) -> str:
    """The name of a figure, as words."""
    first, *others = readable(name, 80).replace("_", " ").split() or ["unnamed"]
    begun = first if len(first) == 1 else first[0].upper() + first[1:]
    words = [_ABBREVIATIONS.get(first, begun), *(_ABBREVIATIONS.get(one, one) for one in others)]
    return " ".join(words)


def from_to(metric: Metric) -> str:
    """The figure on either side, where it is one of a side."""
    if metric.reference is None and metric.current is None:
        return MISSING
    return f"{number(metric.reference)} → {number(metric.current)}"


def floors(floor: Floor) -> str:
    """From where on a figure is worth a look, and from where on worth acting."""
    return f"{number(floor.watch)} / {number(floor.alert)}"


def missing_reason(metric: Metric) -> str:
    """Why a figure has no effect."""
    return metric.missing or ("it was not measured" if metric.effect is None else "what was measured is no number")


def exact(value: Any) -> str:
    """A value as it must be given again to get the same report; a mapping in the order of its keys."""
    if isinstance(value, str):
        return readable(value, _MOST_EXACT)
    text = orjson.dumps(_plain(value), default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    return readable(text.decode(), _MOST_EXACT)


def _plain(value: Any) -> Any:
    """A value whose texts are readable, however deep they are; JSON has no halves of surrogate pairs."""
    if isinstance(value, Mapping):
        return {readable(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return readable(value, _MOST_EXACT) if isinstance(value, str) else value
