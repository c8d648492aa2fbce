"""What tests of the pipelines give them."""

from __future__ import annotations

from typing import Any

import numpy as np
from mindspore import Tensor

from kandinsky_backend.pipelines import KandinskyPipeline

STEPS = 2


def rng(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


def embeds(rows: int, width: int, seed: int = 1) -> Tensor:
    return Tensor(rng(seed).standard_normal((rows, width)).astype(np.float32))


def decode(decoder: KandinskyPipeline, rows: int, width: int, prompt: Any = "", /, **options: Any) -> Any:
    """The pictures (B, H, W, 3) of `rows` random embeddings."""
    options = {"height": 64, "width": 64, "num_inference_steps": 1, "output_type": "np", **options}
    return decoder(prompt, embeds(rows, width), embeds(rows, width, 2), **options)[0]
