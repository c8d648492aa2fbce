"""Regenerate clip_pixels.npz with the reference: python -m tests.golden.make_clip_pixels

Needs transformers 4.57 and torch, in an environment of their own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.golden.clip_pictures import CONFIG, SHAPES, SIZES, picture


def main() -> None:
    from transformers import CLIPImageProcessor

    pixels = {
        f"{size}/{width}x{height}": CLIPImageProcessor.from_dict(CONFIG | size_keys)(
            Image.fromarray(picture(width, height)), return_tensors="np"
        )["pixel_values"][..., ::stride, ::stride]
        for size, (size_keys, stride) in SIZES.items()
        for width, height in SHAPES
    }
    np.savez_compressed(Path(__file__).with_name("clip_pixels.npz"), **pixels)


if __name__ == "__main__":
    main()
