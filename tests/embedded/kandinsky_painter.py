"""The painter whose scores count: our own pipelines on MindSpore."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
from PIL import Image

from kandinsky_backend import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.embedded.train.scenes import SIZE
from kandinsky_backend.families import DEFAULT, locate
from kandinsky_backend.images import to_pil
from kandinsky_backend.schedulers.samplers import sampler
from tests.embedded.scores import Wish

BATCH = 16


class KandinskyPainter:
    """A folder with prior/ and decoder/, in float32, and the sampler that the embedded model draws best with.

    `steps` overrides the wishes', which are alike in a call.
    """

    def __init__(self, folder: Path, steps: int | None = None) -> None:
        self.prior = KandinskyPriorPipeline.from_pretrained(str(folder / "prior"))
        self.decoder = KandinskyPipeline.from_pretrained(str(folder / "decoder"))
        self.decoder.scheduler = sampler(locate(DEFAULT).sampling.sampler, self.decoder.scheduler)
        self.steps = steps
        self._painted: dict[Hashable, Image.Image] = {}
        for pipeline in (self.prior, self.decoder):
            pipeline.set_progress_bar_config(disable=True)

    def paint(self, wishes: Sequence[Wish]) -> list[Image.Image]:
        """In batches: a small model spends most of its time on launching operators. What was painted before is kept."""
        new = list({_key(wish): wish for wish in wishes if _key(wish) not in self._painted}.values())
        for i in range(0, len(new), BATCH):
            batch = new[i : i + BATCH]
            self._painted |= zip(map(_key, batch), self._paint_batch(batch), strict=True)
        return [self._painted[_key(wish)] for wish in wishes]

    def _paint_batch(self, wishes: Sequence[Wish]) -> list[Image.Image]:
        are_prompts = all(len(wish.items) == 1 and isinstance(wish.items[0], str) for wish in wishes)
        embeds, negative_embeds = self._embed_prompts(wishes) if are_prompts else self._embed(wishes)
        shape = self.decoder.latent_shape(SIZE, SIZE)
        noise = [np.random.default_rng(wish.seed).standard_normal((1, *shape), dtype=np.float32) for wish in wishes]
        pictures: list[Image.Image] = self.decoder(
            "",
            image_embeds=embeds,
            negative_image_embeds=negative_embeds,
            height=SIZE,
            width=SIZE,
            num_inference_steps=self.steps or wishes[0].steps,
            latents=np.concatenate(noise),
        )[0]
        return pictures

    def _embed(self, wishes: Sequence[Wish]) -> tuple[list[ms.Tensor], list[ms.Tensor]]:
        embeds, negative_embeds = [], []
        for wish in wishes:
            noise = np.random.default_rng(wish.seed)
            made = self.prior.interpolate(wish.items, wish.weights, negative_prompt=wish.negative, generator=noise)
            embeds.append(made[0])
            negative_embeds.append(made[1])
        return embeds, negative_embeds

    def _embed_prompts(self, wishes: Sequence[Wish]) -> tuple[ms.Tensor, ms.Tensor]:
        """The same for single prompts of weight 1, in one run of the prior; all have a negative prompt, or none has."""
        embeds, nothing = self._imagine([wish.items[0] for wish in wishes], wishes)
        if not any(wish.negative for wish in wishes):
            return embeds, nothing
        return embeds, self._imagine([wish.negative for wish in wishes], wishes)[0]

    def _imagine(self, prompts: Sequence[str], wishes: Sequence[Wish]) -> tuple[ms.Tensor, ms.Tensor]:
        return self.prior(list(prompts), generator=[np.random.default_rng(wish.seed) for wish in wishes])

    def reconstruct(self, picture: Image.Image) -> Image.Image:
        pixels = np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        movq = self.decoder.movq
        back = movq.decode(movq.encode(ms.Tensor(np.ascontiguousarray(pixels)))).asnumpy()
        return to_pil(back.transpose(0, 2, 3, 1) / 2 + 0.5)[0]


def _key(wish: Wish) -> Hashable:
    items = tuple(item if isinstance(item, str) else item.tobytes() for item in wish.items)
    return items, tuple(wish.weights), wish.seed, wish.negative, wish.steps
