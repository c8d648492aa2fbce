"""Draws a sheet of nine blends of two pictures and a prompt: a script as a user may write it, beside a daemon.

    .venv/bin/python install/demo_sheet.py ONE.png ANOTHER.png "a prompt" FOLDER

From left to right the weight goes from the first picture to the second, from top to bottom it goes to the prompt.
FOLDER gets sheet.png, and blend.png: the one in the middle, with its recipe.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from plugin_client import BlendResult, Client, Job
from plugin_client.pictures import write_png

ACROSS = (0.0, 0.5, 1.0)  # how far from the first picture to the second
DOWN = (0.0, 0.4, 0.8)  # the weight of the prompt; the pictures have the rest
SETTINGS = {"seed": 11}

CELL = 192  # px, a blend in the sheet
GAP = 12
LEFT, TOP = 150, 150  # what the prompt and the pictures take
PROMPT_COLUMNS = 16  # characters of a line
INK, PAPER = (40, 40, 44), (250, 250, 248)


def main(first: str, second: str, prompt: str, folder: str) -> None:
    """Make the blends and write both files."""
    sources = [Path(first), Path(second)]
    with Client() as client:
        jobs = [client.submit(list(zip([*sources, prompt], weights)), **SETTINGS) for weights in grid()]
        results = [_finished(job, n) for n, job in enumerate(jobs, 1)]
    middle = results[len(results) // 2]
    write_png(Path(folder, "blend.png"), middle.pictures[0], middle.recipes[0])
    sheet(sources, prompt, [result.images[0] for result in results]).save(Path(folder, "sheet.png"))


def grid() -> list[tuple[float, float, float]]:
    """Return the weights of both pictures and the prompt, row by row."""
    return [((1 - down) * (1 - across), (1 - down) * across, down) for down in DOWN for across in ACROSS]


def _finished(job: Job, number: int) -> BlendResult:
    result = job.result()
    print(f"{number} of {len(ACROSS) * len(DOWN)}", flush=True)
    job.release()
    return result


def sheet(sources: list[Path], prompt: str, blends: list[Image.Image]) -> Image.Image:
    """Return one image of the blends and their items: the pictures above, the prompt at the left."""
    side = CELL + GAP
    page = Image.new("RGB", (LEFT + len(ACROSS) * side, TOP + len(DOWN) * side), PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for column, source in zip((0, len(ACROSS) - 1), sources, strict=True):
        with Image.open(source) as picture:
            small = picture.convert("RGB").resize((TOP - 3 * GAP,) * 2, Image.Resampling.LANCZOS)
        page.paste(small, (LEFT + column * side + (CELL - small.width) // 2, GAP))
    pen.text((LEFT + side + CELL // 2, TOP // 2), "half and half", INK, font, anchor="mm")
    pen.multiline_text((LEFT - GAP, GAP), textwrap.fill(f"“{prompt}”", PROMPT_COLUMNS), INK, font, "ra", align="right")
    for row, weight in enumerate(DOWN):
        pen.text((LEFT - GAP, TOP + row * side + CELL // 2), f"{weight:.0%} prompt", INK, font, anchor="rm")
    for place, blend in enumerate(blends):
        row, column = divmod(place, len(ACROSS))
        shown = blend.resize((CELL, CELL), Image.Resampling.LANCZOS)
        page.paste(shown, (LEFT + column * side, TOP + row * side))
    return page


if __name__ == "__main__":
    main(*sys.argv[1:])
