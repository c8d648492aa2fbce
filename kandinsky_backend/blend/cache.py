"""A cache of embeddings by content: moving a weight computes none of them again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import numpy as np
import numpy.typing as npt

Arrays = tuple[npt.NDArray[np.float32], ...]


class EmbedsCache:
    """Arrays by content, least recently used ones dropped when they take more than `max_bytes` together."""

    def __init__(self, max_bytes: int = 64 * 2**20) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._arrays: OrderedDict[Hashable, Arrays] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._arrays

    def get(self, key: Hashable) -> Arrays | None:
        """The arrays under `key`, or None."""
        if key not in self._arrays:
            return None
        self._arrays.move_to_end(key)
        return self._arrays[key]

    def put(self, key: Hashable, arrays: Arrays) -> None:
        """Keep `arrays` under `key`, which holds nothing yet."""
        self._arrays[key] = arrays
        self.bytes += _bytes(arrays)
        while self.bytes > self.max_bytes:
            _, dropped = self._arrays.popitem(last=False)
            self.bytes -= _bytes(dropped)


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays)
