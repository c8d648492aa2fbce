"""bfloat16 plans on a processor without it, so that the executor's own code for it is tested anywhere.

oneDNN has reference kernels that compute bfloat16 in plain C++, but asks a function of its own first whether the
processor has AVX-512. That function is exported, so a library that is loaded before can answer in its place. What is
tested so is the executor, its norms, attention, layouts and rounding; not oneDNN's kernels for such processors.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from kandinsky_backend.ops.plans import build, precision
from kandinsky_backend.ops.plans.regions import Dtype

_ANSWER = 'extern "C" bool _ZN4dnnl4impl3cpu8platform21has_data_type_supportE16dnnl_data_type_t(int) { return true; }'


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process whose plans compute bfloat16; `folder` is for the library."""
    if precision.processor_has(Dtype.BFLOAT16):
        return dict(os.environ)
    source, answer = folder / "answer.cpp", folder / "answer.so"
    source.write_text(_ANSWER, encoding="utf-8")
    subprocess.run([build.find_compiler(), "-shared", "-fPIC", "-o", answer, source], check=True)
    return {**os.environ, "LD_PRELOAD": str(answer)}
