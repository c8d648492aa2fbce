"""The plug-in's procedures in a real GIMP without a window; the cases are in inside/."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from PIL import Image

from tests.gimp.editor import Editor, case_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CASES = [
    (file, name)
    for file in ("pixel_cases.py", "blend_cases.py", "sweep_cases.py", "redraw_cases.py")
    for name in case_names(file)
]


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_the_animation_that_gimp_exports_has_the_frames_in_order(
    editor: Editor, reports: Callable[[str], dict[str, str]], suffix: str
) -> None:
    reports("sweep_cases.py")
    made = [bytes.fromhex(pixels) for pixels in json.loads((editor.folder / "frames.json").read_text())]
    with Image.open(editor.folder / f"sweep.{suffix}") as animation:
        assert animation.n_frames == len(made) == 4
        for number in range(len(made)):
            animation.seek(number)
            animation.load()
            assert animation.info["duration"] == 100
            distances = [distance(animation.convert("RGBA").tobytes(), other) for other in made]
            assert distances.index(min(distances)) == number


def distance(one: bytes, other: bytes) -> int:
    """Between two pictures; a GIF has but 256 colours."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("file", "name"), CASES, ids=[name for _, name in CASES])
def test_in_gimp(reports: Callable[[str], dict[str, str]], file: str, name: str) -> None:
    complaint = reports(file)[name]
    assert not complaint, complaint
