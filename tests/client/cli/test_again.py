"""A picture made again from the recipe in its file: which model, which daemon, which file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from PIL import Image, PngImagePlugin

from plugin_client import launch
from plugin_client.wire.errors import DaemonNotRunning
from plugin_client.wire.messages import (
    EmbedsItem,
    ModelInfo,
    TextItem,
)
from tests.client.scripted_daemon import Script, ScriptedDaemon
from tests.client.shell import opened, run, submitted

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def made(script: Script, cat: Path, here: Path) -> Path:
    """A picture with a recipe."""
    assert run("generate --image cat.png 0.25 --prompt dog 0.75 --size 32x16 --seed 7 --count 2 -o out.png") == 0
    script.submitted.clear()
    return here / "out-2.png"


def test_again_makes_the_same_file(script: Script, made: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("again out-2.png") == 0
    assert (here / "out-2-again.png").read_bytes() == made.read_bytes()
    said = capsys.readouterr()
    assert said.out == "out-2-again.png\n"
    assert "the same picture, byte for byte" in said.err
    blend = submitted(script)
    assert blend.items == (EmbedsItem(bytes(12), 0.25, "cat.png"), TextItem("dog", 0.75))
    assert (blend.seed, blend.variation, blend.count) == (7, 1, 1)
    assert blend.model_hash == "f00d"


def test_a_file_of_an_older_version_is_made_again_as_the_same_picture(
    script: Script, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = opened(made)
    recipe = json.loads(image.info["kandinsky-blend"]) | {"recipe": 1}
    del recipe["kind"]
    for item in recipe["items"]:
        del item["kind"]
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("kandinsky-blend", json.dumps(recipe))
    image.save(made, pnginfo=chunks)
    assert run("again out-2.png") == 0
    assert "the same picture, pixel for pixel; its recipe is written in a newer form\n" in capsys.readouterr().err


def test_again_over_the_file_itself_is_the_same_file(script: Script, made: Path) -> None:
    before = made.read_bytes()
    assert run("again out-2.png -o out-2.png") == 0
    assert made.read_bytes() == before


def test_again_with_changes_says_what_differs(script: Script, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("again out-2.png --weights 0 1 --seed 8 --steps 3 --guidance 2 --size 16x16 -o new.png") == 0
    assert "changed: weights, size, steps, guidance, seed\n" in capsys.readouterr().err
    blend = submitted(script)
    assert [item.weight for item in blend.items] == [0.0, 1.0]
    assert (blend.seed, blend.steps, blend.guidance, blend.width, blend.height) == (8, 3, 2.0, 16, 16)


def test_again_with_too_few_weights_is_refused(script: Script, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("again out-2.png --weights 1") == 2
    assert "1 weights were given, and the recipe has 2 items" in capsys.readouterr().err


def change_recipe(path: Path, **changes: Any) -> None:
    recipe = json.loads(opened(path).info["kandinsky-blend"])
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("kandinsky-blend", json.dumps(recipe | changes))
    Image.new("RGB", (2, 2)).save(path, pnginfo=chunks)


def model(name: str, hash_: str = "") -> ModelInfo:
    return ModelInfo(name, name, hash_, loaded=bool(hash_))


@pytest.mark.parametrize(
    ("recorded", "offered", "asked"),
    [
        ("a", [model("b", "beef"), model("a", "beef"), model("c", "f00d")], "c"),
        ("a", [model("b"), model("/models/a"), model("a")], "a"),
        ("a/", [model("b"), model("/models/a")], "/models/a"),
        ("a/", [model("b"), model("/models/aa"), model("/a/b")], ""),
        ("a", [model("b"), model("c", "beef")], ""),
    ],
)
def test_the_recorded_model_is_found_under_its_name_here(
    script: Script, made: Path, recorded: str, offered: list[ModelInfo], asked: str
) -> None:
    """By its weights, its name, its folder's name, else the default is tried; the daemon checks the hash."""
    change_recipe(made, model=recorded)
    script.models = tuple(offered)
    assert run("again out-2.png") == 0
    assert (submitted(script).model, submitted(script).model_hash) == (asked, "f00d")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The arguments of the daemons that would have been started."""
    arguments: list[Sequence[str]] = []

    def start(endpoint: str | None, given: Sequence[str]) -> NoReturn:
        arguments.append(given)
        raise DaemonNotRunning("not in this test")

    monkeypatch.setattr(launch, "start", start)
    return arguments


@pytest.fixture
def received(here: Path) -> Path:
    """A picture with a recipe; no daemon runs."""
    with ScriptedDaemon(Script()):
        assert run("generate --prompt dog 1 --size 16x16 -o got.png --quiet") == 0
    return here / "got.png"


@pytest.mark.parametrize(("recorded", "wanted"), [("evil-owner/evil-model", "NAME"), ("model/", "FOLDER")])
def test_a_file_does_not_choose_what_is_downloaded(
    received: Path, recorded: str, wanted: str, started: list[Sequence[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    change_recipe(received, model=recorded)
    assert run("again got.png --quiet") == 2
    said = (
        f"got.png was made with the model {recorded!r}, and no daemon runs: start one that offers it, or give --model"
    )
    assert capsys.readouterr().err.endswith(f"kandinsky-blend: {said} {wanted}\n")
    assert started == []


@pytest.mark.parametrize(
    ("recorded", "more", "arguments"),
    [
        ("embedded", "", ["--model", "embedded"]),
        ("evil-owner/evil-model", " --model owner/mine", ["--model", "owner/mine"]),
    ],
)
def test_the_default_model_and_one_that_was_asked_for_are_started(
    received: Path, recorded: str, more: str, arguments: list[str], started: list[Sequence[str]]
) -> None:
    change_recipe(received, model=recorded)
    assert run(f"again got.png --quiet{more}") == 1
    assert started == [arguments]


def test_another_model_may_be_asked_for(script: Script, made: Path) -> None:
    script.models += (ModelInfo("other", "x", "", loaded=False),)
    assert run("again out-2.png --model other") == 0
    assert (submitted(script).model, submitted(script).model_hash) == ("other", "")


def test_files_hold_nothing_that_changes_from_day_to_day(script: Script, made: Path) -> None:
    assert set(opened(made).info) == {"kandinsky-blend", "srgb"}
