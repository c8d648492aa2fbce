"""The documented script at the published size: stage times and peak memory.

    .venv/bin/python -m tests.random_checkpoint FOLDER --size full --dtype fp16
    .venv/bin/python -m tests.benchmarks.full_size FOLDER [--size 512 --steps 2]

Random weights cost what trained ones cost. Interpolates a text and two pictures with 25 prior steps, then runs a few
decoder steps and one decoding. README.md beside this file has the figures of one machine.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mindspore as ms
import numpy as np

from kandinsky_backend import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.utils import load_image

PICTURES = Path(__file__).parents[2] / "install" / "pictures"


@contextmanager
def stage(name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    print(f"{name:44} {time.perf_counter() - started:8.1f} s   peak {peak:5.1f} GiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=512, help="px, of both sides")
    parser.add_argument("--steps", type=int, default=2, help="of the decoder")
    arguments = parser.parse_args()
    print(f"MindSpore {ms.__version__}, {platform.machine()}, random weights of full size, {arguments.size} px")
    generator = np.random.default_rng(7)
    with stage("find the files"):
        prior = KandinskyPriorPipeline.from_pretrained(arguments.folder / "prior", mindspore_dtype=ms.float16)
        pipeline = KandinskyPipeline.from_pretrained(arguments.folder / "decoder", mindspore_dtype=ms.float16)
    for pipe in (prior, pipeline):
        pipe.set_progress_bar_config(disable=True)
    pictures = [load_image(PICTURES / name) for name in ("cat.png", "night.jpg")]
    with stage("load text encoder, prior and image encoder"):
        for part in (*prior.parts_of_text, *prior.parts_of_sampling, *prior.parts_of_image):
            part.get()
    with stage("interpolate a text and two pictures"):
        embeds, negative = prior.interpolate(["a cat", *pictures], [0.3, 0.3, 0.4], generator=generator)
    with stage("load and run the multilingual text encoder"):
        pipeline.encode_prompt([""])
    with stage("load UNet and MoVQ"):
        for part in (*pipeline.parts_of_denoising, *pipeline.parts_of_decoding):
            part.get()
    with stage(f"{arguments.steps} guided decoder steps and one decoding"):
        run_decoder(pipeline, embeds, negative, arguments.size, arguments.steps, generator)


def run_decoder(
    pipeline: KandinskyPipeline,
    embeds: ms.Tensor,
    negative: ms.Tensor,
    size: int,
    steps: int,
    generator: np.random.Generator,
) -> None:
    """Make a picture, and tell each step's time; what is left of the whole is MoVQ."""
    last = [time.perf_counter()]

    def told(step: int, timestep: int, latents: ms.Tensor) -> None:
        print(f"  step {step + 1:2} {time.perf_counter() - last[0]:43.1f} s", flush=True)
        last[0] = time.perf_counter()

    pipeline(
        "",
        image_embeds=embeds,
        negative_image_embeds=negative,
        height=size,
        width=size,
        num_inference_steps=steps,
        generator=generator,
        callback=told,
    )
    print(f"  decoding {time.perf_counter() - last[0]:41.1f} s", flush=True)


if __name__ == "__main__":
    main()
