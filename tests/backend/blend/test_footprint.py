"""The memory of a run: what is said before it starts, beside what the process really takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kandinsky_backend.blend.footprint import check_memory
from kandinsky_backend.errors import NotEnoughMemory
from kandinsky_backend.residency import available_memory
from tests.benchmarks.memory import Run
from tests.refusals import refused

PROJECT = Path(__file__).parents[3]

# Runs of several sizes in one process, whose peak is taken anew for each.
MEASURE = """
import mindspore as ms

from plugin_client.wire.settings import BlendSettings
from tests.benchmarks.memory import blender_of, runs

sizes = [(64, 64, 1), (512, 512, 2), (1024, 768, 1)]
settings = [BlendSettings(width=w, height=h, count=count, steps=1, prior_steps=1) for w, h, count in sizes]
for run in runs(blender_of("embedded", ms.float32), settings):
    print(*run)
"""


@pytest.mark.slow  # a process of its own, whose memory nothing else takes
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of a process cannot be read")
def test_the_peak_of_a_run_is_known_before_it_starts() -> None:
    run = subprocess.run([sys.executable, "-c", MEASURE], cwd=PROJECT, capture_output=True, text=True, check=True)
    rows = [Run(*map(int, line.split())) for line in run.stdout.splitlines()]
    assert len(rows) == 3
    assert [row.ratio for row in rows] == pytest.approx([1, 1, 1], rel=0.2)
    # The large run alone, without the process that was there before.
    large = rows[-1]
    assert large.estimate == pytest.approx(large.peak - large.before, rel=0.35)


def test_a_run_that_takes_more_than_there_is_is_refused_with_both_numbers() -> None:
    available = available_memory()
    if available is None:
        pytest.skip("the system does not tell what is free")
    check_memory(available // 2)
    with refused(NotEnoughMemory, "too-little-memory", needed="1000000.0 GB"):
        check_memory(10**15)
