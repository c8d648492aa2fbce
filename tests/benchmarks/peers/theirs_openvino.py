"""Measure OpenVINO: one stage in a process of its own, in the environment of the peers.

    python theirs_openvino.py '{"stage": "convert", "folder": "FOLDER", "models": "MODELS"}'
    python theirs_openvino.py '{"stage": "step", "models": "MODELS", "precision": "float32", "sizes": [512], ...}'

"convert" writes the UNet and MoVQ's decoder to MODELS once, weights in float16, shapes open. A measurement compiles
them for latency and prints JSON as its last line, as theirs.py does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from timing import Rows, seconds

HINTS = {"float32": "f32", "bfloat16": "bf16"}


def convert(folder: Path, models: Path) -> Rows:
    """Write both models as OpenVINO's own files."""
    import torch
    from diffusers import VQModel
    from theirs import unet_inputs, unet_of

    class Step(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unet = unet_of(folder, torch.float32)

        def forward(self, sample: Any, timestep: Any, hidden: Any, text: Any, image: Any) -> Any:
            embeds = {"text_embeds": text, "image_embeds": image}
            return self.unet(sample, timestep, hidden, added_cond_kwargs=embeds, return_dict=False)[0]

    class Decode(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.movq = VQModel.from_pretrained(folder / "decoder" / "movq", torch_dtype=torch.float32).eval()

        def forward(self, latents: Any) -> Any:
            return self.movq.decode(latents, force_not_quantize=True, return_dict=False)[0]

    models.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode():
        write(Decode(), (torch.randn(1, 4, 32, 32),), models / "movq.xml")
        model = Step()
        given = unet_inputs(256, 1, model.unet.config, torch.float32)
        embeds = given["added_cond_kwargs"]
        example = (given["sample"], given["timestep"], given["encoder_hidden_states"], *embeds.values())
        write(model, example, models / "unet.xml")
    return {}


def write(module: Any, example: tuple[Any, ...], path: Path) -> None:
    ov.save_model(ov.convert_model(module, example_input=example), path, compress_to_fp16=True)


def compiled(path: Path, precision: str, threads: int) -> Any:
    """The model, its shapes left open: with fixed ones, OpenVINO 2026.4.1 ends in a segmentation fault on the UNet."""
    options = {"INFERENCE_PRECISION_HINT": HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
    return ov.Core().compile_model(path, "CPU", {**options, "INFERENCE_NUM_THREADS": str(threads)})


def run(model: Any, shapes: list[tuple[int, ...]], repeats: int) -> list[float]:
    """Times of calls with inputs of these shapes; the first, which prepares for them, is not counted."""
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape, np.float32) if shape else np.array(500, np.int64) for shape in shapes]
    request = model.create_infer_request()
    return seconds(lambda: request.infer(inputs), repeats)


def step(models: Path, precision: str, sizes: list[int], batches: list[int], repeats: int, threads: int) -> Rows:
    """Guided steps of the decoder."""
    model = compiled(models / "unet.xml", precision, threads)
    rows = {}
    for size in sizes:
        for batch in batches:
            count = 2 * batch
            shapes = [(count, 4, size // 8, size // 8), (), (count, 77, 1024), (count, 768), (count, 768)]
            rows[f"step-{size}x{batch}"] = run(model, shapes, repeats)
    return rows


def decode(models: Path, precision: str, sizes: list[int], repeats: int, threads: int, **_: Any) -> Rows:
    """Decodings by MoVQ."""
    model = compiled(models / "movq.xml", precision, threads)
    return {f"decode-{size}": run(model, [(1, 4, size // 8, size // 8)], repeats) for size in sizes}


STAGES = {"convert": convert, "step": step, "decode": decode}


def main() -> None:
    request = json.loads(sys.argv[1])
    stage = STAGES[request.pop("stage")]
    for name in ("folder", "models"):
        if name in request:
            request[name] = Path(request[name])
    print(json.dumps(stage(**request)), flush=True)


if __name__ == "__main__":
    main()
