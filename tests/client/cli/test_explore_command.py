"""kandinsky-blend explore, and again of a cell of its sheet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from plugin_client.drafts import DRAFT_STEPS
from plugin_client.explore import CELLS
from plugin_client.pictures import read_recipe
from plugin_client.wire.messages import Release, Submit
from tests.client.scripted_daemon import OWN_SAMPLING, Script, ScriptedDaemon
from tests.client.shell import run

pytestmark = pytest.mark.usefixtures("here")

ITEMS = ("--prompt", "a cat", "0.5", "--prompt", "a sky", "0.5")
SHEET = "explore --size 32x16 --seed 7 -o sheet.png"


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    with ScriptedDaemon(script):
        yield script


def test_a_sheet_is_of_drafts_and_again_makes_a_cell_of_it_in_full(
    here: Path, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(SHEET, *ITEMS) == 0
    assert capsys.readouterr().out == "sheet.png\n"
    drafts = [message.request for message in script.asked if isinstance(message, Submit)]
    assert len(drafts) == CELLS**2
    assert {draft.steps for draft in drafts} == {DRAFT_STEPS}
    assert sum(isinstance(message, Release) for message in script.asked) == CELLS**2
    with Image.open(here / "sheet.png") as sheet:
        assert sheet.size == (CELLS * 32, CELLS * 16)
        assert sheet.convert("RGB").getpixel((2 * 32, 16)) == (8, 0, 7)  # the seed 8 of the second row
    assert run("again sheet.png --cell 2,4 -o best.png") == 0
    assert capsys.readouterr().out == "best.png\n"
    recipe = read_recipe(here / "best.png")
    assert (recipe["seed"], recipe["steps"], recipe["sampler"]) == (8, OWN_SAMPLING.steps, OWN_SAMPLING.sampler)
    assert [item["weight"] for item in recipe["items"]] == [0.25, 0.75]


@pytest.mark.usefixtures("script")
def test_a_sheet_and_a_picture_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(SHEET, *ITEMS) == 0
    assert run("generate --size 32x16 -o one.png", *ITEMS) == 0
    capsys.readouterr()
    for command, sentence in {
        "again sheet.png": "sheet.png is a sheet: say which of its pictures with --cell ROW,COLUMN",
        "show sheet.png --cell 6,1": "sheet.png has no cell 6,1: it has 5 rows and 5 columns",
        "show one.png --cell 1,1": "one.png is no sheet of kandinsky-blend explore: leave --cell out",
        "show sheet.png --cell 0,1": "'0,1' is no cell: write ROW,COLUMN, like 2,3",
    }.items():
        assert run(command) == 2
        assert sentence in capsys.readouterr().err
