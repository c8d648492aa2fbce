"""The painter whose scores count: our own pipelines on MindSpore."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
from PIL import Image

from kandinsky_backend import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.embedded.train.scenes import SIZE
from kandinsky_backend.images import to_pil
from tests.embedded.scores import Item

STEPS = 25


class KandinskyPainter:
    """A folder with prior/ and decoder/, in float32."""

    def __init__(self, folder: Path, steps: int = STEPS) -> None:
        self.prior = KandinskyPriorPipeline.from_pretrained(str(folder / "prior"))
        self.decoder = KandinskyPipeline.from_pretrained(str(folder / "decoder"))
        self.steps = steps
        for pipeline in (self.prior, self.decoder):
            pipeline.set_progress_bar_config(disable=True)

    def blend(self, items: Sequence[Item], weights: Sequence[float], seed: int, negative: str = "") -> Image.Image:
        noise = np.random.default_rng(seed)
        embeds, negative_embeds = self.prior.interpolate(items, weights, negative_prompt=negative, generator=noise)
        pictures = self.decoder(
            "",
            image_embeds=embeds,
            negative_image_embeds=negative_embeds,
            height=SIZE,
            width=SIZE,
            num_inference_steps=self.steps,
            generator=np.random.default_rng(seed),
        )[0]
        return pictures[0]

    def reconstruct(self, picture: Image.Image) -> Image.Image:
        pixels = np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        movq = self.decoder.movq
        back = movq.decode(movq.encode(ms.Tensor(np.ascontiguousarray(pixels)))).asnumpy()
        return to_pil(back.transpose(0, 2, 3, 1) / 2 + 0.5)[0]
