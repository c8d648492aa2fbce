"""The pure parts of the peers' benchmark: what is read, compared and written. Nothing is measured here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kandinsky_backend import ops
from tests.benchmarks.peers.machine import parse_cpuinfo
from tests.benchmarks.peers.report import report, table
from tests.benchmarks.peers.results import add, best, parse_output, ratios_of, read, write
from tests.benchmarks.peers.roofline import work_of
from tests.benchmarks.peers.stages import GOALS, OPENVINO, OURS, PYTORCH, STAGES, Contender

STEP, SCRIPT = GOALS[0], GOALS[-1]
MACHINE = {
    "processor": "a chip",
    "threads": 2,
    "flags": ["avx2"],
    "bfloat16": False,
    "memory_bytes": 2**34,
    "flops": 2e11,
    "bandwidth": 1e10,
}


def results_of(**rows: dict[str, list[float]]) -> dict:
    measured = {name.replace("_", "-"): cells for name, cells in rows.items()}
    return {"machine": MACHINE, "versions": {"torch": "2"}, "loads": [0.5, 2.0], "rows": measured}


def test_results_are_added_to_a_file_piece_by_piece(tmp_path: Path):
    path = tmp_path / "deeper" / "peers.json"
    for times in ([1.0], [3.0, 2.0]):
        results = read(path)
        add(results, Contender(OURS, "float32"), {"step-512x1": times})
        write(path, results)
    assert read(path)["rows"] == {"step-512x1": {"ours float32": [1.0, 3.0, 2.0]}}


@pytest.mark.parametrize("output", ["", "[1]", '{"step": 1}', "Traceback: gone"])
def test_output_without_rows_is_refused(output: str):
    with pytest.raises(ValueError):  # noqa: PT011  # the JSON decoder's is one too
        parse_output(output)


def test_rows_are_the_last_line_of_an_output():
    assert parse_output('a warning\n{"load": [1.5]}\n') == {"load": [1.5]}


def test_each_peer_counts_in_its_better_precision_by_its_least_time():
    results = results_of(
        step_512x1={
            "ours float32": [7.0, 6.0, 100.0],
            "PyTorch float32": [10.0],
            "PyTorch bfloat16": [50.0],
            "OpenVINO float32": [12.0],
            "OpenVINO bfloat16": [8.0],
        }
    )
    assert best(results["rows"], STEP, OPENVINO) == (8.0, Contender(OPENVINO, "bfloat16"))
    assert ratios_of(results, STEP) == {PYTORCH: (0.6, 0.8), OPENVINO: (0.75, 0.95)}


def test_a_chip_with_bfloat16_has_goals_of_its_own():
    results = results_of(step_512x1={"ours bfloat16": [1.0], "PyTorch bfloat16": [2.0]})
    results["machine"] = {**MACHINE, "bfloat16": True}
    assert ratios_of(results, STEP) == {PYTORCH: (0.5, 0.45)}


def test_the_script_is_the_sum_of_its_parts_and_unknown_without_one():
    cells = {"ours float32": [1.0], "PyTorch float32": [2.0]}
    parts = {"load": cells, "interpolate": cells, "step_768x1": cells}
    assert best(results_of(**parts)["rows"], SCRIPT, OURS) is None
    whole = results_of(**parts, decode_768=cells)
    assert best(whole["rows"], SCRIPT, OURS) == (SCRIPT.parts["step-768x1"] + 3.0, Contender(OURS, "float32"))


def test_a_report_shows_goals_bounds_and_scaling():
    cells = {"ours float32": [4.0], "PyTorch float32": [10.0]}
    results = results_of(step_512x1=cells, step_768x1=cells, step_512x2=cells, load=cells)
    results["rows"] |= {"flop step-512x1": {"ours float32": [2e11]}, "bytes step-512x1": {"ours float32": [2e10]}}
    text = report(results)
    assert "| guided decoder step, 512 px | 4 s (float32) | 10 s (float32) |  |  | 0.40 | 0.8 | met |" in text
    assert "| step-512x1 | 0.20 | 20.0 | 1.00 s | 2.00 s | 4.00 s | 50 | 50% |" in text
    assert "| 768 | 4.00 | 10.00 |  |" in text
    assert "| 2 | 2.00 | 5.00 |  |" in text
    assert "load before each process 0.5 to 2.0" in text


def test_a_table_without_rows_is_left_out():
    assert table(["a"], []) == ""


def test_cpuinfo_gives_the_first_processor():
    assert parse_cpuinfo("model name\t: A\nflags\t\t: fma avx2\n\nmodel name\t: B\n") == {
        "model name": "A",
        "flags": "fma avx2",
    }


def test_work_counts_products_and_what_they_read_and_write():
    weight, bias = (np.ones(shape, np.float32) for shape in ((8, 4, 3, 3), (8,)))
    work = work_of(lambda x: ops.conv2d(x, weight, bias, padding=1), (2, 4, 6, 6))
    assert work.flop == 2 * (2 * 8 * 6 * 6) * 4 * 9
    assert work.bytes > 4 * (2 * 12 * 6 * 6 + 8 * 4 * 9)


def test_every_part_of_a_goal_is_measured_by_some_stage():
    rows = {"load", "peak", "interpolate", "small", "weights"}
    for stage in STAGES.values():
        sizes = stage.options.get("sizes", [])
        rows |= {f"step-{size}x{batch}" for size in sizes for batch in stage.options.get("batches", [])}
        rows |= {f"decode-{size}" for size in sizes if stage.measure == "decode"}
    assert {part for goal in GOALS for part in goal.parts} <= rows
