"""The files of a person who blends: none is lost, and any name will do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from plugin_client.wire.messages import PictureItem
from tests.client.scripted_daemon import Script
from tests.client.shell import opened, run, submitted


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("generate --image cat.png 1 -o cat.png", "cat.png is one of the given pictures, which would be lost"),
        ("generate --image cat.png 1 -o same/cat.png", "cat.png is one of the given pictures"),
        ("generate --image cat.png 1 -o link.png", "link.png is one of the given pictures"),
        ("generate --image cat-2.png 1 -o cat.png --count 2", "cat-2.png is one of the given pictures"),
        ("generate --image cat.png 1 -o out.png --grid cat.png", "cat.png is one of the given pictures"),
        ("generate --prompt cat 1 -o out.png --grid ./out.png", "out.png is a picture of its own already"),
        ("generate --prompt cat 1 -o out.png --count 2 --grid out-2.png", "out-2.png is a picture of its own already"),
    ],
)
def test_no_given_picture_is_written_over(
    script: Script, cat: Path, here: Path, command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "same").symlink_to(here)
    (here / "link.png").symlink_to(cat)
    (here / "cat-2.png").write_bytes(cat.read_bytes())
    before = cat.read_bytes()
    assert run(command) == 2
    assert said in capsys.readouterr().err
    assert cat.read_bytes() == before
    assert not script.submitted


def test_a_file_s_name_need_not_be_utf8(script: Script, cat: Path, here: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    cat.rename(here / name)
    assert run("generate -o out.png --size 16x16 --quiet --image", name, "1") == 0
    (item,) = submitted(script).items
    assert isinstance(item, PictureItem)
    assert item.label == "caf\ufffd.png"


def test_an_item_that_cannot_be_is_called_by_its_number(
    script: Script, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("generate -o out.png --prompt cat 1 --prompt", "x" * 4001, "1") == 2
    assert capsys.readouterr().err.startswith("kandinsky-blend: item 2: text is 'xxx")


def test_show_tells_what_a_picture_was_made_of(
    script: Script, cat: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("generate --image cat.png 0.25 --prompt dog 0.75 --size 32x16 --seed 7 -o out.png --quiet") == 0
    script.asked.clear()
    capsys.readouterr()
    assert run("show out.png") == 0
    assert capsys.readouterr().out.startswith('WEIGHT  ITEM\n0.25    picture cat.png\n0.75    prompt "dog"\n\nSETTING')
    assert run("show out.png --json") == 0
    recipe = json.loads(capsys.readouterr().out)
    assert recipe == json.loads(opened(here / "out.png").info["kandinsky-blend"])
    assert script.asked == []


def test_show_of_a_picture_without_a_recipe_says_so(cat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show cat.png") == 2
    assert capsys.readouterr().err.startswith("kandinsky-blend: cat.png carries no recipe")
