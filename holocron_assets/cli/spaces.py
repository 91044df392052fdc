"""`holocron spaces`: the registry of embedding spaces."""

import sys
from dataclasses import asdict
from typing import Any

import click
import yaml

from holocron_assets import promotion, registry
from holocron_assets.cli import FAILED, derive, reembed
from holocron_assets.cli.output import dry_run_option, json_option, print_json, rows_table, say, show
from holocron_assets.composition import command_store, installed_providers
from holocron_assets.preflight import prepare
from holocron_assets.promotion import DEFAULT, Switch
from holocron_assets.records import EmbeddingSpace
from holocron_assets.settings import load_settings
from holocron_assets.stages.canary import CanaryPolicy


@click.group()
def command() -> None:
    """Look after the embedding spaces of the store."""


command.add_command(derive.command)
command.add_command(reembed.command)


@command.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """Show every registered space, with its vectors and the current chunks that it lacks."""
    states = registry.list_states(command_store(load_settings()))
    if as_json:
        print_json(states)
        return
    columns = ["space", "provider", "vectors", "lacking", "state"]
    rows = [
        (
            state.space.slug,
            state.space.provider,
            state.vectors,
            state.lacking,
            ", ".join(state.aliases) or ("active" if state.space.is_active else "inactive"),
        )
        for state in states
    ]
    show(rows_table("Embedding spaces", columns, rows))


@command.command()
@click.argument("space")
@json_option
def describe(space: str, *, as_json: bool) -> None:
    """Show everything that the vectors of SPACE depend on."""
    state = registry.find_state(command_store(load_settings()), space)
    if as_json:
        print_json(state)
        return
    shown = state.space
    say(shown.slug, "bold")
    for name, value in {
        "id": shown.embedding_space_id,
        "model": _model(shown),
        "digest": shown.model_digest or "none: its server tells none",
        "dimensions": shown.dimensions,
        "normalised": "yes" if shown.normalize else "no",
        "distance": shown.distance_metric,
        "transform": shown.transform_ref or "none",
        **_derivation(state),
        "active": "yes" if shown.is_active else "no",
        "aliases": ", ".join(state.aliases) or "none",
        "vectors": f"{state.vectors:,}",
        "current chunks lacking": f"{state.lacking:,}, and {state.quarantined:,} are quarantined",
        **{f"policy {key}": value for key, value in shown.preprocess_policy.items()},
    }.items():
        say(f"  {name}: {value}")


