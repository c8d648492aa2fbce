"""Measure diffusers on PyTorch: one stage in a process of its own, in the environment of the peers.

    python theirs.py '{"stage": "step", "folder": "FOLDER", "precision": "float32", "sizes": [512], "repeats": 3}'

The last line it prints is JSON: seconds of each repetition by row, and bytes for "peak". Knows nothing of our packages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import KandinskyPipeline, KandinskyPriorPipeline, UNet2DConditionModel, VQModel
from PIL import Image
from timing import Rows, interpolations, load_and_peak, seconds

PROMPT = "a cat"


def unet_of(folder: Path, dtype: torch.dtype) -> UNet2DConditionModel:
    model = UNet2DConditionModel.from_pretrained(folder / "decoder" / "unet", torch_dtype=dtype)
    return model.to(memory_format=torch.channels_last).eval()


def unet_inputs(size: int, batch: int, config: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Inputs of a guided step for `batch` pictures of `size` x `size` pixels."""
    rows = 2 * batch
    embeds = torch.randn(2, rows, config.cross_attention_dim, dtype=dtype)
    return {
        "sample": torch.randn(rows, config.in_channels, size // 8, size // 8, dtype=dtype).to(
            memory_format=torch.channels_last
        ),
        "timestep": torch.tensor(500),
        "encoder_hidden_states": torch.randn(rows, 77, config.encoder_hid_dim, dtype=dtype),
        "added_cond_kwargs": {"text_embeds": embeds[0], "image_embeds": embeds[1]},
    }


def step(folder: Path, dtype: torch.dtype, sizes: list[int], batches: list[int], repeats: int) -> Rows:
    """Guided steps of the decoder."""
    unet = unet_of(folder, dtype)
    rows = {}
    for size in sizes:
        for batch in batches:
            inputs = unet_inputs(size, batch, unet.config, dtype)
            rows[f"step-{size}x{batch}"] = seconds(lambda inputs=inputs: unet(**inputs), repeats)
    return rows


def decode(folder: Path, dtype: torch.dtype, sizes: list[int], repeats: int, **_: Any) -> Rows:
    """Decodings by MoVQ."""
    movq = VQModel.from_pretrained(folder / "decoder" / "movq", torch_dtype=dtype)
    movq = movq.to(memory_format=torch.channels_last).eval()
    rows = {}
    for size in sizes:
        latents = torch.randn(1, 4, size // 8, size // 8, dtype=dtype).to(memory_format=torch.channels_last)
        rows[f"decode-{size}"] = seconds(lambda latents=latents: movq.decode(latents, force_not_quantize=True), repeats)
    return rows


def prior_of(folder: Path, dtype: torch.dtype) -> KandinskyPriorPipeline:
    prior = KandinskyPriorPipeline.from_pretrained(folder / "prior", torch_dtype=dtype)
    prior.set_progress_bar_config(disable=True)
    return prior


def decoder_of(folder: Path, dtype: torch.dtype) -> KandinskyPipeline:
    decoder = KandinskyPipeline.from_pretrained(folder / "decoder", torch_dtype=dtype)
    decoder.set_progress_bar_config(disable=True)
    decoder.unet.to(memory_format=torch.channels_last)
    decoder.movq.to(memory_format=torch.channels_last)
    return decoder


def blend(prior: KandinskyPriorPipeline, pictures: list[str], steps: int) -> Any:
    items = [PROMPT, *(Image.open(path).convert("RGB") for path in pictures)]
    return prior.interpolate(items, [0.3, 0.3, 0.4], num_inference_steps=steps)


def interpolate(
    folder: Path, dtype: torch.dtype, pictures: list[str], prior_steps: int, repeats: int, **_: Any
) -> Rows:
    """One text and two pictures."""
    prior = prior_of(folder, dtype)
    return interpolations(lambda steps: blend(prior, pictures, steps), prior_steps, repeats)


def job(folder: Path, dtype: torch.dtype, sizes: list[int], pictures: list[str], repeats: int, **_: Any) -> Rows:
    """Loading, and the peak of memory at the first size."""

    def run(pipelines: tuple[KandinskyPriorPipeline, KandinskyPipeline]) -> None:
        prior, decoder = pipelines
        embeds, negative = blend(prior, pictures, 2).to_tuple()
        decoder(PROMPT, embeds, negative, height=sizes[0], width=sizes[0], num_inference_steps=1)

    return load_and_peak(lambda: (prior_of(folder, dtype), decoder_of(folder, dtype)), run, repeats)


STAGES: dict[str, Callable[..., Rows]] = {"step": step, "decode": decode, "interpolate": interpolate, "job": job}


def main() -> None:
    request = json.loads(sys.argv[1])
    stage = STAGES[request.pop("stage")]
    request["folder"], request["dtype"] = Path(request["folder"]), getattr(torch, request.pop("precision"))
    torch.set_num_threads(request.pop("threads"))
    torch.manual_seed(0)
    with torch.inference_mode():
        rows = stage(**request)
    print(json.dumps(rows), flush=True)


if __name__ == "__main__":
    main()
