"""The dialogs in a real GIMP with a window; the cases are in four files of inside/, and run in any order."""

from __future__ import annotations

import pytest

from tests.gimp.editor import Editor, case_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]


@pytest.fixture(scope="module")
def reports(editor: Editor) -> dict[str, str]:
    editor.watch_the_main_loop()
    return editor.run_window("dialog_cases")


@pytest.mark.parametrize(
    "name",
    [name for file in ("dialog", "redraw_window", "pad", "sweep_window") for name in case_names(f"{file}_cases.py")],
)
def test_in_a_window(reports: dict[str, str], name: str) -> None:
    assert not reports[name], reports[name]


def test_stop_is_acknowledged_within_half_a_second(editor: Editor, reports: dict[str, str]) -> None:
    assert float((editor.folder / "stop-seconds").read_text()) < 0.5
