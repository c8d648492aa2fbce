"""How the daemon and its worker write their log: one line an event, to standard error."""

from __future__ import annotations

import logging

OURS = ("daemon", "plugin_client", "kandinsky_backend")
LEVELS = ("debug", "info", "warning", "error")


def configure(level: str) -> None:
    """Log to standard error from `level` on; of other people's libraries, warnings and errors only."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s", force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
