"""Titles of jobs and of items, in one printable line. The daemon shows them in English; an editor translates them.

`translate` is gettext's, or what else turns one of this module's texts into another language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from plugin_client.wire.marking import N_
from plugin_client.wire.messages import AnyRequest, Blend, Item, Refine, Repaint, TextItem, Upscale

Translate = Callable[[str], str]

TITLE_CHARS = 120  # of a job's title
NAME_CHARS = 60  # of one item in a title


_TITLES: dict[type, str] = {
    Blend: N_("{items}, seed {seed}"),
    Refine: N_("refined: {items}, seed {seed}"),
    Repaint: N_("repainted: {items}, seed {seed}"),
    Upscale: N_("upscaled: {items}, seed {seed}"),
}
_TITLES_WITHOUT_ITEMS: dict[type, str] = {
    Refine: N_("refined, seed {seed}"),
    Repaint: N_("removed, seed {seed}"),
    Upscale: N_("upscaled, seed {seed}"),
}


def request_title(request: AnyRequest, translate: Translate = str) -> str:
    """Return the title of a job, such as "0.3 a cat + 0.7 sky, seed 42", in at most TITLE_CHARS characters."""
    titles = _TITLES if request.items else _TITLES_WITHOUT_ITEMS
    title = translate(titles[type(request)])
    room = TITLE_CHARS - len(title.format(items="", seed=request.seed))
    items = weighted_sum((item.weight, item_name(item, translate)) for item in request.items)
    return title.format(items=cut(items, room), seed=request.seed)


def weighted_sum(items: Iterable[tuple[float, str]]) -> str:
    """Return "0.3 a cat + 0.7 sky" for weights and names. Items without weight, as at a sweep's ends, are left out."""
    return " + ".join(f"{weight:g} {name}" for weight, name in items if weight)


def prompt_name(text: str, translate: Translate = str) -> str:
    """Return a prompt as a title shows it."""
    return cut(one_line(text), NAME_CHARS) or translate(N_("nothing"))


def picture_name(label: str, translate: Translate = str) -> str:
    """Return the name of a picture as a title shows it; `label` is what its sender called it."""
    return cut(one_line(label), NAME_CHARS) or translate(N_("a picture"))


def item_name(item: Item, translate: Translate = str) -> str:
    """Return the name of an item as a title shows it."""
    return prompt_name(item.text, translate) if isinstance(item, TextItem) else picture_name(item.label, translate)


def one_line(text: str) -> str:
    """Return `text` with a space for whatever would end its line or steer a terminal."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())


def cut(text: str, chars: int) -> str:
    """Return `text` in at most `chars` characters, with "…" for what is left out."""
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
