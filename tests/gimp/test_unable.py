"""A daemon whose first model can only blend: drawing into an image is refused, by script and in a window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin_client.wire.messages import ModelInfo
from plugin_client.wire.paths import HOME_VARIABLE
from tests.client.scripted_daemon import Script, ScriptedDaemon
from tests.gimp.editor import Editor, case_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MODELS = (
    ModelInfo("blender", "", "f00d" * 8, loaded=True, side=128, jobs=("blend",)),
    ModelInfo("painter", "", "cafe" * 8, loaded=True, side=128, jobs=("blend", "refine", "repaint")),
)


@pytest.fixture(scope="module")
def unable(gimp_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Editor, Script]]:
    """A GIMP, and what its daemon was asked."""
    home = tmp_path_factory.mktemp("u")
    home.chmod(0o700)
    editor = Editor(gimp_root, tmp_path_factory.mktemp("unable"), home)
    editor.install()
    script = Script(models=MODELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(home))
        with ScriptedDaemon(script):
            yield editor, script


@pytest.fixture(scope="module")
def reports(unable: tuple[Editor, Script]) -> dict[str, str]:
    editor, _script = unable
    return editor.run("unable_cases.py") | editor.run_window("unable_window_cases")


@pytest.mark.parametrize("name", [*case_names("unable_cases.py"), *case_names("unable_window_cases.py")])
def test_in_gimp(reports: dict[str, str], name: str) -> None:
    assert not reports[name], reports[name]


def test_no_request_was_sent(unable: tuple[Editor, Script], reports: dict[str, str]) -> None:
    assert not unable[1].submitted
