"""How the daemon and its worker write their log: one line an event, to standard error."""

from __future__ import annotations

import logging

OURS = ("daemon", "plugin_client", "kandinsky_backend")
LEVELS = ("debug", "info", "warning", "error")


def configure(level: str) -> None:
    """Log to standard error from `level` on; of other people's libraries, warnings and errors only."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())


def one_line(text: str) -> str:
    """`text` with a space for whatever would end its line or steer a terminal."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())


class _OneLine(logging.Formatter):
    """Prompts and file names come from outside: none may forge a line of the log. Tracebacks keep their lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = one_line(record.message)
        return super().formatMessage(record)
