"""What the pipeline goldens run: in make_pipelines.py with diffusers, in test_pipelines.py with ours.

Both use checkpoints of tests.random_checkpoint, and both take noise from the same numpy Generator.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors.numpy import load_file, save_file

from tests.random_weights import random_input

SIZES = ("tiny_a", "tiny_b")
SEED = 11


@dataclass(frozen=True)
class Picture:
    """Stands for `picture(seed)` among the items of a case."""

    seed: int


@dataclass(frozen=True)
class PriorCase:
    """`interpolate(items, weights, **options)`, or without weights `prior(items, **options)`."""

    name: str
    items: list[Any]
    weights: list[float] | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DecoderCase:
    """`decoder(prompt, ..., **options)` on random embeddings, with another scheduler made of the checkpoint's config.

    DECODER_CASES clip their samples: unclipped latents of a random UNet grow to 100, and random MoVQ makes rounding
    errors of such latents a thousand times as large. GENTLE_CASES do not clip.
    `decoder` is which checkpoint: "decoder", the random one, or "gentle", which `write_gentle_decoder` makes of it.
    A cell is what the latents' sides are multiples of, f * f pixels where MoVQ shrinks by f; `trim` pixels are taken
    off the cells to ask for a size that is no multiple.
    """

    name: str
    prompt: str | list[str]
    options: dict[str, Any] = field(default_factory=dict)
    cells: tuple[int, int] = (1, 1)  # rows, columns
    trim: tuple[int, int] = (0, 0)
    scheduler: str = "DDIMScheduler"
    decoder: str = "decoder"

    @property
    def rows(self) -> int:
        return len(self.prompt) if isinstance(self.prompt, list) else 1


_MIXED = (["a cat", Picture(1), Picture(2)], [0.3, 0.3, 0.4])
_TEXTS = ["a cat", "кот в сапогах"]

PRIOR_CASES = [
    PriorCase("texts", _TEXTS, [0.7, 0.3]),
    PriorCase("pictures", [Picture(1), Picture(3)], [0.45, 0.6]),
    PriorCase("mixed", *_MIXED),
    PriorCase("mixed, a weight below 0", _MIXED[0], [0.9, -0.2, 0.4]),
    PriorCase("mixed, negative prior prompt", *_MIXED, {"negative_prior_prompt": "low quality"}),
    PriorCase("mixed, negative prompt", *_MIXED, {"negative_prompt": "red circle"}),
    PriorCase("mixed, both negatives", *_MIXED, {"negative_prompt": "red circle", "negative_prior_prompt": "blue"}),
    PriorCase("mixed, guidance 1", *_MIXED, {"guidance_scale": 1.0}),
    PriorCase("mixed, guidance 0.5", *_MIXED, {"guidance_scale": 0.5, "negative_prior_prompt": "blue"}),
    PriorCase("mixed, 2 steps", *_MIXED, {"num_inference_steps": 2}),
    PriorCase("mixed, 25 steps", *_MIXED, {"num_inference_steps": 25}),
    PriorCase("call, one prompt", ["a cat"]),
    PriorCase("call, two prompts, three pictures", _TEXTS, None, {"num_images_per_prompt": 3}),
    PriorCase(
        "call, negatives, two pictures",
        _TEXTS,
        None,
        {"negative_prompt": ["low quality", ""], "num_images_per_prompt": 2},
    ),
    PriorCase("call, guidance 1, two pictures", ["a cat"], None, {"guidance_scale": 1.0, "num_images_per_prompt": 2}),
]

DECODER_CASES = [
    DecoderCase("empty prompt", "", cells=(1, 2)),
    DecoderCase("prompt", "a painting of a cat"),
    DecoderCase("prompt and negative", "a painting", {"negative_prompt": "low quality"}),
    DecoderCase("odd size", "кот", cells=(2, 1), trim=(5, 9)),
    DecoderCase("1 step", "a cat", {"num_inference_steps": 1}),
    DecoderCase("10 steps", "a cat", {"num_inference_steps": 10}),
    DecoderCase("guidance 1", "a cat", {"guidance_scale": 1.0}, cells=(1, 2)),
    DecoderCase("guidance 0.5", "a cat", {"guidance_scale": 0.5}),
    DecoderCase("guidance 9", "a cat", {"guidance_scale": 9.0}),
    DecoderCase("two pictures a prompt", ["a cat", "ein Hund"], {"num_images_per_prompt": 2}),
    DecoderCase("two prompts and negatives", ["a cat", "ein Hund"], {"negative_prompt": ["low", ""]}),
    # Clipping does not limit the noise, and the variance that a random UNet asks for is far out of bounds: latents of
    # 20 to 900. A change of the first ones by 1e-6 moved such a picture by 5e-3; on the gentle decoder by 1e-5.
    DecoderCase("DDPM, learned variance", "a cat", scheduler="DDPMScheduler", decoder="gentle"),
    DecoderCase("DDPM, guidance 1", "a cat", {"guidance_scale": 1.0}, scheduler="DDPMScheduler", decoder="gentle"),
    DecoderCase("DPM-Solver++, Karras", "a cat", scheduler="DPMSolverMultistepScheduler", decoder="gentle"),
    # At other sizes, a change of the first latents by 1e-6 moves this picture by 3e-3 of values up to 104.
    DecoderCase("UniPC", "a cat", cells=(1, 2), scheduler="UniPCMultistepScheduler", decoder="gentle"),
]

# On `write_gentle_decoder`, with the checkpoint's own scheduler, which does not clip, as the published one.
# The size matters: a change of the first latents by 1e-6 changes these pictures by at most 5e-5 of their largest value,
# some of other sizes by 6e-3, where MoVQ is less stable.
GENTLE_CASES = [
    DecoderCase(
        f"{steps} steps",
        "a cat",
        {"num_inference_steps": steps, "guidance_scale": 4.0},
        cells=(2, 1),
        decoder="gentle",
    )
    for steps in (10, 25)
]
_GENTLE = 1 / 20  # how much of a random UNet's output is left

# From items to a picture, as the script in the README, with the checkpoint's own scheduler. A change of the first
# latents by 1e-6 changes it by at most 4e-5, and by ten to twenty times that on the random decoder or at other sizes.
WHOLE = PriorCase("from items to a picture", *_MIXED)
WHOLE_DECODER = DecoderCase("from items to a picture", "", {"num_inference_steps": 2}, decoder="gentle")

SCHEDULER_CHANGES = {
    "DDIMScheduler": {"clip_sample": True},
    "DDPMScheduler": {"clip_sample": True, "variance_type": "learned_range"},
    "DPMSolverMultistepScheduler": {"use_karras_sigmas": True},
    "UniPCMultistepScheduler": {},
}


def write_gentle_decoder(decoder: Path, out: Path) -> None:
    """Copy a decoder's checkpoint, with a UNet of small outputs: guidance does not blow its latents up."""
    shutil.copytree(decoder, out, dirs_exist_ok=True)
    file = out / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    for name in ("conv_out.weight", "conv_out.bias"):
        tensors[name] = tensors[name] * np.float32(_GENTLE)
    save_file(tensors, file, metadata={"format": "pt"})


