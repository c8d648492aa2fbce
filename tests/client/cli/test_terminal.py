from __future__ import annotations

import io

import pytest

from plugin_client.cli.terminal import ProgressLine, bar_line, plain_line, table
from plugin_client.wire.messages import Progress, Stage

JOB = "00000000-0000-4000-8000-000000000000"


def progress(step: int, steps: int, remaining: float = 72.4, stage: Stage = "denoising") -> Progress:
    return Progress(JOB, stage, step, steps, 0, 1.0, remaining)


def test_progress_tells_stage_share_and_time() -> None:
    assert plain_line(progress(25, 75)) == "denoising, 33%, 1:12 left"


def test_a_job_that_has_not_begun_is_prepared_and_only_weights_are_loaded() -> None:
    assert plain_line(progress(0, 0, remaining=-1, stage="loading")) == "preparing"
    assert plain_line(progress(0, 75, remaining=-1, stage="loading")) == "loading the model, 0%"
    assert plain_line(progress(0, 0, remaining=-1, stage="queued")) == "waiting"


def test_a_download_is_told_in_bytes_with_its_speed_and_the_time_left() -> None:
    line = progress(1_200_000_000, 13_200_000_000, remaining=1000.0, stage="downloading")
    assert plain_line(line) == "downloading the model, 9%, 1.2 GB of 13.2 GB, 12 MB/s, 16:40 left"
    at_first = progress(0, 13_200_000_000, remaining=-1, stage="downloading")
    assert plain_line(at_first) == "downloading the model, 0%, 0 MB of 13.2 GB"


@pytest.mark.parametrize(("step", "remaining", "said"), [(1, 72.4, False), (2, 72.4, True), (2, -1, False)])
def test_time_is_told_when_it_is_known_and_not_from_the_first_step(step: int, remaining: float, said: bool) -> None:
    assert ("left" in plain_line(progress(step, 75, remaining))) == said


def test_a_bar_is_never_longer_than_its_frame() -> None:
    assert bar_line(progress(80, 75), 100).startswith("█" * 30 + " 100%")
    assert bar_line(progress(0, 0), 100).startswith("░" * 30 + "   0%")


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (100, "██████████░░░░░░░░░░░░░░░░░░░░  33%  denoising, 1:12 left"),
        (57, "██████████░░░░░░░░░░░░░░░░░░░░  33%  denoising, 1:12 left"),
        (42, "█████░░░░░░░░░░  33%  denoising, 1:12 left"),
        (32, "█░░░░  33%  denoising, 1:12 left"),
        (31, " 33%  denoising, 1:12 left"),
        (26, " 33%  denoising, 1:12 left"),
        (24, "██░░░░░░  33%  1:12 left"),
        (15, " 33%  1:12 left"),
        (14, "███░░░░░░  33%"),
        (4, " 33%"),
        (0, ""),
    ],
)
def test_a_narrow_line_loses_its_bar_before_its_words(columns: int, line: str) -> None:
    assert bar_line(progress(25, 75), columns) == line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_narrow_terminal_gets_a_line_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "43")
    stream = Terminal()
    ProgressLine(stream).show(progress(25, 75))
    assert stream.getvalue() == "\r█████░░░░░░░░░░  33%  denoising, 1:12 left\x1b[J"


def test_a_line_that_a_narrower_terminal_has_broken_goes_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    line = ProgressLine(stream)
    line.show(progress(25, 75))  # 57 columns
    monkeypatch.setenv("COLUMNS", "20")
    stream.truncate(stream.seek(0))
    line.show(progress(26, 75))
    line.clear()
    assert stream.getvalue() == "\x1b[2A\r 35%  1:12 left\x1b[J\r\x1b[J"


def test_a_file_gets_a_line_for_a_stage_and_no_more_than_one_in_a_while() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    for step in range(1, 50):
        line.show(progress(step, 75, stage="prior" if step < 25 else "denoising"))
    line.clear()
    assert stream.getvalue() == "running the prior, 1%\ndenoising, 33%, 1:12 left\n"


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert table(("A", "LONG HEAD", "LAST"), [("long cell", "x", "")]) == "A          LONG HEAD  LAST\nlong cell  x"
