"""Content drift in words and pictures."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from holocron_assets.comparisons.content_figures import (
    OF_VECTORS,
    beyond,
    largest_shares,
    named,
    promise,
    within_calibrated,
)
from holocron_assets.drawing import readable
from holocron_assets.drift import pictures
from holocron_assets.drift.content.findings import ContentDrift
from holocron_assets.drift.content.topics import Cluster
from holocron_assets.drift.figures import number, share
from holocron_assets.drift.report import Judgement, Metric, Picture, Subject, Verdict, gravest

_PICTURES = {
    "norm": ("Length of vectors", "length"),
    "similarity_to_centre": ("Cosine to the common centre", "cosine"),
    "distance_to_reference": (
        "Distance to the nearest text of the reference",
        "squared distance, 1 is that of any two",
    ),
}
_OF_ALL, _OF_SOME = "All chunks of both windows.", "A sample of chunks; of the reference to its other documents."
_MIXES = {"language": "Languages", "origin": "Sources"}
#: A document with so much of a window is most of what a figure sees, and no permutation can tell it from chance.
_GIANT = 0.3
_NAME_CHARACTERS = 60
_TOO_SHORT = "The reference is too short to tell what is ordinary from one time to another."


def judgement(metrics: Sequence[Metric], measured: ContentDrift, titles: Mapping[int, str]) -> Judgement:
    """What the figures mean together; `titles` are those of rows that clusters are shown by."""
    giant = measured.current.largest_document_share
    said = f" One document has {share(giant)} of the current chunks." if giant >= _GIANT else ""
    verdict = gravest([one.verdict for one in metrics if one.verdict])
    grave = [one for one in metrics if one.verdict is verdict]
    if verdict is Verdict.OK:
        return Judgement(
            subject=Subject.CONTENT,
            verdict=verdict,
            why=f"{_ordinary(metrics)}: {promise(metrics)}.{said}",
            next_step="Nothing needs to be done.",
        )
    is_about_meaning = any(one.name in OF_VECTORS for one in grave)
    about = _about(measured.grown, titles) if is_about_meaning else ""
    names = _names(grave)
    moves = [move for one in grave if (move := _move(one))]
    told = "".join(f" {move.says[:1].upper()}{move.says[1:]}." for move in moves)
    looks = [*(["the topics that grew"] if is_about_meaning else []), *(move.look for move in moves if move.look)]
    look = f"Look at {', and at '.join(dict.fromkeys(looks))}"
    unknown = "" if measured.method.time_slices else f" {_TOO_SHORT}"
    return Judgement(
        subject=Subject.CONTENT,
        verdict=verdict,
        why=f"The texts that came differ from those that were there, by {names}: more than chance explains, and "
        f"{beyond(grave)}.{told}{f' What grew most is {about}.' if about else ''}{said}{unknown}",
        next_step=f"{look}. Evaluate with queries about them: `holocron evaluate`. If this is how it is from now on, "
        "take a snapshot as the new reference: `holocron drift snapshot NAME`."
        if verdict is Verdict.ALERT
        else f"{look}; and at the next report.",
    )


def _ordinary(metrics: Sequence[Metric]) -> str:
    """Why nothing is worth a look; it may be that the reference itself differs as much."""
    within = within_calibrated(metrics)
    if not within:
        return "The texts that came are like those that were there, as far as a report of this size can tell"
    return (
        f"The texts that came differ from those that were there (by {_names(within)}), but by no more than the "
        "reference's own parts differ from each other. As far as a report can tell beside those"
    )


def _names(figures: Sequence[Metric]) -> str:
    return ", ".join(one.name.replace("_", " ") for one in figures)


class _Move(NamedTuple):
    """Which way a figure went, in words, and what to look at for it."""

    says: str
    look: str = ""


def _move(one: Metric) -> _Move | None:
    """None of a figure that has no direction."""
    if one.name in _MIXES:
        return _grown(one)
    if one.reference is None or one.current is None:
        return None
    is_more = one.current > one.reference
    went, longer = f"{number(one.reference)} → {number(one.current)}", "longer" if is_more else "shorter"
    move = None
    match one.name:
        case "novelty":
            move = _Move(f"texts are farther from the nearest that was there ({went})")
        case "log_length":
            change = share(math.expm1(one.current - one.reference), signed=True)
            move = _Move(f"chunks are {longer} ({change} on average)", f"some of the {longer} chunks")
        case "duplicates":
            went = f"{share(one.reference)} → {share(one.current)}"
            look = "texts that repeat" if is_more else "what became of texts that repeated"
            move = _Move(f"{'more' if is_more else 'fewer'} chunks have the text of another ({went})", look)
        case "norm":
            move = _Move(f"vectors are {longer} ({went})", "what the model is given and answers")
    return move


def _grown(mix: Metric) -> _Move:
    most = mix.details["grew_most"]
    name = readable(most["name"], _NAME_CHARACTERS)
    went = f"{share(most['reference'])} → {share(most['current'])}"
    return _Move(f"the {mix.name} that grew most is {name} ({went})", f"texts whose {mix.name} is {name}")


def _about(grown: Sequence[Cluster], titles: Mapping[int, str]) -> str:
    """The cluster that grew most, by its examples."""
    if not grown:
        return ""
    return ", ".join(dict.fromkeys(f"“{titles[row]}”" for row in grown[0].exemplars if row in titles))


def told(measured: ContentDrift, titles: Mapping[int, str]) -> list[dict[str, object]]:
    """The clusters that grew and shrank, for the parameters of a report."""
    return [
        {
            "cluster": one.number,
            "reference_share": one.reference_share,
            "current_share": one.current_share,
            "examples": [titles[row] for row in one.exemplars if row in titles],
        }
        for one in (*measured.grown, *measured.shrunk)
    ]


def pictures_of(measured: ContentDrift, titles: Mapping[int, str]) -> list[Picture]:
    """Topics, both windows in a plane, and how lengths and distances are spread."""
    shown = [
        pictures.occupancy(
            "Topics that grew and shrank",
            "The share of each window's chunks in a cluster of similar chunks, which is named by typical ones.",
            [
                pictures.Cluster(
                    examples=[titles[row] for row in one.exemplars if row in titles] or [f"cluster {one.number}"],
                    reference=one.reference_share,
                    current=one.current_share,
                )
                for one in (*measured.grown, *measured.shrunk)
            ],
        ),
        pictures.projection(
            "Both windows from above",
            "A sample of chunks in the two directions in which both windows together vary most.",
            measured.projection.reference,
            measured.projection.current,
            explained=measured.projection.explained,
        ),
    ]
    for name in named(measured):
        mix = [
            pictures.Cluster(examples=[one["name"]], reference=one["reference"], current=one["current"])
            for one in largest_shares(measured, name)
        ]
        title = _MIXES.get(name, name.capitalize())
        shown.append(pictures.occupancy(title, "The largest shares of each window's chunks.", mix))
    for one in measured.histograms:
        title, unit = _PICTURES[one.name]
        says = _OF_SOME if one.name == "distance_to_reference" else _OF_ALL
        shown.append(pictures.histograms(title, says, one.edges, one.reference, one.current, unit=unit))
    return shown
