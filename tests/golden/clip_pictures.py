"""The pictures and settings that clip_pixels.npz was made from. Needs numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

CONFIG: dict[str, Any] = {
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "CLIPImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 224},
}
# Name -> what differs from CONFIG, and the stride at which the pixels are kept (to keep the file small).
SIZES: dict[str, tuple[dict[str, Any], int]] = {
    "published": ({}, 9),
    "small": ({"size": 28, "crop_size": 28}, 1),
    "inner": ({"size": {"shortest_edge": 32}, "crop_size": {"height": 21, "width": 21}}, 1),
}
SHAPES = ((224, 224), (640, 480), (333, 517), (31, 47), (300, 20), (17, 160), (28, 28), (2, 5))


def picture(width: int, height: int) -> npt.NDArray[np.uint8]:
    """Smooth waves under noise, (height, width, 3): what bicubic sampling treats well and what it treats badly."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = np.stack([np.sin(x / 9 + y / 31), np.cos(x / 23 - y / 7), np.sin((x + y) / 5)], axis=-1)
    noise = np.random.Generator(np.random.PCG64(width * 10007 + height)).uniform(-0.4, 0.4, waves.shape)
    return ((waves * 0.6 + noise) * 127.5 + 127.5).clip(0, 255).round().astype(np.uint8)
