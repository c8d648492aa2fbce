"""What the tests of reliability measured, for tests/RELIABILITY.md: a test says it with `figure`, in its own words.

    KANDINSKY_RELIABILITY=full python -m pytest tests/daemon/test_reliability.py

runs the full forms and writes their figures; with `short` those of the short forms are written. Without the variable,
as in CI, the forms are short and nothing is written.
"""

from __future__ import annotations

import os
from pathlib import Path

FORM = os.environ.get("KANDINSKY_RELIABILITY", "")
FULL = FORM == "full"
PAGE = Path(__file__).parents[1] / "RELIABILITY.md"
ROWS: dict[str, tuple[str, str, str]] = {}  # what was measured, the limit and the load, by what was done

_HEAD = """\
# Reliability

The daemon under what may go wrong, as `tests/daemon/test_reliability.py` measured it. The tests write this page
themselves, see `tests/daemon/reliability.py`; each row says how often a thing was done, and how much the machine did at
its end: the load of the last minute, on so many processors. CI runs a short form of each.

| what was done | what was measured | what is promised | load |
|---|---|---|---|
"""


def times(full: int, short: int) -> int:
    """Return how often to do a thing."""
    return full if FULL else short


def figure(done: str, measured: str, promised: str) -> None:
    """Note a row of the table, which is written when all tests have run."""
    ROWS[done] = (measured, promised, f"{os.getloadavg()[0]:.0f} on {os.cpu_count()}")


def write_page() -> None:
    """Write the rows over those of the same name on the page, which keeps the others."""
    rows = _known_rows() | {
        done: f"| {done} | {measured} | {promised} | {load} |" for done, (measured, promised, load) in ROWS.items()
    }
    PAGE.write_text(_HEAD + "".join(f"{row}\n" for _, row in sorted(rows.items())), encoding="utf-8")


def _known_rows() -> dict[str, str]:
    if not PAGE.exists():
        return {}
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| what was done")]
    return {row.split(" | ")[0].removeprefix("| "): row for row in rows}
