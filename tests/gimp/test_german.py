"""The menu and the dialog in a GIMP that speaks German; the cases are in inside/german_cases.py, in any order."""

from __future__ import annotations

import pytest

from tests.gimp.editor import Editor, case_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def german(german_editor: Editor) -> dict[str, str]:
    return german_editor.run_window("german_cases")


@pytest.mark.parametrize("name", case_names("german_cases.py"))
def test_in_a_german_gimp(german: dict[str, str], name: str) -> None:
    assert not german[name], german[name]
