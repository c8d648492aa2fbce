"""The executor under AddressSanitizer and ThreadSanitizer, on a small plan with each kind of step."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kandinsky_backend.ops.plans import build

SOURCE = Path(__file__).parent / "sanitized.cpp"
# oneDNN itself is not instrumented: what happens inside it, and its own allocations, are not ours to judge.
OPTIONS = {
    "address,undefined": {"ASAN_OPTIONS": "detect_leaks=0"},
    "thread": {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1 halt_on_error=1"},
}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("sanitizer", OPTIONS)
def test_a_small_plan_is_clean(tmp_path: Path, sanitizer: str) -> None:
    program = tmp_path / "sanitized"
    flags = ["-std=c++17", "-O1", "-g1", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", f"-I{build.SOURCE}"]
    link = [f"-L{build.ONEDNN.parent}", f"-l:{build.ONEDNN.name}", f"-Wl,-rpath,{build.ONEDNN.parent}", "-pthread"]
    subprocess.run([build.find_compiler(), *flags, str(SOURCE), "-o", str(program), *link], check=True)
    run = subprocess.run([program], env=OPTIONS[sanitizer], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout == "the same each time\n"
