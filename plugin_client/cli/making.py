"""The commands that make pictures, and the one that shows how a picture was made."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from plugin_client import pictures
from plugin_client.cli.asked import changed, given_items, settings_of, something_of, tell_written
from plugin_client.cli.daemon import client_for_recipe, client_offering
from plugin_client.cli.drawing import draw_again
from plugin_client.cli.outputs import (
    blends_of,
    check_free,
    check_losses,
    check_places,
    check_replaced,
    check_same_recipes,
    keeping,
    numbered,
    write_frames,
    write_pictures,
)
from plugin_client.cli.terminal import follow_or_cancel, say, tell
from plugin_client.cli.values import ANIMATIONS
from plugin_client.cli.words import changes, in_words, recipe_text
from plugin_client.client import make_blend, with_model_here
from plugin_client.sweep import Sweep, frames_of, together
from plugin_client.wire.errors import KandinskyError, ProtocolError, UsageError
from plugin_client.wire.recipe import Recipe, parse_recipe


def generate(arguments: argparse.Namespace) -> None:
    """Make new pictures."""
    settings = settings_of(arguments)
    outputs = numbered(arguments.output, settings.get("count", 1))
    grids = [arguments.grid] if arguments.grid else []
    check_places(*outputs, *grids)
    check_losses(given_items(arguments), outputs, grids)
    blend = make_blend(something_of(arguments), **settings)
    if not arguments.force:
        check_replaced(outputs, blends_of(blend))
        check_free(grids)
    with client_offering(blend.model, arguments) as client:
        say(arguments, f"seed {blend.seed}")
        job = client.submit_blend(blend)
        result = follow_or_cancel(job, arguments)
        if not arguments.force:
            check_same_recipes(job, outputs, result)
        write_pictures(job, outputs, result)
        for grid in grids:
            with keeping(job, grid):
                pictures.write_grid(grid, result.pictures)
        job.release()
    tell_written([*outputs, *grids], blend.seed, arguments)


def sweep(arguments: argparse.Namespace) -> None:
    """Make pictures from one set of weights to another."""
    is_animation = arguments.output.suffix.lower() in ANIMATIONS
    outputs = [arguments.output] if is_animation else numbered(arguments.output, arguments.frames)
    check_places(*outputs)
    check_losses(given_items(arguments), outputs, [])
    frames = frames_of(make_blend(something_of(arguments), **settings_of(arguments)), arguments.to, arguments.frames)
    if is_animation and not arguments.force:
        check_free(outputs)
    elif not arguments.force:
        check_replaced(outputs, frames)
    with client_offering(frames[0].model, arguments) as client:
        say(arguments, f"seed {frames[0].seed}")
        work = Sweep(client.submit_blend, frames)
        try:
            result = follow_or_cancel(work, arguments)
        except (KeyboardInterrupt, KandinskyError):
            _keep_finished(work, outputs, arguments)
            raise
        write_frames(outputs, result, arguments.frame_time)
        work.release()
    tell_written(outputs, frames[0].seed, arguments)


def _keep_finished(work: Sweep, outputs: Sequence[Path], arguments: argparse.Namespace) -> None:
    """Write the frames that are done of a sweep that was interrupted or failed."""
    done = work.finished()
    if done:
        written = outputs if len(outputs) == 1 else [outputs[number] for number in done]
        write_frames(written, together(list(done.values())), arguments.frame_time)
    work.discard()
    if done:
        tell(*written)
        print(f"kandinsky-blend: {len(done)} of {arguments.frames} frames are written", file=sys.stderr)


def again(arguments: argparse.Namespace) -> None:
    """Make a picture again from the recipe in its file."""
    source: Path = arguments.picture
    original, before = _recorded(source, arguments.cell), source.read_bytes()
    output = arguments.output or source.with_name(f"{source.stem}-again.png")
    check_places(output)
    if original.redrawn:
        draw_again(arguments, original, output)
        return
    if arguments.source or arguments.mask:
        raise UsageError(f"{source} was not drawn into another picture: leave --source and --mask out")
    blend = changed(original.blend, arguments)
    if not arguments.force:
        check_replaced([output], [blend])
    with client_for_recipe(blend, source, arguments) as client:
        job = client.submit_blend(with_model_here(blend, client))
        result = follow_or_cancel(job, arguments)
        made = parse_recipe(result.recipes[0]).knowing(original)
        result = replace(result, recipes=[made.plain()])
        if not arguments.force:
            check_same_recipes(job, [output], result)
        write_pictures(job, [output], result)
        job.release()
    tell(output)
    if arguments.cell:
        return  # the file holds its draft
    if output.read_bytes() == before:
        say(arguments, "the same picture, byte for byte")
    elif made == original and pictures.has_pixels_of(before, result.pictures[0]):
        say(arguments, "the same picture, pixel for pixel; its recipe is written in a newer form")
    else:
        say(arguments, changes(original, made, vars(arguments)))


def show(arguments: argparse.Namespace) -> None:
    """Show the recipe in a picture's file."""
    if arguments.json:
        tell(json.dumps(_plain_recipe(arguments.picture, arguments.cell), indent=2))
    else:
        tell(recipe_text(_recorded(arguments.picture, arguments.cell)))


def _recorded(source: Path, cell: tuple[int, int] | None) -> Recipe:
    """Read the recipe in a picture's file, or of a cell of a sheet. Raises: UsageError."""
    recipe = _plain_recipe(source, cell)
    try:
        return parse_recipe(recipe)
    except ProtocolError as exc:
        raise UsageError(f"{source} cannot be made again: {in_words(exc)}") from exc


def _plain_recipe(source: Path, cell: tuple[int, int] | None) -> dict[str, Any]:
    return pictures.read_cell(source, *cell) if cell else pictures.read_recipe(source)
