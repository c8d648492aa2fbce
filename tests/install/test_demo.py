"""The demo as a user runs it: in this clone, with the daemon and the model that ships with the package."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image

from install.demo_sheet import ACROSS, DOWN, grid
from plugin_client.pictures import read_recipe
from tests.install.conftest import PROJECT


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_blends_two_pictures_and_a_prompt_nine_times_and_says_what_to_do_next() -> None:
    output = PROJECT / "demo-output"
    for name in ("sheet.png", "blend.png"):
        (output / name).unlink(missing_ok=True)
    done = subprocess.run([sys.executable, "install", "demo"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(output / "sheet.png") in done.stdout
    assert "start --model kandinsky-2-1" in done.stdout
    with Image.open(output / "sheet.png") as sheet:
        assert len(sheet.convert("RGB").getcolors(sheet.width * sheet.height)) > 1000
    recipe = read_recipe(output / "blend.png")
    assert recipe["model"] == "embedded"
    assert [item["weight"] for item in recipe["items"]] == pytest.approx(grid()[4])
    assert ["embeds" in item for item in recipe["items"]].count(True) == 2


def test_every_weight_of_the_sheet_is_a_share_of_one() -> None:
    assert len(grid()) == len(set(grid())) == len(ACROSS) * len(DOWN)
    assert [sum(weights) for weights in grid()] == pytest.approx([1.0] * len(grid()))
