"""Time calls: imported by ours and, in the environment of the peers, by theirs."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Which seconds count. Those of the processor are on one core what those of the wall are when nothing else runs.
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
CLOCK_VARIABLE = "KANDINSKY_BENCHMARK_CLOCK"
clock = CLOCKS[os.environ.get(CLOCK_VARIABLE, "wall")]

Rows = dict[str, list[float]]  # seconds of each repetition by row; bytes for "peak"


def seconds(call: Callable[[], Any], repeats: int) -> list[float]:
    """Times of `repeats` calls, after one that is not counted."""
    call()
    return [once(call) for _ in range(repeats)]


def once(call: Callable[[], Any]) -> float:
    """Time of a call."""
    started = clock()
    call()
    return clock() - started


def interpolations(blend: Callable[[int], Any], prior_steps: int, repeats: int) -> Rows:
    """Times of `blend`, which takes a number of prior steps, after one with 2 that is not counted."""
    blend(2)  # the reference fails with 1
    return {"interpolate": [once(lambda: blend(prior_steps)) for _ in range(repeats)]}


def load_and_peak(load: Callable[[], Any], run: Callable[[Any], Any], repeats: int) -> Rows:
    """Loading, as what the first small job takes more than the next; and the peak of memory at its size.

    Args:
        load: the pipelines, which `run` takes.
    """
    started = clock()
    pipelines = load()
    loaded = clock() - started
    first = once(lambda: run(pipelines))
    later = [once(lambda: run(pipelines)) for _ in range(repeats)]
    return {"load": [loaded + first - min(later)] if later else [], "peak": [float(peak_bytes())]}


def peak_bytes() -> int:
    """The most memory that this process has taken: getrusage would tell that of the one that started it, if more."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found, "Linux tells it"
    return 1024 * int(found[1])
