"""The log of the daemon and its worker: one line an event, to standard error, which may be slow or stuck."""

from __future__ import annotations

import json
import logging
import os
import threading
from contextlib import suppress
from logging.handlers import QueueHandler
from queue import Full, Queue

from plugin_client.wire.titles import one_line

OURS = ("daemon", "plugin_client", "kandinsky_backend")
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")
MAX_WAITING = 1000  # events that a stuck standard error has not taken; later ones are counted and left out
FLUSH_SECONDS = 1.0  # for what is left at the end


def configure(level: str, form: str = "text") -> None:
    """Log to standard error from `level` on; of other people's libraries, warnings and errors only.

    A thread writes, so that a full pipe or a terminal under Ctrl-S holds up nobody.

    Args:
        form: one of FORMATS.
    """
    writer = _StandardError()
    writer.setFormatter(_Json() if form == "json" else _OneLine("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[_Queue(writer)], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())


class _Queue(QueueHandler):
    """Hands on events to `writer`, in a thread, as long as there is room for them, and counts the others."""

    def __init__(self, writer: logging.Handler) -> None:
        self._events: Queue[logging.LogRecord] = Queue(MAX_WAITING)
        super().__init__(self._events)
        self._writer = writer
        self._left_out = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # the thread formats it: what we log does not change afterwards

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self._events.put_nowait(record)
        except Full:
            self._left_out += 1

    def flush(self) -> None:
        """Wait until all is written, unless standard error takes nothing. The end of the process calls this."""
        with self._events.all_tasks_done:
            self._events.all_tasks_done.wait_for(lambda: not self._events.unfinished_tasks, FLUSH_SECONDS)

    def _write(self) -> None:
        while True:
            self._writer.handle(self._events.get())
            if left_out := self._left_out:
                self._left_out -= left_out
                self._writer.handle(_warning(f"{left_out} lines are left out: standard error did not take them"))
            self._events.task_done()


class _StandardError(logging.Handler):
    """Writes lines without sys.stderr, whose lock a write that does not end would keep beyond the process's end."""

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Make none: one thread writes, and the end of the process would wait for a lock that a stuck write holds."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        left = f"{self.format(record)}\n".encode(errors="backslashreplace")
        with suppress(OSError):  # closed, or its disk is full: there is no other place to say so
            while left:
                left = left[os.write(2, left) :]


def _warning(text: str) -> logging.LogRecord:
    return logging.LogRecord("daemon", logging.WARNING, __file__, 0, text, None, None)


class _Json(logging.Formatter):
    """A map of `time` (s since 1970), `level`, `logger`, `process`, `message` and, of an error, `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _OneLine(logging.Formatter):
    """Prompts and file names come from outside: none may forge a line of the log. Tracebacks keep their lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = one_line(record.message)
        return super().formatMessage(record)
