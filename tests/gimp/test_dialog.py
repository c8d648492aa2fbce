"""The dialog in a real GIMP with a window; the cases are in inside/dialog_cases.py and follow each other."""

from __future__ import annotations

import pytest

from tests.gimp.editor import Editor, case_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def reports(editor: Editor) -> dict[str, str]:
    return editor.run_window("dialog_cases")


@pytest.mark.parametrize("name", case_names("dialog_cases.py"))
def test_in_a_window(reports: dict[str, str], name: str) -> None:
    assert not reports[name], reports[name]


def test_stop_is_acknowledged_within_200_ms(editor: Editor, reports: dict[str, str]) -> None:
    assert float((editor.folder / "stop-seconds").read_text()) < 0.2