@command.command()
@click.argument("provider")
@click.argument("model")
@click.option("--option", "-o", "options", multiple=True, metavar="NAME=VALUE", help="An option of the provider.")
@dry_run_option
@json_option
def add(provider: str, model: str, *, options: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Register the space of MODEL, as PROVIDER describes it now. The next run fills it."""
    settings = load_settings()
    store = command_store(settings)
    if not dry_run:
        prepare(store, settings)
    opened = installed_providers(settings).open(provider, model, _options(options))
    added = registry.add(store, opened, CanaryPolicy.of(settings), dry_run=dry_run)
    if as_json:
        print_json(added)
    elif not added.is_new:
        say(f"{added.space.slug} is registered already.")
    else:
        say(f"{added.space.slug} {'would be' if dry_run else 'is'} registered: {_model(added.space)}")


@command.command()
@click.argument("space")
@json_option
def probe(space: str, *, as_json: bool) -> None:
    """Ask whether SPACE is served as it was registered, and have its anchors embedded again. Changes nothing."""
    settings = load_settings()
    found = registry.probe(command_store(settings), installed_providers(settings), CanaryPolicy.of(settings), space)
    if as_json:
        print_json(found)
    else:
        say(found.mismatch or f"{found.space.slug} is served as it was registered.")
        if found.anchors is None and not found.mismatch:
            say("  anchors: none yet; the next run embeds them")
        elif found.anchors is not None:
            say(f"  anchors: {found.anchors}, at most {found.largest_distance:.2g} away; allowed {found.tolerance:.2g}")
        for name, value in found.runtime.items():
            say(f"  {name}: {value}")
    if found.mismatch:
        sys.exit(FAILED)


@command.command()
@click.argument("space")
@dry_run_option
@json_option
def activate(space: str, *, dry_run: bool, as_json: bool) -> None:
    """Have SPACE filled and searched from now on."""
    _set_active(space, is_active=True, dry_run=dry_run, as_json=as_json)


@command.command()
@click.argument("space")
@dry_run_option
@json_option
def deactivate(space: str, *, dry_run: bool, as_json: bool) -> None:
    """Leave SPACE out of runs and searches from now on; its vectors stay."""
    _set_active(space, is_active=False, dry_run=dry_run, as_json=as_json)


alias_option = click.option("--alias", default=DEFAULT, show_default=True, help="The name that searches use.")


@command.command()
@click.argument("space")
@alias_option
@click.option("--despite-loss", is_flag=True, help="Also where evaluations say that less is found in it.")
@dry_run_option
@json_option
def promote(space: str, *, alias: str, despite_loss: bool, dry_run: bool, as_json: bool) -> None:
    """Have searches use SPACE from now on: at once, and only if it is complete, sound, served and finds no less."""
    settings = load_settings()
    store = command_store(settings)
    switch = promotion.promote(
        store,
        installed_providers(settings),
        CanaryPolicy.of(settings),
        space,
        alias,
        dry_run=dry_run,
        despite_loss=despite_loss,
    )
    _show_switch(switch, dry_run=dry_run, as_json=as_json)
    if switch.is_change and switch.previous and not as_json:
        for comparison in switch.evaluated:
            say(f"  {comparison}", None if comparison.is_like_with_like else "yellow")
        if not any(one.is_like_with_like for one in switch.evaluated):
            say(
                f"  Whether it finds more than {switch.previous.slug} was not evaluated: `holocron evaluate --space "
                f"{switch.space.slug}`, and the same of that one.",
                "yellow",
            )


@command.command()
@alias_option
@dry_run_option
@json_option
def rollback(*, alias: str, dry_run: bool, as_json: bool) -> None:
    """Have searches use again what they used before the last promotion."""
    switch = promotion.roll_back(command_store(load_settings()), alias, dry_run=dry_run)
    _show_switch(switch, dry_run=dry_run, as_json=as_json)


def _show_switch(switch: Switch, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        names = {"space": switch.space.slug, "previous": switch.previous.slug if switch.previous else None}
        figures = {"quarantined": switch.quarantined, "lacking": switch.lacking}
        evaluated = [
            {
                "collection": one.new.collection,
                **asdict(one.difference),
                "is_like_with_like": one.is_like_with_like,
            }
            for one in switch.evaluated
        ]
        changed = {"changes": switch.is_change, "dry_run": dry_run}
        print_json({"alias": switch.alias, **names, **changed, **figures, "evaluated": evaluated})
        return
    if not switch.is_change:
        say(f"{switch.alias} means {switch.space.slug} already.")
    else:
        before = f", and not {switch.previous.slug}" if switch.previous and switch.previous != switch.space else ""
        say(f"{switch.alias} {'would mean' if dry_run else 'means'} {switch.space.slug} now{before}.")
    if switch.quarantined or switch.lacking:
        say(
            f"{switch.space.slug} lacks {switch.lacking:,} current chunks, and {switch.quarantined:,} are quarantined "
            "in it; none of these are found.",
            "yellow",
        )


def _set_active(wanted: str, *, is_active: bool, dry_run: bool, as_json: bool) -> None:
    space, changes = registry.set_active(command_store(load_settings()), wanted, is_active=is_active, dry_run=dry_run)
    word = "active" if is_active else "inactive"
    if as_json:
        print_json({"space": space.slug, "is_active": is_active, "changes": changes, "dry_run": dry_run})
    elif not changes:
        say(f"{space.slug} is {word} already.")
    else:
        say(f"{space.slug} {'would be' if dry_run else 'is'} {word} now.")


def _options(given: tuple[str, ...]) -> dict[str, Any]:
    """`NAME=VALUE`: numbers, true and false as YAML has them, everything else is text, to the last space."""
    options: dict[str, Any] = {}
    for one in given:
        name, mark, value = one.partition("=")
        if not mark or name in options:
            problem = "is given twice" if mark else "is not NAME=VALUE"
            raise click.BadParameter(f"{one!r} {problem}", param_hint="--option")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:
            read = value
        options[name] = read if isinstance(read, int | float) else value
    return options


def _derivation(state: registry.SpaceState) -> dict[str, object]:
    """How a derived space is made, as `describe` shows it."""
    if state.transform is None:
        return {}
    return {
        "derived from": state.source,
        "transform's hash": state.transform.artefact_sha256,
        **{f"sample {key}": value for key, value in state.transform.sample.items()},
    }


def _model(space: EmbeddingSpace) -> str:
    return f"{space.provider} {space.model_name} {space.model_tag}"
