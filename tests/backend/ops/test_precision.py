"""bfloat16 plans: chosen where they may be, and no worse than PyTorch's bfloat16."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mindspore as ms
import pytest

from kandinsky_backend import device
from kandinsky_backend.errors import DeviceError
from kandinsky_backend.ops.plans import build, precision, runtime
from kandinsky_backend.ops.plans.regions import Dtype
from tests.backend.ops import emulated
from tests.golden.bfloat16 import GOLDEN
from tests.refusals import refused

LIMIT = 1.2  # times PyTorch's error


def test_bfloat16_errs_no_more_than_in_pytorch(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.backend.ops.bfloat16_errors"]
    said = subprocess.run(command, env=emulated.environment(tmp_path), capture_output=True, text=True, check=True)
    ours, theirs = json.loads(said.stdout.splitlines()[-1]), json.loads(GOLDEN.read_text(encoding="utf-8"))
    shares = {name: error / theirs[name] for name, error in ours.items()}
    assert len(shares) == 22
    assert {name: share for name, share in shares.items() if share > LIMIT} == {}
    assert all(share > 0.1 for share in shares.values()), "these are no bfloat16 plans"


@pytest.fixture
def executor(tmp_path: Path) -> Path:
    """A place for results of self-tests."""
    return tmp_path / "executor-0.so"


@pytest.fixture
def found(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let every self-test find the parameter."""
    monkeypatch.setattr(precision, "_run_self_test", lambda name: request.param)
    return str(request.param)


@pytest.mark.parametrize("found", ["", "an error of nan in a linear layer of 24"], indirect=True)
def test_a_self_test_runs_once(found: str, executor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert precision.self_test(executor, Dtype.BFLOAT16) == found
    monkeypatch.delattr(precision, "_run_self_test")
    assert precision.self_test(executor, Dtype.BFLOAT16) == found
    assert [file.name for file in executor.parent.iterdir()] == ["executor-0.bfloat16"]


@pytest.mark.skipif(precision.processor_has(Dtype.BFLOAT16), reason="oneDNN computes bfloat16 here")
def test_a_self_test_that_breaks_off_is_not_passed(executor: Path) -> None:
    assert precision.self_test(executor, Dtype.BFLOAT16) == "the exit code 1"


@pytest.fixture
def fresh() -> Iterator[None]:
    """Ask anew in which precisions plans run, now and after the test."""
    runtime.load()  # the real executor, before a test puts another in its place
    precision.unusable.cache_clear()
    yield
    precision.unusable.cache_clear()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("found", ["an error of 0.5 in attention of 5 tokens"], indirect=True)
def test_what_fails_its_self_test_is_not_chosen_and_is_said(
    found: str, executor: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(precision, "processor_has", lambda dtype: True)
    monkeypatch.setattr(build, "library", lambda: executor)
    assert device.best_precision() == ms.float32
    assert found in caplog.text
    with refused(DeviceError, "no-precision", device="CPU", precision="bfloat16", reason=found):
        device.precision_called("bfloat16")


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("found", [""], indirect=True)
def test_what_passes_is_chosen_by_itself(found: str, executor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "processor_has", lambda dtype: True)
    monkeypatch.setattr(build, "library", lambda: executor)
    assert (
        device.best_precision() == device.precision_called("auto") == device.compute_dtype(ms.bfloat16) == ms.bfloat16
    )
    assert device.precision_called("float32") == ms.float32


@pytest.mark.usefixtures("fresh")
def test_a_processor_without_it_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "processor_has", lambda dtype: False)
    assert device.best_precision() == ms.float32
    reason = "the processor has none of amx_bf16, avx512_bf16"
    with refused(DeviceError, "no-precision", device="CPU", precision="bfloat16", reason=reason):
        device.precision_called("bfloat16")


def test_float16_is_refused_where_it_is_insisted_on() -> None:
    with refused(DeviceError, "no-precision", device="CPU", precision="float16"):
        device.precision_called("float16")
