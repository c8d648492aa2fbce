"""What the goldens of pipelines that redraw pictures run: in make_redrawing.py with diffusers, in tests with ours.

All on gentle decoders (see pipeline_cases.py) of the checkpoints tiny_a and tiny_inpaint, 64 x 128 px.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.golden.pipeline_cases import SCHEDULER_CHANGES
from tests.random_weights import random_input

HEIGHT, WIDTH, STEPS = 64, 128, 4

# As published in kandinsky-2-1/ddpm_scheduler, and as the original's p_sampler.
_DDPM = {"clip_sample": False, "thresholding": True, "sample_max_value": 2.0, "variance_type": "learned_range"}
CHANGES: dict[str, dict[str, Any]] = {"DDIMScheduler": SCHEDULER_CHANGES["DDIMScheduler"], "DDPMScheduler": _DDPM}


@dataclass(frozen=True)
class RedrawingCase:
    """`pipeline(prompt, image, [mask_image,] ..., **options)` on random embeddings."""

    name: str
    prompt: str | list[str]
    options: dict[str, Any] = field(default_factory=dict)
    scheduler: str = "DDIMScheduler"

    @property
    def rows(self) -> int:
        return len(self.prompt) if isinstance(self.prompt, list) else 1

    def embeds(self, width: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Image embeddings (rows, width), and those to lead away from."""
        shape = (self.rows, width)
        return random_input(f"{self.name} embeds", shape), random_input(f"{self.name} negative embeds", shape)


IMG2IMG_CASES = [
    *(RedrawingCase(f"strength {s}", "a cat", {"strength": s}) for s in (0.25, 0.5, 1.0)),
    RedrawingCase("two pictures a prompt", ["a cat", "ein Hund"], {"strength": 0.5, "num_images_per_prompt": 2}),
    RedrawingCase("guidance 1", "a cat", {"strength": 0.5, "guidance_scale": 1.0}),
    RedrawingCase("DDPM, strength 0.5", "a cat", {"strength": 0.5}, "DDPMScheduler"),
    RedrawingCase("DDPM, strength 1", "a cat", {"strength": 1.0}, "DDPMScheduler"),
]
INPAINT_CASES = [
    RedrawingCase("one", "a cat"),
    RedrawingCase("a negative prompt", "a cat", {"negative_prompt": "low quality"}),
    RedrawingCase("guidance 1", "a cat", {"guidance_scale": 1.0}),
    RedrawingCase("two masks", ["a cat", "ein Hund"], {"num_images_per_prompt": 2}),
    RedrawingCase("DDPM", "a cat", scheduler="DDPMScheduler"),
]
# Prior and decoder in one; options of both.
COMBINED = {"prior_num_inference_steps": 3, "num_inference_steps": STEPS}


def mask(seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """White and gray rectangles on black, (width, height) px."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((size[1], size[0]), np.uint8)
    for gray in (255, 255, 100, 160):
        (top, bottom), (left, right) = (np.sort(rng.integers(0, side, 2)) for side in pixels.shape)
        pixels[top : bottom + 9, left : right + 9] = gray
    return Image.fromarray(pixels)


def masks(rows: int) -> list[Image.Image]:
    """The first of the pictures' size, the second larger."""
    return [mask(3), mask(4, (WIDTH + 22, HEIGHT + 31))][:rows]


def small_masks() -> npt.NDArray[np.float32]:
    """20 masks (20, 1, 17, 23) of 1 to keep and 0 to repaint, a few cells to most of them."""
    rng = np.random.default_rng(8)
    shares = np.linspace(0.01, 0.4, 20)[:, None, None, None]
    return (rng.random((20, 1, 17, 23)) > shares).astype(np.float32)
