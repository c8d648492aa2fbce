"""What a person in a terminal sees: durations, tables, and a job's progress in one line."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from plugin_client.wire.messages import Progress

BAR_CELLS = 30
LEAST_CELLS = 5  # of a bar worth its place
PLAIN_SECONDS = 10.0  # between two lines of progress in a log file, where no line can be drawn anew
LEAST_STEPS = 2  # of a job before its time is told: the first has compiling and loading in it

STAGES = {
    "queued": "waiting",
    "loading": "loading the model",
    "encoding": "reading pictures and prompts",
    "prior": "imagining the prompts",
    "denoising": "painting",
    "decoding": "finishing",
}


class ProgressLine:
    """A job's progress on `stream`: one line drawn again and again in a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._drawn = ""
        self._stage = ""
        self._written_at = float("-inf")

    def show(self, progress: Progress) -> None:
        if self._is_terminal:
            self._draw(bar_line(progress, self._columns() - 1))
        elif progress.stage != self._stage or time.monotonic() - self._written_at >= PLAIN_SECONDS:
            self._stage, self._written_at = progress.stage, time.monotonic()
            self._write(f"{plain_line(progress)}\n")

    def clear(self) -> None:
        """Leave the line as if nothing had been there."""
        if self._is_terminal:
            self._draw("")

    def _draw(self, line: str) -> None:
        # A terminal that has become narrower has broken the last line into rows: begin on the first of them.
        rows_above = max(0, len(self._drawn) - 1) // self._columns()
        up = f"\x1b[{rows_above}A" if rows_above else ""
        self._drawn = line
        self._write(f"{up}\r{line}\x1b[J")

    def _columns(self) -> int:
        """Width of the stream's terminal, which need not be stdout's."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or shutil.get_terminal_size().columns
        except OSError:
            return shutil.get_terminal_size().columns

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class NoProgress(ProgressLine):
    """For --quiet."""

    def show(self, progress: Progress) -> None:
        """Say nothing."""


def bar_line(progress: Progress, columns: int) -> str:
    """`██████████░░░░░░░░░░░░░░░░░░░░  33%  painting, 1:12 left`, in so many columns or fewer.

    Where there is little room, the bar becomes shorter and goes, then the name of the stage, then the time.
    """
    done = _done(progress)
    texts = [f"{done:4.0%}  {', '.join(words)}" for words in (_words(progress), _words(progress)[1:]) if words]
    text = next((text for text in texts if len(text) <= columns), f"{done:4.0%}"[:columns])
    cells = min(BAR_CELLS, columns - len(text) - 1)
    return f"{_bar(done, cells)} {text}" if cells >= LEAST_CELLS else text


def plain_line(progress: Progress) -> str:
    """`painting, 33%, 1:12 left`"""
    stage, *left = _words(progress)
    percent = [f"{_done(progress):.0%}"] if progress.steps else []
    return ", ".join([stage, *percent, *left])


def _bar(done: float, cells: int) -> str:
    filled = int(done * cells)
    return "█" * filled + "░" * (cells - filled)


def _done(progress: Progress) -> float:
    """How much of the job, from 0 to 1."""
    return min(1.0, progress.step / progress.steps) if progress.steps else 0.0


def _words(progress: Progress) -> list[str]:
    """The stage, and the time that is left when that is known.

    No steps: they count reading and finishing too, so they are not the steps that a person has asked for.
    """
    preparing = progress.stage == "loading" and not progress.steps  # nothing has been looked at, and nothing loads yet
    words = ["preparing" if preparing else STAGES[progress.stage]]
    if progress.remaining >= 0 and progress.step >= LEAST_STEPS:
        words.append(f"{duration(progress.remaining)} left")
    return words


def duration(seconds: float) -> str:
    """`1:05`, or `2:03:04` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: int) -> str:
    """`2.1 GB`, or `640 MB` below one."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, the last one as it is."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )
