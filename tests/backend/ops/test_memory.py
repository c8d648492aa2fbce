"""Buffers share the arena, and never at the same time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kandinsky_backend.ops.plans.memory import ALIGNMENT, lay_out
from kandinsky_backend.ops.plans.regions import Buffer, Dtype, row_major
from kandinsky_backend.ops.plans.steps import Pointwise


def chain(counts: list[int], reads: list[int]) -> tuple[list[Buffer], list[Pointwise]]:
    """Steps each of which writes a buffer, and reads one from before it."""
    buffers = [Buffer(count, Dtype.FLOAT32) for count in counts]
    regions = [row_major(buffer, (buffer.count,)) for buffer in buffers]
    return buffers, [
        Pointwise(region, "copy", (regions[reads[i] % (i + 1)],) if i else ()) for i, region in enumerate(regions)
    ]


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 100)), min_size=1, max_size=40))
def test_buffers_that_are_needed_together_lie_apart(drawn: list[tuple[int, int]]) -> None:
    buffers, steps = chain([count for count, _ in drawn], [read for _, read in drawn])
    arena = lay_out(steps)
    used = [[i for i, step in enumerate(steps) if buffer in step.buffers()] for buffer in buffers]
    places = [(arena.offsets[buffer], arena.offsets[buffer] + buffer.nbytes) for buffer in buffers]
    for i in range(len(buffers)):
        assert places[i][0] % ALIGNMENT == 0
        assert places[i][1] <= arena.nbytes
        for j in range(i):
            together = used[i][0] <= used[j][-1] and used[j][0] <= used[i][-1]
            apart = places[i][1] <= places[j][0] or places[j][1] <= places[i][0]
            assert apart or not together


def test_a_chain_takes_two_places() -> None:
    _, steps = chain([1000] * 10, [i - 1 for i in range(10)])
    assert lay_out(steps).nbytes == 2 * 4096
