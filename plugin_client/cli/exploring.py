"""The command that draws a sheet of drafts; `again` makes one of them in full."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from plugin_client import explore as sheets
from plugin_client import pictures
from plugin_client.cli.asked import given_items, settings_of, something_of, tell_written
from plugin_client.cli.daemon import client_offering
from plugin_client.cli.outputs import check_free, check_losses, check_places
from plugin_client.cli.terminal import follow_or_cancel, say
from plugin_client.client import Client, best_sampling, make_blend
from plugin_client.sweep import Sweep
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.messages import Blend
from plugin_client.wire.settings import Sampling


def explore(arguments: argparse.Namespace) -> None:
    """Draw a sheet of drafts over two axes."""
    check_places(arguments.output)
    check_losses(given_items(arguments), [arguments.output], [])
    if not arguments.force:
        check_free([arguments.output])
    blend = make_blend(something_of(arguments), **settings_of(arguments))
    with client_offering(blend.model, arguments) as client:
        cells = sheets.sheet_of(_with_size(blend, client), arguments.across, arguments.down)
        say(arguments, f"seed {blend.seed}")
        work = Sweep(client.submit_blend, sheets.drafts_of(cells))
        try:
            result = follow_or_cancel(work, arguments)
            best = best_sampling(client.models(), blend.model)
            recipes = _in_full([cell for row in cells for cell in row], result.recipes, best)
            pictures.write_sheet(arguments.output, result.pictures, recipes, sheets.CELLS)
        except OSError as exc:
            raise KandinskyError(f"{arguments.output} cannot be written: {exc.strerror or exc}") from exc
        finally:
            work.discard()
    tell_written([arguments.output], blend.seed, arguments)


def _with_size(blend: Blend, client: Client) -> Blend:
    """The blend with the size that its model draws best, if it has none and that is known: drafts may be smaller."""
    sides = [model.side for model in client.models() if model.name == blend.model or not blend.model][:1]
    return replace(blend, width=sides[0], height=sides[0]) if sides and not blend.width else blend


def _in_full(cells: Sequence[Blend], recipes: Sequence[dict[str, Any]], best: Sampling) -> list[dict[str, Any]]:
    """The recipes of the cells at full quality, by a model that draws best with `best`.

    They are those of their drafts, but for what draft_of changed.
    """
    return [
        recipe
        | Sampling(cell.sampler, cell.steps).by(best)._asdict()
        | ({"width": cell.width, "height": cell.height} if cell.width else {})
        for cell, recipe in zip(cells, recipes, strict=True)
    ]
