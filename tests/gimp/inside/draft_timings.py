"""From the puck to its draft, measured beside a GIMP with a window: seconds of each repetition, into timings.json.

Not a test: tests/benchmarks/gimp.py runs it.
"""

import json
import time

from tests.gimp.inside.timings import REPETITIONS, clicked, open_dialog, soon, status_line
from tests.gimp.inside.window import FOLDER, ROLE, extents, keys, one, report, spin, wait_for

MOVES = (0.2, 0.8)  # of the pad's width, in turn

timings = {"draft": []}


def test_puck_to_draft():
    open_dialog()
    pad = extents(one("Blend pad", ROLE.PANEL))
    generate = one("Generate", ROLE.PUSH_BUTTON)
    for repetition in range(1 + REPETITIONS):
        spin("Seed", repetition)
        clicked(generate)  # what is said of its end gives way to what is said of the draft
        line = wait_for("the picture", lambda: "Kandinsky" in (found := status_line()).get_name() and found)
        at = pad.x + round(MOVES[repetition % 2] * pad.width), pad.y + pad.height // 2
        started = time.monotonic()
        keys("mousemove", *map(str, at), "click", "1")
        soon(lambda line=line: line.get_name().startswith("Draft, drawn in"))
        timings["draft"].append(time.monotonic() - started)
    del timings["draft"][0]  # the first embeds the layers


if __name__ == "__main__":
    report(globals())
    (FOLDER / "timings.json").write_text(json.dumps(timings))
