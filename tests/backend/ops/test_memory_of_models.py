"""The memory of models as plans: what loading one takes at most, and what happens where there is none left."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kandinsky_backend.models.unet import UNet2DConditionModel, UNetConfig
from tests.random_checkpoint import WeightsWriter
from tests.weights_from_names import RecordedShapes

PROJECT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")

LOAD = """
import re, sys
from pathlib import Path
import mindspore as ms
from kandinsky_backend import KandinskyPipeline
from kandinsky_backend.ops import packed_bytes
from kandinsky_backend.residency import Residency

def bytes_of(name):
    return 1024 * int(re.search(rf"{name}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def loaded(folder):
    decoder = KandinskyPipeline.from_pretrained(folder, mindspore_dtype=ms.float32, residency=Residency(10**12))
    decoder.prepare_ahead(64, 64, 4.0, lambda: False)
    return decoder.unet

kept = loaded(sys.argv[1])  # what comes with the first model of a process
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
before = bytes_of("VmRSS")
print(packed_bytes(loaded(sys.argv[2])), bytes_of("VmHWM") - before)
"""


@pytest.mark.slow  # it writes 190 MB
def test_a_float16_checkpoint_becomes_float32_a_tensor_at_a_time(tiny_checkpoint: Path, tmp_path: Path) -> None:
    config: dict[str, Any] = json.loads((tiny_checkpoint / "decoder" / "unet" / "config.json").read_text())
    config["block_out_channels"] = [512, 1024]
    recorded = RecordedShapes()
    UNet2DConditionModel(UNetConfig.from_dict(config), recorded)
    large = tmp_path / "decoder"
    shutil.copytree(tiny_checkpoint / "decoder", large)
    (large / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    WeightsWriter("fp16").write(large / "unet", "diffusion_pytorch_model", config, recorded.shapes)
    command = [sys.executable, "-c", LOAD, str(tiny_checkpoint / "decoder"), str(large)]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    packed, peak = map(int, run.stdout.split())
    assert packed > 350 * 10**6
    # Beside the packed weights: a piece of the mapped file (64 MB and a tensor), and one tensor on its way.
    assert peak < packed + 200 * 10**6


LIMIT = """
import resource
from pathlib import Path
from daemon.engine import Engine
from daemon.executors.base import JobDone, JobFailed
from daemon.job_runner import JobRunner
from plugin_client.wire.messages import Blend, TextItem

runner = JobRunner(lambda: Engine(["embedded"], "cpu", "float32", None))

def run(side, seed):
    blend = Blend((TextItem("a red circle", 1.0),), width=side, height=side, steps=1, prior_steps=2, seed=seed)
    *_, end = runner.run("00000000-0000-0000-0000-000000000000", blend, lambda: False)
    print("done" if isinstance(end, JobDone) else f"{end.code}: {end.message}")

run(64, 1)
pages = int(Path("/proc/self/statm").read_text().split()[0])
_, most = resource.getrlimit(resource.RLIMIT_AS)
for_plans = 300 * 2**20  # and not for a map of 0.5 GB
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + for_plans, most))
run(1024, 1)
run(64, 2)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
run(1024, 1)
"""


@pytest.mark.slow
def test_a_plan_whose_memory_cannot_be_had_fails_its_job_and_the_worker_goes_on() -> None:
    run = subprocess.run([sys.executable, "-c", LIMIT], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    first, refused, small, large = run.stdout.splitlines()
    assert (first, small, large) == ("done", "done", "done")
    assert refused.startswith("out-of-memory: not enough memory")
