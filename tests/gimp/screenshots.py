"""Pictures of the plug-in's windows on small and fine screens, light and dark, in English and German, to be looked at.

    python -m tests.gimp.screenshots [SCREEN] [THEME] [LANGUAGE]

They go where the tests' screenshots go, with the small model that ships with the package. All take about ten minutes,
and words such as "1280x720", "light" or "de" choose some of them.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from pathlib import Path

from plugin_client import launch
from plugin_client.wire.paths import HOME_VARIABLE
from tests.gimp.editor import Editor, screenshots
from tests.gimp.root import root

SCREENS = {
    "1280x720": {"SCREEN": "1280x720"},
    "1366x768": {"SCREEN": "1366x768"},
    "2560x1440": {"SCREEN": "2560x1440", "GDK_SCALE": "2"},
}
THEMES = ("dark", "light")
LANGUAGES = ("en", "de")


def take(screen: str, theme: str, language: str, home: Path) -> dict[str, str]:
    """Take the pictures of one look of GIMP; the complaints of what did not open, by its name."""
    name = f"{screen}-{theme}-{language}"
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / name
        folder.mkdir()
        editor = Editor(root(), folder, home, language=language, theme=theme)
        editor.install()
        found = editor.run_window("screenshot_cases", **SCREENS[screen])
    return {f"{name}: {case}": complaint for case, complaint in found.items() if complaint}


def main(chosen: list[str]) -> int:
    """Take those of the looks that have every word of `chosen`. The exit code is 1 where something is amiss."""
    complaints: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ[HOME_VARIABLE] = folder
        launch.start(None, []).close()
        try:
            for look in itertools.product(SCREENS, THEMES, LANGUAGES):
                if all(word in look for word in chosen):
                    complaints |= take(*look, home)
        finally:
            launch.stop(None)
    for name, complaint in complaints.items():
        print(name, complaint, sep="\n")
    print(f"The pictures are in {screenshots()}.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
