"""Looks for bytes that the codec neither reads nor refuses, led by the lines that they reach. Needs atheris.

    python -m tests.wire.fuzz --seconds 300

Ends with 0 when the time is over, and with the bytes in a file `crash-*` of the current folder when some are found. The
tests have a short form without atheris: test_hostile_bytes.py.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris
import msgpack

with atheris.instrument_imports(include=["plugin_client.wire"]):
    from plugin_client.wire import codec
    from plugin_client.wire.errors import ProtocolError
    from plugin_client.wire.messages import Blend, ListJobs, Picture, PictureItem, Ping, Pong, Submit, TextItem

JOB = "00000000-0000-4000-8000-000000000000"
PICTURE = Picture(2, 2, 3, bytes(12))
SEEDS = (
    Ping(),
    ListJobs("token"),
    Submit(JOB, Blend((TextItem("a cat", 1.0), PictureItem(PICTURE, 0.5)))),
    Pong("1", 1, 1.0, "CPU", "float32", 0, 0, 0),
)
VALUES = (None, True, -1, 0, 1, 2**53, 2**64 - 1, 1e400, float("nan"), 0.5, "", "x" * 300, JOB, b"", b"\0" * 4, [], {})


def look(data: bytes) -> None:
    """Have both sides read a message: a length of two bytes, the header, and the rest as a frame of pixels."""
    length = int.from_bytes(data[:2], "big")
    frames = [data[2 : 2 + length], data[2 + length :]]
    for decode in (codec.decode_client, codec.decode_daemon):
        try:
            decode(frames if frames[1] else frames[:1])
        except ProtocolError as error:
            if len(str(error)) > 2000:
                raise RuntimeError("the refusal is as long as what it refuses") from error


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change any bytes, or in half of the cases a value somewhere in the header, so that it stays one of msgpack."""
    dice = random.Random(seed)
    length = int.from_bytes(data[:2], "big")
    try:
        header = msgpack.unpackb(data[2 : 2 + length], strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException):
        header = None
    if not isinstance(header, dict) or not header or dice.random() < 0.5:
        return bytes(atheris.Mutate(data, max_size))
    place: Any = header
    while True:
        key = dice.choice(range(len(place)) if isinstance(place, list) else list(place))
        if not (isinstance(place[key], dict | list) and place[key] and dice.random() < 0.8):
            break
        place = place[key]
    place[key] = dice.choice(VALUES)
    packed = msgpack.packb(header)
    return (len(packed).to_bytes(2, "big") + packed + data[2 + length :])[:max_size]


def write_seeds(folder: Path) -> None:
    for number, message in enumerate(SEEDS):
        header, *pixels = codec.encode(message, 1)
        (folder / str(number)).write_bytes(len(header).to_bytes(2, "big") + header + b"".join(pixels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as corpus:
        write_seeds(Path(corpus))
        atheris.Setup(
            [sys.argv[0], f"-max_total_time={seconds}", "-max_len=4000", "-timeout=5", corpus],
            look,
            custom_mutator=mutate,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
