"""What is packed comes back whole, and nothing else is unpacked."""

from __future__ import annotations

import tracemalloc
import zlib
from base64 import b64encode

import pytest

from plugin_client.packing import MAX_BYTES, pack, unpack


@pytest.mark.parametrize("data", [b"", b"\0" * 100_000, bytes(range(256)) * 30])
def test_what_was_packed_comes_back(data: bytes) -> None:
    assert unpack(pack(data), len(data)) == data


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (pack(b"abc"), 2),
        (pack(b"abc"), 4),
        (pack(b"abc")[:-8], 3),
        (pack(b""), -1),
        (pack(b"abc"), MAX_BYTES + 1),
        (b64encode(b"no packed bytes").decode(), 15),
        ("abc", 3),
        ("ä", 3),
    ],
)
def test_what_is_damaged_or_of_another_size_is_refused(text: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"bytes|ASCII|padding"):
        unpack(text, size)


def test_what_unpacks_to_more_than_it_should_takes_no_memory() -> None:
    bomb = b64encode(zlib.compress(bytes(50 * 2**20))).decode()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="not 1000 whole ones"):
            unpack(bomb, 1000)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
