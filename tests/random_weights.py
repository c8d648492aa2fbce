"""Random weights that need no file: each tensor's values follow from its name and shape alone.

The golden files and the checkpoints made for tests draw from here on both sides, ours and diffusers', so that no
weights are committed. Needs numpy only.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt


def random_tensor(name: str, shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.float32]:
    """Values of the tensor `name`, scaled so that activations neither die nor explode.

    Matrices and kernels are normal with deviation 1/sqrt(fan in); norm weights and clip_std are 1 + 0.1 normal; other
    vectors are 0.1 normal.
    """
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    values = rng.standard_normal(shape, dtype=np.float32)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "clip_std" or (leaf == "weight" and len(shape) == 1):
        return 1.0 + 0.1 * values
    if len(shape) == 1 or leaf == "clip_mean":
        return 0.1 * values
    return values / np.float32(np.sqrt(np.prod(shape[1:])))


def random_input(name: str, shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.float32]:
    """A standard normal input called `name`."""
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(f"input {name}".encode())]))
    return rng.standard_normal(shape, dtype=np.float32)
