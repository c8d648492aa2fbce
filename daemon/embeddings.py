"""Embeddings between processes: the arrays of the backend's cache as bytes, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from daemon.executors.base import Embedding
from kandinsky_backend.blend import EmbedsCache


def embedding_of(key: str, arrays: Sequence[npt.NDArray[np.float32]]) -> Embedding:
    """Return what is kept under a key as it is sent."""
    return Embedding(
        key, tuple(array.shape for array in arrays), tuple(array.astype("<f4").tobytes() for array in arrays)
    )


def keep(embeddings: Iterable[Embedding], cache: EmbedsCache) -> None:
    """Keep what another process has made."""
    for one in embeddings:
        cache.put(one.key, tuple(map(_array, one.shapes, one.values)))


def _array(shape: tuple[int, ...], values: bytes) -> npt.NDArray[np.float32]:
    return np.frombuffer(values, "<f4").astype(np.float32).reshape(shape)
