"""Prints the golden comparison's worst errors at the end of a test session."""

from __future__ import annotations

import pytest

from tests.golden.compare import COMPARISONS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not COMPARISONS:
        return
    terminalreporter.section("golden comparison with diffusers: worst absolute errors")
    width = max(len(row.name) for row in COMPARISONS)
    terminalreporter.line(f"{'output':{width}}  {'worst':>8}  {'limit':>8}")
    for row in sorted(COMPARISONS):
        failed = "" if row.worst <= row.limit else "  FAILED"
        terminalreporter.line(f"{row.name:{width}}  {row.worst:8.1e}  {row.limit:8.0e}{failed}")
