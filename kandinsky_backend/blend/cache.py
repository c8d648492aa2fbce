"""A cache of embeddings by content: moving a weight computes none of them again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np
import numpy.typing as npt

Arrays = tuple[npt.NDArray[np.float32], ...]


def key_of(*content: object) -> str:
    """Return the key of what follows from `content` alone, values with a full repr: the same in every process."""
    return hashlib.sha256(repr(content).encode()).hexdigest()


class EmbedsCache:
    """Arrays by content, least recently used ones dropped when they take more than `max_bytes` together."""

    def __init__(self, max_bytes: int = 64 * 2**20) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._arrays: OrderedDict[str, Arrays] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._arrays

    def get(self, key: str) -> Arrays | None:
        """The arrays under `key`, or None."""
        if key not in self._arrays:
            return None
        self._arrays.move_to_end(key)
        return self._arrays[key]

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep `arrays` under `key`; what it holds already stays."""
        if key in self._arrays:
            return
        self._arrays[key] = arrays
        self.bytes += _bytes(arrays)
        while self.bytes > self.max_bytes:
            _, dropped = self._arrays.popitem(last=False)
            self.bytes -= _bytes(dropped)


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays)