def picture(seed: int) -> Image.Image:
    """Smooth colours, 96 x 80 pixels."""
    phases = np.random.Generator(np.random.PCG64(seed)).uniform(0, 6, 3)
    y, x = np.mgrid[0:80, 0:96] / 80.0
    base = np.stack([np.sin(6 * x + k) * np.cos(5 * y - k) for k in phases], -1)
    return Image.fromarray(((base * 0.5 + 0.5) * 255).astype(np.uint8))


def items_of(case: PriorCase) -> list[Any]:
    return [picture(item.seed) if isinstance(item, Picture) else item for item in case.items]


def prior_options(case: PriorCase) -> dict[str, Any]:
    return {"num_inference_steps": 4, **case.options}


def decoder_options(case: DecoderCase, factor: int) -> dict[str, Any]:
    """`factor` is f: by how much MoVQ shrinks."""
    height, width = (cells * factor**2 - trim for cells, trim in zip(case.cells, case.trim, strict=True))
    return {"num_inference_steps": 3, "height": height, "width": width, **case.options}


def kept(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Of MoVQ's output (B, 3, H, W) in about -1..1: as values in about 0..1, not clipped, and every third pixel.

    Clipped, most pixels of a random model are black or white; every third shows each phase of the upsampling.
    """
    return images[:, :, ::3, ::3] * 0.5 + 0.5


def embeds_of(case: DecoderCase, width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Image embeddings and negative ones, (rows, width)."""
    shape = (case.rows, width)
    return random_input(f"{case.name} embeds", shape), random_input(f"{case.name} negative embeds", shape)


def generator() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(SEED))
