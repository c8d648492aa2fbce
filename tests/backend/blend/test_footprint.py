"""The memory of a run: what is said before it starts, beside what the process really takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mindspore as ms
import pytest

from kandinsky_backend import KandinskyPipeline
from kandinsky_backend.blend.footprint import bytes_needed, check_memory
from kandinsky_backend.errors import NotEnoughMemory
from kandinsky_backend.families import EMBEDDED_FOLDER
from kandinsky_backend.ops import plans_compute
from kandinsky_backend.pipelines import base
from kandinsky_backend.residency import Residency, available_memory
from plugin_client.wire.settings import BlendSettings
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


@pytest.mark.skipif(not plans_compute(ms.float32), reason="models do not run as plans here")
def test_the_weights_that_plans_keep_in_tiles_are_known_before_the_first_load(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = KandinskyPipeline.from_pretrained(EMBEDDED_FOLDER / "decoder", residency=Residency(10**12))
    settings = BlendSettings(width=512, height=512)  # where some of the UNet's convolutions take tiles
    [unet] = decoder.parts_of_denoising
    in_file, without_tiles = unet.nbytes, bytes_needed([unet], decoder, settings)
    monkeypatch.setattr(base, "WORTH_FORESEEING", 0)
    with_tiles, foreseen = bytes_needed([unet], decoder, settings), unet.nbytes
    assert not unet.loaded
    assert foreseen > 1.2 * in_file
    assert with_tiles - without_tiles == foreseen - in_file
    decoder.prepare_ahead(settings.height, settings.width, settings.guidance, lambda: False)
    assert unet.nbytes == pytest.approx(foreseen, rel=0.06)  # oneDNN fills up narrow layers


def test_a_run_that_takes_more_than_there_is_is_refused_with_both_numbers() -> None:
    available = available_memory()
    if available is None:
        pytest.skip("the system does not tell what is free")
    check_memory(available // 2)
    with refused(NotEnoughMemory, "too-little-memory", needed="1000000.0 GB"):
        check_memory(10**15)
