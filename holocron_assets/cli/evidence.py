"""`holocron evidence`: what a search found, ready for a chat model."""

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import click
from click.core import ParameterSource

from holocron_assets.cli.output import counted, json_option, print_json, say, write_file
from holocron_assets.composition import command_store, searcher
from holocron_assets.evidence.bundle import EvidenceBundle, bundle_of
from holocron_assets.handing_over import hand_over
from holocron_assets.promotion import DEFAULT
from holocron_assets.retrieval.hits import SearchResult
from holocron_assets.retrieval.results import parse_result
from holocron_assets.search import Question
from holocron_assets.settings import load_settings


@click.command()
@click.argument("query", required=False)
@click.option(
    "--from", "source", type=click.File("rb"), help="What `holocron search --json` printed; - for standard input."
)
@click.option("--space", help="Embedding space, by any unmistakable part of its name.")
@click.option("--alias", default=DEFAULT, show_default=True, help="The space that was promoted to this name.")
@click.option("--top-k", "-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many hits.")
@click.option("--max-items", type=int, help="How many passages at most.")
@click.option("--max-total-bytes", type=int, help="How many bytes all of them may have.")
@click.option("--max-item-bytes", type=int, help="How many bytes each of them may have.")
@click.option("--redact/--no-redact", default=None, help="Take out what looks like personal data or a secret.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the bundle to this file.")
@click.option("--write", is_flag=True, help="Write it to the tables llm.evidence_bundle and llm.evidence_item.")
@click.option("--log/--no-log", default=None, help="Write the search to vector.retrieval; the settings say, if not.")
@click.option("--run-id", type=click.UUID, help="With --write: attach it to this run of llm.run.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    query: str | None,
    *,
    source: IO[bytes] | None,
    space: str | None,
    alias: str,
    top_k: int,
    redact: bool | None,
    out: Path | None,
    write: bool,
    log: bool | None,
    run_id: uuid.UUID | None,
    as_json: bool,
    **limits: int | None,
) -> None:
    """Bundle what a search for QUERY finds, or found, within limits, with ids and hashes (docs/evidence.md).

    Limits that are not said are those of the settings.
    """
    _require_sense(context, query, source, write=write, run_id=run_id)
    settings = load_settings()
    chosen: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    if redact is not None:
        chosen["enable_redaction"] = redact
    policy = replace(settings.evidence.policy(), **chosen)
    if source is not None:
        result = parse_result(source.read(), getattr(source, "name", "standard input"))
    else:
        result = searcher(settings).search(Question(query=str(query), top_k=top_k), space=space, alias=alias, log=log)
    bundle = bundle_of(result, policy)
    is_new = hand_over(command_store(settings), bundle, run_id) if write else None
    if out is not None:
        write_file(out, bundle.as_json())
    if as_json:
        print_json(json.loads(bundle.as_json()))
        return
    _show(bundle, result)
    if is_new is not None:
        say("Written to llm.evidence_bundle." if is_new else "llm.evidence_bundle had it already.")
    if out is not None:
        say(f"Written to {out}.")


def _require_sense(
    context: click.Context, query: str | None, source: IO[bytes] | None, *, write: bool, run_id: uuid.UUID | None
) -> None:
    if query is None and source is None:
        raise click.UsageError("of what? Say either QUERY or --from.")
    if query is not None and source is not None:
        raise click.UsageError("QUERY is what to search for, and --from is a search that was made: say one of them.")
    if query is not None and not query.strip():
        raise click.BadParameter("it is empty; ask for something", param_hint="QUERY")
    searching = ("space", "alias", "top_k", "log")
    if source and any(context.get_parameter_source(name) is not ParameterSource.DEFAULT for name in searching):
        raise click.UsageError(
            "--space, --alias, --top-k and --log are about a search, and --from is one that was made."
        )
    if run_id and not write:
        raise click.UsageError("--run-id attaches what --write writes; say --write too.")


def _show(bundle: EvidenceBundle, result: SearchResult) -> None:
    digits = 4 if result.ranked_by == "rrf" else 3
    for item in bundle.items:
        title = item.source_ref["title"] or item.source_ref["source_id"]
        rank, score = item.metadata["retrieval_rank"], item.metadata["retrieval_score"]
        redactions = len(item.metadata["redaction"]["redactions"])
        told = [f"{item.byte_count:,} bytes", *(["cut"] if item.full_ref else [])]
        told += [counted(redactions, "redaction", "redactions")] if redactions else []
        say(f"{rank}. {title}  {result.ranked_by} {score:.{digits}f}  {', '.join(told)}")
    summary = bundle.summary
    left_out = summary["bundle_bounding"]["items_dropped"]
    said = f"{counted(summary['item_count'], 'passage', 'passages')}, {summary['total_bytes']:,} bytes, about "
    said += f"{summary['approx_tokens']:,} tokens" + (f"; {left_out} left out by the limits." if left_out else ".")
    say(f"Bundle {bundle.bundle_id}: {said}", "bold")
    for note in result.notes:
        say(note, "yellow")
    if result.chunks_not_embedded:
        lacking = counted(result.chunks_not_embedded, "current chunk", "current chunks")
        say(f"{result.space} lacks {lacking}, not searched.", "yellow")
