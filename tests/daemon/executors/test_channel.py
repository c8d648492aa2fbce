"""The channel between LocalExecutor and its worker: its messages and its end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.executors.base import JobAdvanced, JobDone, JobFailed
from daemon.executors.channel import CancelJob, Channel, Message, RunJob, pack, unpack
from daemon.job_runner import RunnerState
from plugin_client.wire.messages import Blend, EmbedsItem, ModelInfo, Picture, PictureItem, TextItem

SMALL = Picture(2, 1, 3, b"abcdef")
ITEMS = (
    TextItem("a cat", 0.5),
    PictureItem(SMALL, -0.25, fit="pad", backdrop=(1, 2, 3), label="sky.png"),
    PictureItem(SMALL, 1.0),
    EmbedsItem(b"\x00\xff\x00\xff", 1.0),
)
MESSAGES: list[Message] = [
    RunJob("a", Blend(ITEMS, width=64, height=32, seed=2**53 - 1, model="embedded")),
    CancelJob("a"),
    RunnerState("CPU", "bfloat16", 2**33, (ModelInfo("m", "m/decoder", "f00d", loaded=True, note="small", side=128),)),
    RunnerState("", "", 0, ()),
    JobAdvanced("a", "denoising", 3, 50, 1, remaining=-1.0),
    JobAdvanced("a", "denoising", 3, 50, 1, remaining=2.5, preview=SMALL),
    JobDone("a", (SMALL, SMALL), {"seed": 1, "items": [{"text": "a", "weight": 1.0}], "none": None}, ("cut off",)),
    JobFailed("a", "internal", "a mistake"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_out_as_it_went_in(message: Message) -> None:
    assert unpack(pack(message)) == message


def test_pixels_are_carried_as_they_are() -> None:
    frames = pack(MESSAGES[0])
    assert [frame for frame in frames[1:] if frame is SMALL.pixels] == [SMALL.pixels] * 2


def test_a_name_of_no_message_is_refused() -> None:
    header = pack(CancelJob("a"))[0].replace(b"CancelJob", b"Exception")
    with pytest.raises(KeyError):
        unpack([header])


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    """The two ends of a channel."""
    (down_source, down_sink), (up_source, up_sink) = os.pipe(), os.pipe()
    ends = (
        Channel(os.fdopen(up_source, "rb"), os.fdopen(down_sink, "wb")),
        Channel(os.fdopen(down_source, "rb"), os.fdopen(up_sink, "wb")),
    )
    yield ends
    for end in ends:
        end.close_sink()
        end.close_source()


def test_messages_come_in_order_whatever_their_size(pair: tuple[Channel, Channel]) -> None:
    here, there = pair
    large = Picture(3000, 2000, 3, os.urandom(3000 * 2000 * 3))
    sent = [*MESSAGES, RunJob("b", Blend((PictureItem(large, 1.0),))), *MESSAGES]

    def send() -> None:
        for message in sent:
            here.send(message)

    thread = threading.Thread(target=send)
    thread.start()
    assert [there.receive() for _ in sent] == sent
    thread.join()


def test_the_end_of_the_other_side_is_no_message(pair: tuple[Channel, Channel]) -> None:
    here, there = pair
    here.send(CancelJob("a"))
    here.close_sink()
    assert there.receive() == CancelJob("a")
    assert there.receive() is None


def test_half_a_message_of_a_side_that_has_died_is_none() -> None:
    source, sink = os.pipe()
    whole = b"".join(number.to_bytes(8, "big") for number in (1, 100)) + b"only this"
    os.write(sink, whole)
    os.close(sink)
    with os.fdopen(source, "rb") as reading, Path(os.devnull).open("wb") as nowhere:
        assert Channel(reading, nowhere).receive() is None


def test_sending_to_a_side_that_has_died_is_an_os_error(pair: tuple[Channel, Channel]) -> None:
    here, there = pair
    there.close_source()
    with pytest.raises(BrokenPipeError):
        send_often(here)


def send_often(channel: Channel) -> None:
    """Send for a second: a process that another thread has just forked holds its copies of the pipe until it execs."""
    for _ in range(100):
        channel.send(CancelJob("a"))
        time.sleep(0.01)
