from __future__ import annotations

from pathlib import Path

import pytest

from plugin_client.wire.paths import HOME_VARIABLE


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, which is not there yet."""
    folder = tmp_path / "kb"
    monkeypatch.setenv(HOME_VARIABLE, str(folder))
    return folder
