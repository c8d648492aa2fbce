"""Which tasks a run has, and in which order."""

from __future__ import annotations

from collections.abc import Iterator

from kandinsky_backend.blend.request import Picture, RefineRequest, RepaintRequest, Text
from kandinsky_backend.blend.tasks import (
    Decode,
    Denoise,
    DenoiseSource,
    EmbedNothing,
    EmbedPicture,
    EmbedPrompt,
    EncodeDecoderPrompt,
    EncodePrompt,
    EncodeSource,
    GiveBack,
    Task,
    Workspace,
)
from kandinsky_backend.blend.tile_tasks import DecodeTiles, DenoiseTile, EncodeTiles
from kandinsky_backend.blend.upscaling import Upscaling


def tasks_of(space: Workspace) -> list[Task]:
    """The tasks of a run, in order: what is in the cache already is taken from there."""
    tasks: list[Task] = []
    for key, new in _embedding_tasks(space):
        if key in space.embeds:
            continue
        found = space.cache.get(key)
        space.embeds[key] = found or ()  # to be made
        if not found:
            tasks += new
    given = space.given_picture
    if given and space.first_step() == space.decoder.step_count(space.request.settings.steps):
        return [*tasks, *(GiveBack(space, variation, given) for variation in space.request.variations)]
    if space.upscaling is not None:
        return [*tasks, *_upscaling_tasks(space, space.upscaling)]
    if space.redrawing is not None:
        tasks.append(EncodeSource(space))
    for variation in space.request.variations:
        denoise = _denoising(space, variation)
        tasks += [denoise, Decode(space, denoise)]
    return tasks


def _upscaling_tasks(space: Workspace, upscaling: Upscaling) -> Iterator[Task]:
    """All tiles go through one model before the next, so that each is loaded once."""
    encoded = EncodeTiles(space, upscaling)
    yield encoded
    for variation in space.request.variations:
        denoised = [DenoiseTile(space, variation, encoded, tile) for tile in upscaling.tiles]
        yield from denoised
        yield DecodeTiles(space, upscaling, denoised)


def _denoising(space: Workspace, variation: int) -> Denoise:
    match space.request:
        case RepaintRequest(resamplings=resamplings):
            return DenoiseSource(space, variation, resamplings)
        case RefineRequest():
            return DenoiseSource(space, variation, 1)
    return Denoise(space, variation)


def _embedding_tasks(space: Workspace) -> Iterator[tuple[str, list[Task]]]:
    """Each embedding that the run needs, by its key, and the tasks that make it."""
    settings = space.request.settings
    for item in space.request.items:
        if isinstance(item, Text) and item.weight:
            yield space.text_key(item.text), _prompt_tasks(space, item.text)
        if isinstance(item, Picture):
            yield space.picture_key(item), [EmbedPicture(space, item)]
    if settings.negative:
        yield space.text_key(settings.negative), _prompt_tasks(space, settings.negative)
    else:
        yield space.nothing_key, [EmbedNothing(space)]
    if space.decoder.parts_of_text:
        yield space.decoder_prompt_key, [EncodeDecoderPrompt(space)]


def _prompt_tasks(space: Workspace, text: str) -> list[Task]:
    encode = EncodePrompt(space, text)
    return [encode, EmbedPrompt(space, encode)]
