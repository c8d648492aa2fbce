"""The files that a command writes: their names, what must not be lost, and the writing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from plugin_client import pictures
from plugin_client.canvas import Canvas
from plugin_client.cli.arguments import GivenItem
from plugin_client.cli.values import ANIMATIONS
from plugin_client.job import BlendResult, Job
from plugin_client.wire.errors import KandinskyError, ProtocolError, UsageError
from plugin_client.wire.messages import Blend, Item, TextItem
from plugin_client.wire.recipe import Recipe, parse_recipe
from plugin_client.wire.settings import AUTO, recorded

# What a blend may leave to the daemon by these values, so that it is known from the recipe alone.
_LEFT_TO_THE_DAEMON = {"width": 0, "height": 0, "model": "", "model_hash": "", "steps": 0, "sampler": AUTO}


def numbered(output: Path, count: int) -> list[Path]:
    """Return the files of `count` pictures: FILE.png, or FILE-1.png, FILE-2.png, ..."""
    if count == 1:
        return [output]
    return [output.with_name(f"{output.stem}-{n}{output.suffix}") for n in range(1, count + 1)]


def check_places(*outputs: Path) -> None:
    """Find out before an hour of work that files could not be written.

    Raises:
        UsageError: a folder is missing, a name is too long, or something that is no file stands there.
    """
    for output in outputs:
        try:
            _check_place(output)
        except OSError as exc:
            raise UsageError(f"{output} cannot be written: {exc.strerror or exc}") from exc


def _check_place(output: Path) -> None:
    folder = Path(os.path.realpath(output)).parent  # of what a link points to
    if not folder.is_dir():
        raise UsageError(f"{output} cannot be written: there is no folder {_shown(folder, output)}")
    try:
        mode = output.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise UsageError(f"{output} cannot be written: it is a folder")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{output} cannot be written: it is a pipe, a socket or a device")


def _shown(folder: Path, output: Path) -> Path:
    """The folder as the person wrote it, where no link leads elsewhere."""
    return output.parent if os.path.realpath(output.parent) == str(folder) else folder


def check_losses(items: Sequence[GivenItem], outputs: Sequence[Path], grids: Sequence[Path]) -> None:
    """Refuse to write over a given picture, and a sheet over a new one.

    Raises:
        UsageError: a file is among those of `items`, or a sheet among the `outputs`.
    """
    sources = {os.path.realpath(source) for kind, source, _ in items if kind == "image"}
    for output in (*outputs, *grids):
        if os.path.realpath(output) in sources:
            raise UsageError(f"{output} is one of the given pictures, which would be lost: write to another file")
    for grid in grids:
        if os.path.realpath(grid) in {os.path.realpath(output) for output in outputs}:
            raise UsageError(f"{grid} is a picture of its own already: give --grid another file")


def check_replaced(outputs: Sequence[Path], blends: Sequence[Blend]) -> None:
    """Refuse to replace a file, unless it is what the blend beside it makes.

    Raises:
        UsageError: another file stands there.
    """
    for output, blend in zip(outputs, blends, strict=True):
        if output.exists() and not _makes(blend, _recipe_in(output)):
            raise _would_be_lost(output)


def check_free(outputs: Iterable[Path]) -> None:
    """Refuse to replace any file.

    Raises:
        UsageError: one stands there.
    """
    for output in outputs:
        if output.exists():
            raise _would_be_lost(output)


def check_same_recipes(job: Job, outputs: Sequence[Path], result: BlendResult) -> None:
    """Refuse to replace a file by a result of another recipe. How a picture was made does not matter, as its device.

    Raises:
        KandinskyError: a file of another recipe, or without one, stands there; the text says where the pictures are.
    """
    for output, plain in zip(outputs, result.recipes, strict=True):
        recipe = parse_recipe(plain)
        found = _recipe_in(output) if output.exists() else recipe
        if found is None or _picture_of(found) != _picture_of(recipe):
            raise KandinskyError(
                f"{output} holds another picture, which would be lost; the daemon keeps the new one: "
                f"kandinsky-blend fetch {job.id[:8]} -o FILE.png writes it to another file, and with --force to this"
            )


def _picture_of(recipe: Recipe) -> tuple[object, ...]:
    """What makes a picture what it is."""
    return recipe.items, recipe.settings, recipe.redrawn


def _would_be_lost(output: Path) -> UsageError:
    return UsageError(f"{output} is there already and would be lost: write to another file, or give --force")


def _recipe_in(output: Path) -> Recipe | None:
    try:
        return parse_recipe(pictures.read_recipe(output))
    except (UsageError, ProtocolError):
        return None


def _makes(blend: Blend, recipe: Recipe | None) -> bool:
    """Whether a blend, as far as it is known before it is made, has this recipe."""
    if recipe is None or recipe.redrawn:
        return False
    known = recorded(blend) | {
        name: value
        for name, value in recorded(recipe.settings).items()
        if name in _LEFT_TO_THE_DAEMON and getattr(blend, name) == _LEFT_TO_THE_DAEMON[name]
    }
    items = [item for item in blend.items if item.weight]  # a recipe leaves the others out
    return known == recorded(recipe.settings) and list(map(_seen, items)) == list(map(_seen, recipe.blend.items))


def _seen(item: Item) -> tuple[bool, str, float]:
    """The part of an item that is known before the model has seen it."""
    is_text = isinstance(item, TextItem)
    return is_text, item.text if isinstance(item, TextItem) else item.label, item.weight


def blends_of(blend: Blend) -> list[Blend]:
    """The blend of each variation."""
    return [replace(blend, variation=blend.variation + n, count=1) for n in range(blend.count)]


@contextmanager
def keeping(job: Job, output: Path) -> Iterator[None]:
    """Turn the OSError of writing `output` into a sentence that says how to get the pictures, which the daemon keeps.

    Raises:
        KandinskyError: the file cannot be written.
    """
    try:
        yield
    except OSError as exc:
        raise KandinskyError(
            f"{output} cannot be written: {exc.strerror or exc}; the daemon keeps the pictures, so free some space "
            f"or choose another place, and run: kandinsky-blend fetch {job.id[:8]} -o FILE.png"
        ) from exc


def write_pictures(job: Job, outputs: Sequence[Path], result: BlendResult) -> None:
    """Write each picture with its recipe. Errors as of keeping."""
    for output, picture, recipe in zip(outputs, result.pictures, result.recipes, strict=True):
        with keeping(job, output):
            pictures.write_png(output, picture, recipe)


def write_drawn(job: Job, outputs: Sequence[Path], result: BlendResult, sheet: Canvas) -> None:
    """Write each whole picture with its recipe, and with what was drawn into where that is not too large.

    Errors as of keeping.
    """
    kept = sheet.kept()
    for output, image, recipe in zip(outputs, result.images, result.recipes, strict=True):
        with keeping(job, output):
            pictures.write_png(output, pictures.as_picture(sheet.with_drawn(image)), recipe, kept)


def write_frames(outputs: Sequence[Path], result: BlendResult, milliseconds: int) -> None:
    """Write the frames of a sweep: each in its own file, or all in one, which shows each for so many milliseconds.

    Raises:
        KandinskyError: a file cannot be written.
    """
    try:
        if outputs[0].suffix.lower() in ANIMATIONS:
            pictures.write_animation(outputs[0], result.pictures, milliseconds)
        else:
            for output, picture, recipe in zip(outputs, result.pictures, result.recipes, strict=True):
                pictures.write_png(output, picture, recipe)
    except OSError as exc:
        raise KandinskyError(
            f"{outputs[0].parent} cannot be written to: {exc.strerror or exc}; the daemon keeps the pictures: "
            "kandinsky-blend status lists their jobs, and fetch writes them"
        ) from exc
