"""What a person in a terminal sees: durations, tables, and a job's progress in one line."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from plugin_client.wire.messages import Progress

BAR_CELLS = 30
PLAIN_SECONDS = 10.0  # between two lines of progress in a log file, where no line can be drawn anew

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
        self._stage = ""
        self._written_at = float("-inf")

    def show(self, progress: Progress) -> None:
        if self._is_terminal:
            columns = shutil.get_terminal_size().columns
            self._write(f"\r{bar_line(progress)[: columns - 1]}\x1b[K")
        elif progress.stage != self._stage or time.monotonic() - self._written_at >= PLAIN_SECONDS:
            self._stage, self._written_at = progress.stage, time.monotonic()
            self._write(f"{plain_line(progress)}\n")

    def clear(self) -> None:
        """Leave the line as if nothing had been there."""
        if self._is_terminal:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class NoProgress(ProgressLine):
    """For --quiet."""

    def show(self, progress: Progress) -> None:
        """Say nothing."""


def bar_line(progress: Progress) -> str:
    """`██████████░░░░░░░░░░░░░░░░░░░░  33%  painting, step 25 of 75, 1:12 left`"""
    done = progress.step / progress.steps if progress.steps else 0.0
    cells = min(BAR_CELLS, int(done * BAR_CELLS))
    bar = "█" * cells + "░" * (BAR_CELLS - cells)
    return f"{bar} {done:4.0%}  {plain_line(progress)}"


def plain_line(progress: Progress) -> str:
    """`painting, step 25 of 75, 1:12 left`"""
    parts = [STAGES[progress.stage]]
    if progress.steps:
        parts.append(f"step {progress.step} of {progress.steps}")
    if progress.remaining >= 0:
        parts.append(f"{duration(progress.remaining)} left")
    return ", ".join(parts)


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
