"""Infoboxes, in the two forms that wikis serve them, and images: a table row per kind of infobox."""

from collections.abc import Mapping
from dataclasses import dataclass

from sample.inline import WIKI_URL, Site, attribute, page_url, render_inline


@dataclass(frozen=True, slots=True, kw_only=True)
class _Infobox:
    """How one kind of infobox looks: as the `portable-infobox` of Fandom, or as a classic table."""

    portable: bool
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()


_INFOBOXES = {
    "person": _Infobox(
        portable=True,
        groups=(
            ("Life", ("born", "died", "parents", "spouse", "children")),
            ("Work", ("occupation", "known_for", "notable_work")),
        ),
    ),
    "vehicle": _Infobox(
        portable=True,
        groups=(
            ("Construction", ("type", "builder", "built", "launched", "length", "draught", "sails", "top_speed")),
            ("Service", ("owner", "crew", "commander", "berth", "fate")),
        ),
    ),
    "place": _Infobox(portable=True),
    "event": _Infobox(portable=True),
    "device": _Infobox(portable=False),
    "disease": _Infobox(portable=False),
    "language": _Infobox(portable=False),
    "organisation": _Infobox(portable=False),
    "species": _Infobox(portable=False),
    "work": _Infobox(portable=False),
}
_HEAD = ("name", "image", "caption")


def render_infobox(kind: str, fields: Mapping[str, str], site: Site) -> str:
    """The infobox of a kind that the table knows, with the fields in the order in which the page gives them."""
    infobox = _INFOBOXES[kind]
    return _portable(fields, infobox, site) if infobox.portable else _table(fields, site)


def _portable(arguments: Mapping[str, str], infobox: _Infobox, site: Site) -> str:
    name = render_inline(arguments["name"], site)
    parts = [
        '<aside role="region" class="portable-infobox pi-background pi-border-color pi-theme-wikia '
        'pi-layout-default"><h2 class="pi-item pi-item-spacing pi-title pi-secondary-background" '
        f'data-source="name">{name}</h2>\n'
    ]
    if "image" in arguments:
        parts.append(
            f'<figure class="pi-item pi-image" data-source="image">\n\t{_image(arguments["image"], 270, 180)}\n'
            f"\t{_caption(arguments, site, 'figcaption', 'pi-item-spacing pi-caption')}\n</figure>\n"
        )
    fields = {key: value for key, value in arguments.items() if key not in _HEAD}
    grouped = [(label, [key for key in keys if key in fields]) for label, keys in infobox.groups]
    loose = [key for key in fields if not any(key in keys for _, keys in grouped)]
    parts += [_portable_field(key, fields[key], site) for key in loose]
    for label, keys in grouped:
        if keys:
            parts.append(
                '<section class="pi-item pi-group pi-border-color"><h2 class="pi-item pi-header pi-secondary-font '
                f'pi-item-spacing pi-secondary-background">{label}</h2>\n'
            )
            parts += [_portable_field(key, fields[key], site) for key in keys]
            parts.append("</section>\n")
    return "".join(parts) + "</aside>"


def _portable_field(key: str, value: str, site: Site) -> str:
    return (
        f'<div class="pi-item pi-data pi-item-spacing pi-border-color" data-source="{key}">\n'
        f'\t<h3 class="pi-data-label pi-secondary-font">{_label(key)}</h3>\n'
        f'\t<div class="pi-data-value pi-font">{render_inline(value, site)}</div>\n</div>\n'
    )


def _table(arguments: Mapping[str, str], site: Site) -> str:
    name = render_inline(arguments["name"], site)
    rows = [f'<tr><th colspan="2" class="infobox-above" style="font-size:125%">{name}</th></tr>']
    if "image" in arguments:
        caption = _caption(arguments, site, "div", "infobox-caption")
        image = _image(arguments["image"], 220, 147)
        rows.append(f'<tr><td colspan="2" class="infobox-image">{image}{caption}</td></tr>')
    rows += [
        f'<tr><th scope="row" class="infobox-label">{_label(key)}</th>'
        f'<td class="infobox-data">{render_inline(value, site)}</td></tr>'
        for key, value in arguments.items()
        if key not in _HEAD
    ]
    return f'<table class="infobox" style="width:22em"><tbody>{"".join(rows)}</tbody></table>'


def _caption(arguments: Mapping[str, str], site: Site, tag: str, css_class: str) -> str:
    caption = arguments.get("caption", "")
    return f'<{tag} class="{css_class}">{render_inline(caption, site)}</{tag}>' if caption else ""


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _image(name: str, width: int, height: int) -> str:
    source = f"{WIKI_URL}/images/{attribute(name.replace(' ', '_'))}"
    return (
        f'<a href="{page_url("File:" + name)}" class="image"><img alt="{attribute(name)}" src="{source}" '
        f'decoding="async" width="{width}" height="{height}" /></a>'
    )


def thumbnail(options: list[str], site: Site) -> str:
    """`[[File:name|thumb|...|caption]]`, whose parts are `options`."""
    side = "left" if "left" in options else "right"
    return (
        f'<div class="thumb t{side}"><div class="thumbinner" style="width:222px;">'
        f"{_image(options[0].removeprefix('File:'), 220, 147)}  "
        f'<div class="thumbcaption">{render_inline(options[-1], site)}</div></div></div>'
    )
