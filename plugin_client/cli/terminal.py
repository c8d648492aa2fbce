"""Words and tables on a terminal, and a job's progress in one line of it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from plugin_client.formatting import clock, stage_name, transferred
from plugin_client.job import GONE, LOOK_SECONDS, BlendResult, Work
from plugin_client.wire.errors import KandinskyError, NoAnswer
from plugin_client.wire.messages import Progress

BAR_CELLS = 30
LEAST_CELLS = 5  # of a bar; a shorter one is left out
PLAIN_SECONDS = 10.0  # between two lines of progress in a file, where no line can be drawn anew
LEAST_STEPS = 2  # of a job before its time is shown: the first step has compiling and loading in it


class ProgressLine:
    """Shows a job's progress: in a terminal one line that is drawn anew, elsewhere a line now and then.

    Args:
        stream: where to write; standard error unless given.
    """

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
        """Erase the line."""
        if self._is_terminal:
            self._draw("")

    def _draw(self, line: str) -> None:
        # A terminal that has become narrower has broken the last line into rows: begin on the first of them.
        rows_above = max(0, len(self._drawn) - 1) // self._columns()
        up = f"\x1b[{rows_above}A" if rows_above else ""
        self._drawn = line
        self._write(f"{up}\r{line}\x1b[J")

    def _columns(self) -> int:
        """Return the width of the stream's terminal, which need not be stdout's."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or shutil.get_terminal_size().columns
        except OSError:
            return shutil.get_terminal_size().columns

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class NoProgress(ProgressLine):
    """Shows nothing, for --quiet."""

    def show(self, progress: Progress) -> None:
        """Do nothing."""


def bar_line(progress: Progress, columns: int) -> str:
    """Return `██████████░░░░░░░░░░░░░░░░░░░░  33%  denoising, 1:12 left` in at most `columns` characters.

    Where there is little room, the bar becomes shorter and is left out, then the name of the stage, then the time.
    """
    done = _done(progress)
    texts = [f"{done:4.0%}  {', '.join(words)}" for words in (_words(progress), _words(progress)[1:]) if words]
    text = next((text for text in texts if len(text) <= columns), f"{done:4.0%}"[:columns])
    cells = min(BAR_CELLS, columns - len(text) - 1)
    return f"{_bar(done, cells)} {text}" if cells >= LEAST_CELLS else text


def plain_line(progress: Progress) -> str:
    """Return `denoising, 33%, 1:12 left`."""
    stage, *left = _words(progress)
    percent = [f"{_done(progress):.0%}"] if progress.steps else []
    return ", ".join([stage, *percent, *left])


def _bar(done: float, cells: int) -> str:
    filled = int(done * cells)
    return "█" * filled + "░" * (cells - filled)


def _done(progress: Progress) -> float:
    """Return the part of the job that is done, from 0 to 1."""
    return min(1.0, progress.step / progress.steps) if progress.steps else 0.0


def _words(progress: Progress) -> list[str]:
    """Return the stage, and the time that is left when that is known.

    Steps are not told: they count encoding and decoding too, so they are not the steps that a person has asked for.
    """
    stage = stage_name(progress)
    words = [stage[:1].lower() + stage[1:]]
    if progress.stage == "downloading":
        words.append(transferred(progress))
    if progress.remaining >= 0 and progress.step >= LEAST_STEPS:
        words.append(f"{clock(progress.remaining)} left")
    return words


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return lines of columns, each as wide as its widest cell; the last column is as it is."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )


def follow_or_cancel(job: Work, arguments: argparse.Namespace) -> BlendResult:
    """Follow a job of this command, which Ctrl-C cancels. Errors as of Work.result."""
    if job.ahead:
        say(arguments, f"waiting for {job.ahead} other {'job' if job.ahead == 1 else 'jobs'}")
    try:
        return follow(job, arguments)
    except KeyboardInterrupt:
        job.cancel()
        print("kandinsky-blend: cancelled", file=sys.stderr)
        raise


def follow(job: Work, arguments: argparse.Namespace) -> BlendResult:
    """Show the progress until the job is over; its result. Errors as of Work.result."""
    line = NoProgress() if arguments.quiet else ProgressLine()
    try:
        for progress in _watch_on(job, arguments, line):
            line.show(progress)
    finally:
        line.clear()
    result = job.result()
    for warning in result.warnings:
        warn(warning)
    return result


def _watch_on(job: Work, arguments: argparse.Namespace, line: ProgressLine) -> Iterator[Progress]:
    """Yield the progress of a job, also when its daemon ends meanwhile and is started again."""
    is_told = False
    while not job.is_over:
        try:
            yield from job.watch()
        except NoAnswer as exc:
            if exc.code != GONE:
                raise
            if not is_told:
                is_told = True
                line.clear()
                say(arguments, "the daemon has ended; this goes on when it is started again, and Ctrl-C ends the wait")
            time.sleep(LOOK_SECONDS)


def tell(*lines: object) -> None:
    """Print lines to standard output and flush them, so that an error is found while it can be reported.

    Raises:
        KandinskyError: standard output cannot be written.
    """
    try:
        print(*lines, sep="\n", flush=True)
    except OSError as exc:
        # What could not be written waits in a buffer, and Python would report it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise KandinskyError(f"standard output cannot be written: {exc.strerror}") from exc


def say(arguments: argparse.Namespace, text: str) -> None:
    """Print a line to standard error, unless --quiet was given."""
    if not arguments.quiet:
        print(text, file=sys.stderr)


def warn(text: str) -> None:
    """Print a warning to standard error."""
    print(f"warning: {text}", file=sys.stderr)
