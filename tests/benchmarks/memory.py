"""The memory that runs take, as it is estimated before they start and as it is.

    .venv/bin/python -m tests.random_checkpoint FOLDER --size full --dtype fp16
    .venv/bin/python -m tests.benchmarks.memory FOLDER [--precision float32] [--sizes 512x512 768x768]

Runs blends of a text and a picture, one after another in this process, as a daemon's worker does; the system counts the
peak anew for each. Of `embedded` the small model is measured. README.md beside this file has figures.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import mindspore as ms
from PIL import Image

from kandinsky_backend import device, families
from kandinsky_backend.blend import Blender, BlendRequest, EmbedsCache, Picture, Text, open_blender
from kandinsky_backend.residency import Residency
from plugin_client.wire.settings import BlendSettings

PROCESS = Path("/proc/self")


class Run(NamedTuple):
    """Bytes of this process: before a run, what the run is estimated to add, and the peak while it runs."""

    before: int
    estimate: int
    peak: int

    @property
    def ratio(self) -> float:
        """The estimated peak of the process, of the measured one."""
        return (self.before + self.estimate) / self.peak


def blender_of(model: str, dtype: ms.Type) -> Blender:
    """The blender of a model, as the daemon's engine opens it."""
    return open_blender(families.locate(model), dtype, Residency(), EmbedsCache())


def runs(blender: Blender, settings: Iterable[BlendSettings]) -> Iterator[Run]:
    """Blend with each settings, of other seeds so that nothing is in the cache."""
    picture = Image.new("RGB", (300, 200), "red")
    for seed, each in enumerate(settings):
        request = BlendRequest((Text(f"a red circle {seed}", 0.5), Picture(picture, 0.5)), each)
        (PROCESS / "clear_refs").write_text("5")  # the peak counts from here
        before, estimate = _status("VmRSS"), blender.bytes_needed(request)
        for _ in blender.run(request):
            pass
        yield Run(before, estimate, _status("VmHWM"))


def _status(name: str) -> int:
    """Bytes, of a line that the system has in KiB."""
    found = re.search(rf"{name}:\s+(\d+)", (PROCESS / "status").read_text())
    assert found
    return 1024 * int(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a folder, or a name that the daemon takes")
    parser.add_argument("--precision", default="auto", choices=("auto", *device.PRECISIONS))
    parser.add_argument("--sizes", nargs="+", default=["512x512", "768x768"])
    arguments = parser.parse_args()
    dtype = device.precision_called(arguments.precision)
    sizes = [tuple(map(int, size.split("x"))) for size in arguments.sizes]
    settings = [BlendSettings(width=width, height=height, steps=2, prior_steps=2) for width, height in sizes]
    print(f"{arguments.model} in {device.name_of(dtype)}; GB of the process")
    print("size        before  estimate  peak   estimated of the peak")
    for size, run in zip(arguments.sizes, runs(blender_of(arguments.model, dtype), settings), strict=True):
        before, estimate, peak = (nbytes / 1e9 for nbytes in run)
        print(f"{size:10} {before:7.2f} {before + estimate:9.2f} {peak:5.2f} {run.ratio:9.2f}", flush=True)


if __name__ == "__main__":
    main()
