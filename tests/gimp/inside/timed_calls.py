"""What a script waits for: PDB calls in a GIMP without a window, seconds of each repetition into timings.json.

Not a test: tests/benchmarks/gimp.py runs it.
"""

import json
import os
import time
from pathlib import Path

from tests.gimp.inside.images import GREEN, add_layer, blend, call, new_image

REPETITIONS = 5

timings = {"process": [], "call": []}


def test_calls():
    image = new_image(768, 768)
    layer = add_layer(image, GREEN, "large")
    items = [{"layer": layer.get_tattoo(), "weight": 1.0}]
    blend(image, items, width=64, height=64)  # loads the model
    for seed in range(REPETITIONS):
        # Refused as soon as the plug-in's process runs: what GIMP and Python take to start one.
        started = time.monotonic()
        call("kandinsky-blend", image, steps=-1)
        timings["process"].append(time.monotonic() - started)
        started = time.monotonic()
        blend(image, items, width=768, height=768, steps=4, seed=float(seed))
        timings["call"].append(time.monotonic() - started)
    Path(os.environ["CASES_FOLDER"], "timings.json").write_text(json.dumps(timings))
