"""Which assets do the jobs of which type: a line in `ROUTES` for each type that can be done. Nothing is run here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from holocron_assets.errors import ConfigurationError, JobRefusedError
from holocron_assets.records import EmbeddingSpace, JobType
from holocron_assets.spaces import named_space
from holocron_assets.tables.dispatch import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What does the jobs of a type: `assets` where they name no space, `space_asset` where they name one.

    Without `assets` they must name a space, without `space_asset` it does not matter. `config` is what the run is
    configured with, `reads` what of a job's input matters.
    """

    assets: tuple[str, ...] = ()
    space_asset: str | None = None
    is_text: bool = False
    config: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    reads: tuple[str, ...] = ()


ROUTES: dict[str, Route] = {
    JobType.CHUNK_SOURCE: Route(assets=("extracted_texts", "chunks"), is_text=True, reads=("source_id",)),
    JobType.EMBED_CHUNKS: Route(assets=("embeddings",), space_asset="space_embeddings"),
    JobType.REEMBED_SPACE: Route(space_asset="space_embeddings", config={"reembed": True}, reads=("source", "replace")),
    JobType.RETRIEVE_TEST: Route(space_asset="retrieval_evaluation"),
    JobType.DRIFT_TEST: Route(assets=("space_comparison",), space_asset="drift_reports"),
}
#: Every asset that some job asks for.
ROUTED_ASSETS = sorted({name for one in ROUTES.values() for name in (*one.assets, one.space_asset) if name})
_TRUTHS = {None: False, "false": False, "true": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one run does: these assets, of this partition, with this configuration."""

    assets: tuple[str, ...]
    partition: str | None = None
    config: tuple[tuple[str, bool | str], ...] = ()
    is_text: bool = False


def route_of(job_type: str) -> Route:
    """Raises `JobRefusedError` for a type that nothing does."""
    if job_type not in ROUTES:
        raise JobRefusedError(f"no asset does {job_type} jobs in this version; it does {', '.join(ROUTES)}")
    return ROUTES[job_type]


def work_of(kind: Kind, known: Sequence[EmbeddingSpace]) -> Work:
    """What does jobs of this kind, the spaces being these; raises `JobRefusedError` where nothing can."""
    route = route_of(kind.job_type)
    if not kind.is_object:
        raise JobRefusedError('its input_json is no JSON object; {} is one, and {"dedupe_key": "..."}')
    _require_read(kind, route)
    config: dict[str, bool | str] = dict(route.config)
    if "replace" in route.reads:
        if kind.replaces not in _TRUTHS:
            raise JobRefusedError(f"`replace` of its input is {str(kind.replaces)[:100]}, and must be true or false")
        config |= {"replace": _TRUTHS[kind.replaces], "source_prefix": kind.source_prefix or ""}
    space = _space_of(kind, known) if route.space_asset else None
    if space is None and not route.assets:
        raise JobRefusedError(f"a {kind.job_type} job names a space: embedding_space_id, or `space` in its input")
    if space is not None and space.transform_ref is not None and config.get("reembed"):
        raise JobRefusedError(f"space {space.slug} is derived: no model makes its vectors, and none can make them anew")
    assets = (route.space_asset,) if space is not None and route.space_asset else route.assets
    return Work(
        assets=assets,
        partition=None if space is None else space.slug,
        config=tuple(config.items()),
        is_text=route.is_text,
    )


def _require_read(kind: Kind, route: Route) -> None:
    """Who names something to work on must not be told of a success that had nothing to do with it."""
    said = {
        "source_id": kind.names_source,
        "source": kind.source_prefix is not None,
        "replace": _TRUTHS.get(kind.replaces, True),
    }
    for name, is_said in said.items():
        if is_said and name not in route.reads:
            reads = " and ".join(f"`{one}`" for one in route.reads) or "none of these"
            raise JobRefusedError(f"its input says `{name}`, and {kind.job_type} reads {reads}: leave it out")


def _space_of(kind: Kind, known: Sequence[EmbeddingSpace]) -> EmbeddingSpace | None:
    named = [str(name) for name in (kind.embedding_space_id, kind.space) if name is not None]
    try:
        found = [named_space(known, name) for name in named]
    except ConfigurationError as error:
        raise JobRefusedError(str(error)) from error
    if not found:
        return None
    space = found[0]
    if space not in found[1:] and len(found) > 1:
        raise JobRefusedError(f"its embedding_space_id is that of {space.slug}, and its `space` is {found[1].slug}")
    if not space.is_active:
        raise JobRefusedError(f"space {space.slug} is not active: `holocron spaces activate {space.slug}` first")
    return space
