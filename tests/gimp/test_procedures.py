"""The plug-in's procedures in a real GIMP without a window; the cases are in inside/."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.gimp.editor import case_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CASES = [(file, name) for file in ("pixel_cases.py", "blend_cases.py") for name in case_names(file)]


@pytest.mark.parametrize(("file", "name"), CASES, ids=[name for _, name in CASES])
def test_in_gimp(reports: Callable[[str], dict[str, str]], file: str, name: str) -> None:
    complaint = reports(file)[name]
    assert not complaint, complaint
