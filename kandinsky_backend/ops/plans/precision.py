"""In which precisions plans run here: those that the processor has, and that pass a test of the executor.

The test (selftest) runs once for each executor and precision, in a process of its own, which may crash without harm.
Its result lies beside the executor, whose name tells source, compiler and processor apart.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from kandinsky_backend.ops.plans import build, runtime
from kandinsky_backend.ops.plans.regions import Dtype

log = logging.getLogger(__name__)

# One of these instructions makes a precision faster than float32. oneDNN computes bfloat16 on any AVX-512, but slower.
INSTRUCTIONS = {Dtype.BFLOAT16: ("amx_bf16", "avx512_bf16")}
_LIMIT = 300.0  # s for a self-test that is not stuck


@lru_cache
def unusable(dtype: Dtype) -> str:
    """Why plans do not compute in `dtype` on this machine; empty where they do."""
    if runtime.load() is None:
        return "there are no compiled plans"
    if dtype == Dtype.FLOAT32:
        return ""
    if not processor_has(dtype):
        return f"the processor has none of {', '.join(INSTRUCTIONS[dtype])}"
    return self_test(build.library(), dtype)


def processor_has(dtype: Dtype) -> bool:
    """Whether the processor has instructions for `dtype`."""
    return not set(INSTRUCTIONS[dtype]).isdisjoint(build.processor().split())


def self_test(executor: Path, dtype: Dtype) -> str:
    """What the self-test in `dtype` found wrong with an executor, empty if nothing; run now if it never was."""
    result = executor.with_suffix(f".{name_of(dtype)}")
    try:
        if not result.is_file():
            _write(result, _run_self_test(name_of(dtype)))
        found = result.read_text(encoding="utf-8")
    except OSError as exc:
        return f"its self-test could not be run: {exc}"
    if found:
        log.warning("plans do not compute in %s, and %s was found by a test of them", name_of(dtype), found)
    return found


def name_of(dtype: Dtype) -> str:
    """The name of a precision: "bfloat16"."""
    return dtype.name.lower()


def _run_self_test(name: str) -> str:
    command = [sys.executable, "-m", "kandinsky_backend.ops.plans.selftest", name]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return f"no result within {_LIMIT:.0f} s"
    if ended.returncode == 0:
        return ""
    return ended.stdout.strip() or f"the exit code {ended.returncode}"


def _write(path: Path, text: str) -> None:
    """Write a whole file, whoever reads or writes it meanwhile."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="testing-") as folder:
        unfinished = Path(folder) / path.name
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
