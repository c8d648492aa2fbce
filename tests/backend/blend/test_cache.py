"""Embeddings kept by content, within a number of bytes."""

from __future__ import annotations

import numpy as np

from kandinsky_backend.blend import EmbedsCache


def test_the_cache_stays_within_its_bytes_and_drops_what_was_used_longest_ago():
    cache = EmbedsCache(max_bytes=3 * 400)
    for name in "abc":
        cache.put(name, (np.zeros(100, np.float32),))
    cache.get("a")
    cache.put("d", (np.zeros(100, np.float32),))
    assert [name in cache for name in "abcd"] == [True, False, True, True]
    assert cache.bytes == 3 * 400
    cache.put("huge", (np.zeros(10_000, np.float32),))
    assert cache.bytes == 0
