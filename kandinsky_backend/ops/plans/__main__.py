"""Compile the executor of plans if need be, and say where it is, or why there is none (exit code 1).

python -m kandinsky_backend.ops.plans
"""

from __future__ import annotations

from kandinsky_backend.ops.plans.build import NoExecutor, library
from kandinsky_backend.ops.plans.precision import unusable
from kandinsky_backend.ops.plans.regions import Dtype


def main() -> int:
    """Compile, print, and return the exit code."""
    try:
        path = library()
        why_not = unusable(Dtype.BFLOAT16)
        precision = f"float32 (not in bfloat16: {why_not})" if why_not else "bfloat16, which has passed its self-test"
        print(f"models run on compiled plans in {precision}: {path}")
    except NoExecutor as exc:
        print(f"models run on MindSpore's own operators: {exc}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
