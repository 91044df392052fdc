"""`holocron search`: the best chunks for a query."""

from pathlib import Path
from typing import Any

import click
from rich.padding import Padding
from rich.text import Text

from holocron_assets.cli.output import (
    counted,
    json_option,
    print_json,
    printable,
    progress_bar,
    say,
    show,
    write_file,
)
from holocron_assets.composition import searcher
from holocron_assets.json_documents import json_text
from holocron_assets.promotion import DEFAULT
from holocron_assets.retrieval.filters import Filters
from holocron_assets.retrieval.hits import Fusion, Hit, Method, Mode, SearchResult
from holocron_assets.retrieval.snippets import snippet
from holocron_assets.retrieval.words import Analyzer
from holocron_assets.search import Question
from holocron_assets.settings import load_settings

_SHOWN_CHARACTERS = 320
_LINE_CHARACTERS = 76
_NAMES = {"cosine_similarity": "cosine"}
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])


@click.command()
@click.argument("query")
@click.option("--space", help="Embedding space, by any unmistakable part of its name.")
@click.option("--alias", default=DEFAULT, show_default=True, help="The space that was promoted to this name.")
@click.option("--top-k", "-k", default=5, show_default=True, type=click.IntRange(1, 1000), help="How many hits.")
@click.option("--mode", type=click.Choice([str(one) for one in Mode]), help="What to compare by.")
@click.option("--fusion", type=click.Choice([str(one) for one in Fusion]), help="How to fuse.")
@click.option("--vector-weight", type=click.FloatRange(0, 1), help="The share of vectors in a fusion.")
@click.option("--min-score", type=float, help="Leave out hits below this, by the score that the mode ranks by.")
@click.option("--source-system", multiple=True, help="Only sources of this system; repeat for more.")
@click.option("--source-name", multiple=True, help="Only sources of this name, such as a wiki.")
@click.option("--resource-type", multiple=True, help="Only sources of this resource type.")
@click.option("--source-type", multiple=True, help="Only sources of this type, such as mediawiki_page.")
@click.option("--page-type", multiple=True, help="Only pages of this primary type, where pages are classified.")
@click.option("--tag", multiple=True, help="Only sources with this tag, such as a category.")
@click.option("--title", help="Only sources whose title holds this.")
@click.option("--since", type=_TIME, help="Only what was fetched at or after this time (UTC).")
@click.option("--until", type=_TIME, help="Only what was fetched before this time (UTC).")
@click.option("--source", "source_id", multiple=True, help="Only the source with this id.")
@click.option("--chunk", "chunk_id", multiple=True, help="Only the chunk with this id.")
@click.option("--explain", is_flag=True, help="Show every score of each hit.")
@click.option("--export", type=click.Path(dir_okay=False, path_type=Path), help="Write the result there, as JSON.")
@click.option("--log/--no-log", default=None, help="Write the search to vector.retrieval; the settings say, if not.")
@click.option("--full", is_flag=True, help="Show the whole text of each hit.")
@json_option
def command(
    query: str,
    *,
    space: str | None,
    alias: str,
    top_k: int,
    mode: str | None,
    fusion: str | None,
    vector_weight: float | None,
    min_score: float | None,
    explain: bool,
    export: Path | None,
    log: bool | None,
    full: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Find the chunks that answer QUERY best in one embedding space: by meaning, by words, or by both.

    Only what is current is searched: nothing retired, nothing stale.
    """
    settings = load_settings()
    question = Question(
        query=query,
        method=Method.asked(Mode(mode) if mode else None, Fusion(fusion) if fusion else None, vector_weight),
        top_k=top_k,
        filters=Filters(**filters),
        min_score=min_score,
    )
    with progress_bar("chunks indexed", quiet=as_json) as progress:
        result = searcher(settings).search(question, space=space, alias=alias, log=log, progress=progress)
    if export is not None:
        write_file(export, json_text(result))
    if as_json:
        print_json(result)
    else:
        _show(result, Analyzer(settings.search.language), explain=explain, full=full)


def _show(result: SearchResult, analyzer: Analyzer, *, explain: bool, full: bool) -> None:
    terms = set(analyzer.query_terms(result.query))
    for hit in result.hits:
        say(f"{hit.rank}. {hit.title or hit.source_id}  {_scores(hit, result.ranked_by, every=explain)}", "bold")
        say(f"   {hit.url or hit.source_id}  chunk {hit.chunk_id[:12]}", "dim")
        found = snippet(hit.text, terms, analyzer.words, len(hit.text) if full else _SHOWN_CHARACTERS)
        text = Text(printable(found.text if full else found.text.replace("\n", " ")))
        for start, end in found.spans:
            text.stylize("bold underline", start, end)
        text = Text("…" if found.is_cut_before else "") + text + ("…" if found.is_cut_after else "")
        show(Padding(text, (0, 0, 1, 3), expand=False), width=_LINE_CHARACTERS)
    if not result.hits:
        say(f"Nothing in {result.space} answers that.")
    for note in result.notes:
        say(note, "yellow")
    if result.chunks_not_embedded:
        lacking = counted(result.chunks_not_embedded, "current chunk", "current chunks")
        say(f"{result.space} lacks {lacking}, not searched.", "yellow")


def _scores(hit: Hit, ranked_by: str, *, every: bool) -> str:
    names = [ranked_by, *(name for name in ("cosine_similarity", "bm25", "rrf", "weighted", "rerank") if every)]
    return "  ".join(
        f"{_NAMES.get(name, name)} {getattr(hit.scores, name):.{4 if name == 'rrf' else 3}f}"
        for name in dict.fromkeys(names)
        if getattr(hit.scores, name) is not None
    )
