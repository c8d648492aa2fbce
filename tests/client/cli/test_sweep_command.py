"""kandinsky-blend sweep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from plugin_client.pictures import read_recipe
from plugin_client.wire.messages import Release
from tests.client.scripted_daemon import ScriptedDaemon
from tests.client.shell import run
from tests.client.test_sweep import Colours

pytestmark = pytest.mark.usefixtures("here")

ITEMS = ("--prompt", "a cat", "1", "--prompt", "a sky", "0.1", "--to", "0", "0.9")
SMALL = "sweep --size 32x16 --seed 7 --frames 3"


@pytest.fixture
def script() -> Colours:
    return Colours()


@pytest.fixture
def daemon(script: Colours) -> Iterator[None]:
    with ScriptedDaemon(script):
        yield


@pytest.mark.usefixtures("daemon")
def test_frames_are_numbered_files_each_with_its_recipe(
    here: Path, script: Colours, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"{SMALL} -o out.png", *ITEMS) == 0
    assert capsys.readouterr().out.split() == ["out-1.png", "out-2.png", "out-3.png"]
    weights = [[item["weight"] for item in read_recipe(here / f"out-{n}.png")["items"]] for n in (1, 2, 3)]
    assert weights == [[1, 0.1], [0.5, 0.5], [0.9]]
    assert sum(isinstance(message, Release) for message in script.asked) == 3


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_frames_are_one_animation_in_order(here: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{SMALL} --frame-time 250 -o out.{suffix}", *ITEMS) == 0
    assert capsys.readouterr().out == f"out.{suffix}\n"
    with Image.open(here / f"out.{suffix}") as animation:
        assert animation.n_frames == 3
        for number, red in enumerate((10, 50, 90)):
            animation.seek(number)
            assert animation.convert("RGB").getpixel((0, 0)) == (red, 0, 0)
            assert animation.info["duration"] == 250


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (f"{SMALL} -o out.mp4", "'out.mp4' must end in .png, .gif or .webp"),
        (f"{SMALL} -o out.gif --frame-time 5", "'5' is no time: must be a whole number from 20 to 60000"),
        ("sweep --frames 201 -o out.gif", "frames is 201: must be a whole number from 2 to 200"),
        (f"{SMALL} -o nowhere/out.gif", "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    command: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, *ITEMS) == 2
    assert sentence in capsys.readouterr().err


def test_a_weight_at_the_end_is_needed_for_each_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{SMALL} -o out.gif", *ITEMS[:-1]) == 2
    assert "to has 1 weights, and there are 2 items: give one for each" in capsys.readouterr().err
