"""Measure Kandinsky Blend: one stage in a process of its own, as theirs.py measures the peers.

    python -m tests.benchmarks.peers.ours '{"stage": "step", "folder": "FOLDER", "precision": "float32", ...}'

The last line it prints is JSON: seconds of each repetition by row, and bytes for "peak".
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor

from kandinsky_backend import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.blend import Advance, Blender, BlendRequest, EmbedsCache, Identity, Picture, Text
from kandinsky_backend.models.unet import Conditioning, KeysAndValues
from kandinsky_backend.ops.plans.runtime import switched_off
from kandinsky_backend.utils import load_image
from plugin_client.wire.settings import BlendSettings
from tests.benchmarks.peers.roofline import Work, work_of
from tests.benchmarks.peers.timing import Rows, clock, interpolations, load_and_peak, once, seconds
from tests.random_weights import random_input

PROMPT = "a cat"
SMALL = Path(__file__).parents[3] / "kandinsky_backend" / "embedded"


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor.from_numpy(random_input(name, shape))


def prior_of(folder: Path, dtype: ms.Type) -> KandinskyPriorPipeline:
    prior = KandinskyPriorPipeline.from_pretrained(folder / "prior", mindspore_dtype=dtype)
    prior.set_progress_bar_config(disable=True)
    return prior


def decoder_of(folder: Path, dtype: ms.Type) -> KandinskyPipeline:
    decoder = KandinskyPipeline.from_pretrained(folder / "decoder", mindspore_dtype=dtype)
    decoder.set_progress_bar_config(disable=True)
    return decoder


def step(folder: Path, dtype: ms.Type, sizes: list[int], batches: list[int], repeats: int) -> Rows:
    """Guided steps of the decoder."""
    unet = decoder_of(folder, dtype).unet
    config, rows = unet.config, {}
    for size in sizes:
        for batch in batches:
            count = 2 * batch
            embeds = (tensor(name, count, config.cross_attention_dim) for name in ("text", "image"))
            conditioning = unet.condition(
                unet.project_text(tensor("hidden", count, 77, config.encoder_hid_dim)), *embeds
            )
            sample = tensor("sample", count, config.in_channels, size // 8, size // 8)
            rows[f"step-{size}x{batch}"] = seconds(
                lambda sample=sample, conditioning=conditioning: unet(sample, 500, conditioning).asnumpy(), repeats
            )
    return rows


def decode(folder: Path, dtype: ms.Type, sizes: list[int], repeats: int, **_: Any) -> Rows:
    """Decodings by MoVQ."""
    movq = decoder_of(folder, dtype).movq
    rows = {}
    for size in sizes:
        latents = tensor("latents", 1, movq.config.latent_channels, size // 8, size // 8)
        rows[f"decode-{size}"] = seconds(lambda latents=latents: movq.decode(latents).asnumpy(), repeats)
    return rows


def blend(prior: KandinskyPriorPipeline, pictures: list[str], steps: int) -> Any:
    generator = np.random.default_rng(7)
    items = [PROMPT, *map(load_image, pictures)]
    return prior.interpolate(items, [0.3, 0.3, 0.4], num_inference_steps=steps, generator=generator)


def interpolate(folder: Path, dtype: ms.Type, pictures: list[str], prior_steps: int, repeats: int, **_: Any) -> Rows:
    """One text and two pictures."""
    prior = prior_of(folder, dtype)
    return interpolations(lambda steps: blend(prior, pictures, steps), prior_steps, repeats)


def job(folder: Path, dtype: ms.Type, sizes: list[int], pictures: list[str], repeats: int, **_: Any) -> Rows:
    """Loading, and the peak of memory at the first size."""

    def run(pipelines: tuple[KandinskyPriorPipeline, KandinskyPipeline]) -> None:
        prior, decoder = pipelines
        embeds, negative = blend(prior, pictures, 2)
        decoder(PROMPT, embeds, negative, height=sizes[0], width=sizes[0], num_inference_steps=1)

    return load_and_peak(lambda: (prior_of(folder, dtype), decoder_of(folder, dtype)), run, repeats)


def weights(folder: Path, dtype: ms.Type, sizes: list[int], pictures: list[str], repeats: int, **_: Any) -> Rows:
    """From a request that changes only the weights of an earlier one to its first denoising step."""
    blender = Blender(prior_of(folder, dtype), decoder_of(folder, dtype), Identity("", "", "", ""), EmbedsCache())
    settings = BlendSettings(width=sizes[0], height=sizes[0], steps=50, prior_steps=2)
    before_denoising(blender, request_for(0.5, pictures[0], settings))
    return {
        "weights": [
            before_denoising(blender, request_for(0.1 * number, pictures[0], settings)) for number in range(repeats)
        ]
    }


def request_for(weight: float, picture: str, settings: BlendSettings) -> BlendRequest:
    return BlendRequest((Text(PROMPT, weight), Picture(load_image(picture), 1 - weight)), settings)


def before_denoising(blender: Blender, request: BlendRequest) -> float:
    """Seconds until the first denoising step begins, its conditioning included; two steps are made."""
    ends = [clock()]
    events = blender.run(request)
    while len(ends) < 3:
        event = next(events)
        if isinstance(event, Advance) and event.stage == "denoising" and event.finished:
            ends.append(clock())
    events.close()
    return (ends[1] - ends[0]) - (ends[2] - ends[1])


def work(folder: Path, dtype: ms.Type, sizes: list[int], batches: list[int], **_: Any) -> Rows:
    """Operations and bytes of the steps and decodings, from their plans; nothing is computed."""
    decoder = decoder_of(folder, dtype)
    unet, movq = decoder.unet, decoder.movq
    rows = {}
    for size, batch in itertools.product(sizes, batches):
        shapes = unet_shapes(unet, size // 8, 2 * batch)
        rows |= work_rows(f"step-{size}x{batch}", work_of(unet.predict, *shapes))
    for size in sizes:
        latents = (1, movq.config.latent_channels, size // 8, size // 8)
        rows |= work_rows(f"decode-{size}", work_of(movq.decode, latents))
    return rows


def unet_shapes(unet: Any, side: int, count: int) -> list[Any]:
    """Shapes of what a UNet's `predict` takes for `count` latents of `side` x `side`."""
    config = unet.config
    embeds = (tensor(name, count, config.cross_attention_dim) for name in ("text", "image"))
    conditioning = unet.condition(unet.project_text(tensor("hidden", count, 77, config.encoder_hid_dim)), *embeds)
    tokens = [tuple(KeysAndValues(*(part.shape for part in one)) for one in each) for each in conditioning.tokens]
    shapes = Conditioning(conditioning.text_embeds.shape, conditioning.image_embeds.shape, tokens)
    return [(count, config.in_channels, side, side), (count, config.block_out_channels[0]), shapes]


