"""Picture files on the client's side: recipes beside bad metadata, and what results say of their colours."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import pytest

from kandinsky_backend import png_files
from plugin_client import pictures
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import Picture
from tests.client.scripted_daemon import Script
from tests.client.shell import opened, run
from tests.picture_makers import ADOBE_RGB, chunk, matrix_profile, png, power, profile_chunk

RECIPE = {"recipe": 1, "items": []}
PIXELS = [[(1, 2, 3)]]
BOMB = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 * 2**20)))
DAMAGED = chunk(b"tEXt", b"Comment\0hello")[:-4] + b"oops"


def recipe_chunk(kind: bytes, text: str = json.dumps(RECIPE)) -> bytes:
    data = {
        b"iTXt": b"\0\0\0\0" + text.encode(),
        b"zTXt": b"\0" + zlib.compress(text.encode()),
        b"tEXt": text.encode(),
    }
    return chunk(kind, b"kandinsky-blend\0" + data[kind])


@pytest.mark.parametrize("beside", [BOMB, DAMAGED, chunk(b"gAMA", b""), chunk(b"iCCP", b"?")])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_recipe_is_read_whatever_stands_beside_it(here: Path, beside: bytes, place: str) -> None:
    chunks = beside + recipe_chunk(b"iTXt")
    (here / "a.png").write_bytes(png(PIXELS, chunks) if place == "before" else png(PIXELS, after=chunks))
    assert pictures.read_recipe(here / "a.png") == RECIPE


@pytest.mark.parametrize("kind", [b"iTXt", b"zTXt", b"tEXt"])
def test_a_recipe_is_read_from_each_kind_of_text(here: Path, kind: bytes) -> None:
    (here / "a.png").write_bytes(png(PIXELS, recipe_chunk(kind)))
    assert pictures.read_recipe(here / "a.png") == RECIPE


def test_a_long_recipe_is_read_and_an_endless_one_is_not(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = {**RECIPE, "items": ["x" * 1000] * 3000}
    (here / "a.png").write_bytes(png(PIXELS, recipe_chunk(b"zTXt", json.dumps(long))))
    assert pictures.read_recipe(here / "a.png") == long
    monkeypatch.setattr(png_files, "MAX_TEXT_BYTES", 2**20)
    with pytest.raises(UsageError, match=r"a\.png carries no recipe"):
        pictures.read_recipe(here / "a.png")


def test_a_damaged_recipe_is_none(here: Path) -> None:
    (here / "a.png").write_bytes(png(PIXELS, recipe_chunk(b"iTXt")[:-1] + b"?"))
    with pytest.raises(UsageError, match=r"a\.png carries no recipe"):
        pictures.read_recipe(here / "a.png")


@pytest.mark.timeout(20)
def test_a_pipe_has_no_recipe(here: Path) -> None:
    os.mkfifo(here / "pipe.png")
    with pytest.raises(UsageError, match="it is a pipe, a socket or a device"):
        pictures.read_recipe(here / "pipe.png")


@pytest.mark.parametrize("command", ["show a.png", "again a.png -o b.png"])
def test_commands_read_a_recipe_beside_bad_metadata(script: Script, here: Path, command: str) -> None:
    assert run("generate --prompt cat 1 --size 16x16 -o made.png --quiet") == 0
    whole = (here / "made.png").read_bytes()
    (here / "a.png").write_bytes(whole[:33] + DAMAGED + BOMB + whole[33:])
    assert run(command) == 0


def test_results_say_that_they_are_srgb(here: Path) -> None:
    pictures.write_png(here / "a.png", Picture(1, 1, 3, bytes(3)), RECIPE)
    pictures.write_grid(here / "grid.png", [Picture(1, 1, 3, bytes(3))])
    for name in ("a.png", "grid.png"):
        data = (here / name).read_bytes()
        assert data.index(chunk(b"sRGB", b"\0")) < data.index(b"IDAT")
        assert opened(here / name).info["srgb"] == 0


def test_what_cannot_be_read_of_a_picture_is_told_in_the_shell(
    script: Script, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "odd.png").write_bytes(png(PIXELS, profile_chunk(b"nonsense")))
    assert run("generate --image odd.png 1 --size 16x16 -o out.png --quiet") == 0
    assert "warning: odd.png: its colour profile is broken, or cannot be used" in capsys.readouterr().err


def test_what_is_told_comes_before_what_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "odd.png").write_bytes(png(PIXELS, profile_chunk(b"nonsense")))
    assert run("generate --image odd.png 1 --image missing.png 1 -o out.png") == 2
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["warning", "kandinsky-blend"]


def test_a_picture_s_colours_reach_the_daemon_as_srgb(here: Path) -> None:
    (here / "red.png").write_bytes(png([[(171, 35, 44)]], profile_chunk(matrix_profile(ADOBE_RGB, power(563 / 256)))))
    red, green, blue = pictures.picture_item("red.png", 1.0).picture.pixels
    assert abs(red - 200) <= 1
    assert abs(green - 30) <= 1
    assert abs(blue - 40) <= 1
