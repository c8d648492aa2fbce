"""The window of models in a real GIMP: a daemon fetches from a hub of this machine; the cases are in models_cases."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin_client import launch
from plugin_client.wire import paths
from tests.backend.hub_server import serve
from tests.gimp.editor import Editor, case_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def reports(
    gimp_root: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("m")
    home = folder / "h"
    home.mkdir(mode=0o700)
    published = Path(shutil.copytree(tiny_checkpoint, folder / "published"))
    name = "kandinsky-community/kandinsky-2-1"
    with (
        serve({name: published / "decoder", f"{name}-prior": published / "prior"}) as hub,
        pytest.MonkeyPatch.context() as patch,
    ):
        for setting in [setting for setting in os.environ if setting.startswith("HF_")]:
            patch.delenv(setting)
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HOME", str(folder / "hf"))
        patch.setenv(paths.HOME_VARIABLE, str(home))
        hub.delay = 2.0
        launch.start(None, []).close()
        try:
            (folder / "gimp").mkdir()
            editor = Editor(gimp_root, folder / "gimp", home)
            editor.install()
            editor.watch_the_main_loop()
            yield editor.run_window("models_cases")
        finally:
            launch.stop(None)


@pytest.mark.parametrize("name", case_names("models_cases.py"))
def test_in_gimp(reports: dict[str, str], name: str) -> None:
    assert not reports[name], reports[name]