def work_rows(row: str, done: Work) -> Rows:
    return {f"flop {row}": [done.flop], f"bytes {row}": [done.bytes]}


def small(folder: Path, dtype: ms.Type, repeats: int, **_: Any) -> Rows:
    """The small model's picture of a new prompt: the prior, 12 decoder steps, and decoding."""
    prior, decoder = prior_of(SMALL, dtype), decoder_of(SMALL, dtype)

    def picture(prompt: str) -> None:
        embeds, negative = prior(prompt, generator=np.random.default_rng(7))
        decoder("", embeds, negative, height=128, width=128, num_inference_steps=12)

    picture("a red circle")
    return {"small": [once(partial(picture, f"{number} blue stars")) for number in range(repeats)]}


def small_with_operators(**options: Any) -> Rows:
    """The same by MindSpore's own operators."""
    with switched_off():
        return small(**options)


STAGES: dict[str, Callable[..., Rows]] = {
    stage.__name__: stage for stage in (step, decode, interpolate, job, weights, work, small, small_with_operators)
}


def main() -> None:
    request = json.loads(sys.argv[1])
    stage = STAGES[request.pop("stage")]
    request["folder"] = Path(request["folder"])
    request["dtype"] = getattr(ms, request.pop("precision"))
    request.pop("threads")  # plans take the cores that the process may use
    print(json.dumps(stage(**request)), flush=True)


if __name__ == "__main__":
    main()
