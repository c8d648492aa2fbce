"""Contact sheets, to be looked at: what MoVQ gives back, what prompts draw, and a sweep between pictures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import torch
from diffusers import KandinskyPipeline, KandinskyPriorPipeline
from diffusers.utils import make_image_grid
from PIL import Image

from . import movq
from .captions import LANGUAGES, Said, caption
from .export import decoder_pipeline, prior_pipeline
from .scenes import COLOURS, SHAPES, SIZE, draw, named_scene, random_scene

STEPS = 25
SEEDS = range(3)
WEIGHTS = np.linspace(0, 1, 9)


def draw_all(work: Path, out: Path) -> None:
    """Write every sheet that the parts trained so far allow into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    reconstructions(work).save(out / "movq.png")
    prior, decoder = prior_pipeline(work), decoder_pipeline(work)
    prompts(prior, decoder).save(out / "prompts.png")
    sweep(prior, decoder).save(out / "sweep.png")


def reconstructions(work: Path) -> Image.Image:
    """Twelve new pictures above what MoVQ gives back."""
    rng = np.random.default_rng(10**6)
    pictures = [draw(random_scene(rng)) for _ in range(12)]
    codec = movq.load(work / "movq")
    with torch.no_grad():
        latents = codec.encode(movq.to_tensor(np.stack([np.asarray(picture) for picture in pictures]))).latents
        back = codec.decode(latents, force_not_quantize=True).sample
    pixels = ((back.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return make_image_grid(pictures + [Image.fromarray(rows) for rows in pixels], 2, 12)


def prompts(prior: KandinskyPriorPipeline, decoder: KandinskyPipeline) -> Image.Image:
    """A column for each shape and language in turn, in new colours; a row for each seed."""
    captions = [
        caption(Said(shape, COLOURS[i], COLOURS[(i + 3) % 8], "few" if i % 2 else "one"), language)
        for i, (shape, language) in enumerate(zip(SHAPES, [*LANGUAGES, "en", "ru"], strict=True))
    ]
    embeds, nothing = [], []
    for seed, text in product(SEEDS, captions):
        given = prior(text, generator=torch.Generator().manual_seed(seed))
        embeds.append(given.image_embeds)
        nothing.append(given.negative_image_embeds)
    return make_image_grid(_pictures(decoder, embeds, nothing), len(SEEDS), len(captions))


def sweep(prior: KandinskyPriorPipeline, decoder: KandinskyPipeline) -> Image.Image:
    """Rows of blends of two drawn pictures, the weights going from one to the other."""
    pairs = [("red", "blue", "circle"), ("green", "yellow", "star"), ("white", "purple", "square")]
    embeds, nothing = [], []
    for first, second, shape in pairs:
        ends = [draw(named_scene(shape, colour, "black")) for colour in (first, second)]
        for weight in WEIGHTS:
            given = prior.interpolate(ends, [1 - weight, weight])
            embeds.append(given.image_embeds)
            nothing.append(given.negative_image_embeds)
    return make_image_grid(_pictures(decoder, embeds, nothing), len(pairs), len(WEIGHTS))


def _pictures(
    decoder: KandinskyPipeline, embeds: Sequence[torch.Tensor], nothing: Sequence[torch.Tensor]
) -> list[Image.Image]:
    return [
        decoder(
            "",
            image_embeds=wanted,
            negative_image_embeds=unwanted,
            height=SIZE,
            width=SIZE,
            num_inference_steps=STEPS,
            generator=torch.Generator().manual_seed(0),
        ).images[0]
        for wanted, unwanted in zip(embeds, nothing, strict=True)
    ]
