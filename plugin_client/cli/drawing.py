"""The commands that draw into a picture: repaint, remove, extend, refine and upscale, and again of what they made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from plugin_client import canvas, origins, pictures
from plugin_client.canvas import Canvas
from plugin_client.cli.arguments import GivenItem
from plugin_client.cli.asked import changed, given_items, items_of, settings_of, tell_written
from plugin_client.cli.daemon import client_for_recipe, client_offering
from plugin_client.cli.outputs import check_free, check_losses, check_places, numbered, write_drawn
from plugin_client.cli.terminal import follow_or_cancel, say, tell, warn
from plugin_client.cli.words import changes, in_words
from plugin_client.client import best_sampling, make_redraw, model_here
from plugin_client.wire.errors import BadValue, UsageError
from plugin_client.wire.messages import ModelInfo, Redraw, Upscale
from plugin_client.wire.recipe import Recipe, parse_recipe
from plugin_client.wire.settings import Sampling, strength_steps


def repaint(arguments: argparse.Namespace) -> None:
    """Draw into a part of a picture."""
    if not given_items(arguments):
        raise UsageError(
            "there is nothing to draw: give at least one --prompt TEXT WEIGHT or --image FILE WEIGHT, "
            "or draw the surroundings over it: kandinsky-blend remove"
        )
    _draw(_masked(arguments), arguments)


def remove(arguments: argparse.Namespace) -> None:
    """Draw the surroundings over a part of a picture."""
    _draw(_masked(arguments), arguments)


def refine(arguments: argparse.Namespace) -> None:
    """Draw a picture anew."""
    with pictures.warnings_told(warn):
        sheet = canvas.whole(arguments.picture)
    _draw(sheet, arguments)


def upscale(arguments: argparse.Namespace) -> None:
    """Enlarge a picture, and add detail."""
    with pictures.warnings_told(warn):
        sheet = canvas.upscaled(arguments.picture, arguments.target, arguments.factor)
    _draw(sheet, arguments)


def extend(arguments: argparse.Namespace) -> None:
    """Let a picture go on beyond its edges."""
    given = {side: getattr(arguments, side) for side in ("left", "right", "top", "bottom") if side in arguments}
    if given and "aspect" in arguments:
        raise UsageError("both an --aspect and pixels for a side were given: give one of them")
    with pictures.warnings_told(warn):
        if "aspect" in arguments:
            sheet = canvas.grown_to_aspect(arguments.picture, arguments.aspect)
        else:
            sheet = canvas.grown(arguments.picture, **given)
    _draw(sheet, arguments)


def _masked(arguments: argparse.Namespace) -> Canvas:
    with pictures.warnings_told(warn):
        return canvas.masked(arguments.picture, arguments.mask)


def _draw(sheet: Canvas, arguments: argparse.Namespace) -> None:
    settings = settings_of(arguments)
    outputs = numbered(arguments.output, settings.get("count", 1))
    check_places(*outputs)
    paths = [arguments.picture, getattr(arguments, "mask", None)]
    sources: list[GivenItem] = [("image", str(path), 1.0) for path in paths if path]
    check_losses([*given_items(arguments), *sources], outputs, [])
    request = make_redraw(sheet, items_of(arguments), **settings)
    if not arguments.force:
        check_free(outputs)
    with client_offering(request.model, arguments) as client:
        say(arguments, _seed_and_steps(request, client.models()))
        job = client.submit_drawing(sheet, request)
        write_drawn(job, outputs, follow_or_cancel(job, arguments), sheet)
        job.release()
        origins.forget(job.id)
    tell_written(outputs, request.seed, arguments)


def _seed_and_steps(request: Redraw, offered: Sequence[ModelInfo]) -> str:
    """The seed, and how many of the steps run as far as that is known: a daemon that was just started may not."""
    steps = Sampling(request.sampler, request.steps).by(best_sampling(offered, request.model)).steps
    run = f"; {strength_steps(steps, request.strength)} of {steps} steps" if steps else ""
    of_each = " of each tile" if run and isinstance(request, Upscale) else ""
    return f"seed {request.seed}{run}{of_each}"


def draw_again(arguments: argparse.Namespace, original: Recipe, output: Path) -> None:
    """Make a picture again that was drawn into another one. See making.again."""
    source: Path = arguments.picture
    sheet = _canvas_of(arguments, original)
    request = changed(_recorded_request(original, sheet, source), arguments)
    if not arguments.force and output != source:
        check_free([output])
    before = source.read_bytes()
    with client_for_recipe(request, source, arguments) as client:
        if request.model_hash:
            request = replace(request, model=model_here(request, client.models()))
        job = client.submit_drawing(sheet, request)
        result = follow_or_cancel(job, arguments)
        made = parse_recipe(result.recipes[0]).knowing(original)
        write_drawn(job, [output], replace(result, recipes=[made.plain()]), sheet)
        job.release()
        origins.forget(job.id)
    tell(output)
    is_same = output.read_bytes() == before
    say(arguments, "the same picture, byte for byte" if is_same else changes(original, made, vars(arguments)))


def _canvas_of(arguments: argparse.Namespace, original: Recipe) -> Canvas:
    """Return what was drawn into: kept in the picture's file, or as given."""
    kept = canvas.read_kept(arguments.picture)
    has_mask = original.kind == "repaint"
    needed = "--source FILE and --mask FILE" if has_mask and not (kept and kept.mask) else "--source FILE"
    with pictures.warnings_told(warn):
        match arguments.source, arguments.mask:
            case (None, None):
                if kept and (restored := kept.restored()):
                    return restored
                raise UsageError(
                    f"{arguments.picture} does not hold the picture into which was drawn, which was too large: "
                    f"give {needed}"
                )
            case (source, None) if not has_mask:
                return canvas.whole(source)
            case (source, None) if kept and kept.mask:
                return kept.over(source)
            case (source, mask) if source and mask and has_mask:
                return canvas.masked(source, mask)
    raise UsageError(f"to make {arguments.picture} again from other files than itself, give {needed} and no more")


def _recorded_request(original: Recipe, sheet: Canvas, source: Path) -> Redraw:
    try:
        return original.redraw(*sheet.sent)
    except BadValue as exc:
        raise UsageError(f"{source} cannot be made again: {in_words(exc)}") from exc
