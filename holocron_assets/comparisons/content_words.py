"""Content drift in words and pictures."""

from collections.abc import Mapping, Sequence

from holocron_assets.comparisons.content_figures import OF_VECTORS, beyond, promise
from holocron_assets.drift import pictures
from holocron_assets.drift.content.measuring import ContentDrift
from holocron_assets.drift.content.topics import Cluster
from holocron_assets.drift.report import Judgement, Metric, Picture, Subject, Verdict, gravest

_PICTURES = {
    "norm": ("Length of vectors", "length"),
    "similarity_to_centre": ("Cosine to the common centre", "cosine"),
    "squared_distance_to_centroid": ("Squared distance to the nearest topic", "squared distance"),
}
#: A document with so much of a window is most of what a figure sees, and no permutation can tell it from chance.
_GIANT = 0.3


def judgement(metrics: Sequence[Metric], measured: ContentDrift, titles: Mapping[int, str]) -> Judgement:
    """What the figures mean together; `titles` are those of rows that clusters are shown by."""
    giant = measured.current.largest_document_share
    said = f" One document has {giant:.0%} of the current chunks." if giant >= _GIANT else ""
    verdict = gravest([one.verdict for one in metrics if one.verdict])
    grave = [one for one in metrics if one.verdict is verdict]
    if verdict is Verdict.OK:
        return Judgement(
            subject=Subject.CONTENT,
            verdict=verdict,
            why="The texts that came are like those that were there, as far as a report of this size can tell: "
            f"{promise(metrics)}.{said}",
            next_step="Nothing needs to be done.",
        )
    is_about_meaning = any(one.name in OF_VECTORS for one in grave)
    about = _about(measured.grown, titles) if is_about_meaning else ""
    names = ", ".join(one.name.replace("_", " ") for one in grave)
    look = f"Look at {'the topics that grew' if is_about_meaning else 'where these texts come from'}"
    return Judgement(
        subject=Subject.CONTENT,
        verdict=verdict,
        why=f"The texts that came differ from those that were there, by {names}: more than chance explains, and "
        f"{beyond(grave)}.{f' What grew most is {about}.' if about else ''}{said}",
        next_step=f"{look}. Evaluate with queries about them: `holocron evaluate`. If this is how it is from now on, "
        "take a snapshot as the new reference: `holocron drift snapshot NAME`."
        if verdict is Verdict.ALERT
        else f"{look}, and at the next report.",
    )


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
    for one in measured.histograms:
        title, unit = _PICTURES[one.name]
        shown.append(
            pictures.histograms(title, "All chunks of both windows.", one.edges, one.reference, one.current, unit=unit)
        )
    return shown
