"""The GIMP 3 plug-in: into GIMP's folders, and out of them again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

PLUGIN = "kandinsky-blend"  # the folder, and the file in it without .py: GIMP wants the same name for both


def copy_plugin(project: Path, plug_ins: Path, python: Path, msgpack: Path) -> Path:
    """Make `plug_ins`/kandinsky-blend anew; the folder that it is now.

    `python` is the project's own, which runs the daemon and the bridge. `msgpack` is that package in the project's
    environment: its modules in Python are put beside the plug-in, so that every GIMP has them; the compiled one, which
    fits one Python only, is left out.
    """
    folder = plug_ins / PLUGIN
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(project / "plugin_client" / "gimp" / PLUGIN, folder, ignore=_UNWANTED)
    shutil.copytree(project / "plugin_client", folder / "plugin_client", ignore=_UNWANTED)
    shutil.copytree(msgpack, folder / "msgpack", ignore=_UNWANTED)
    (folder / "installation.json").write_text(json.dumps({"python": str(python)}), encoding="utf-8")
    (folder / f"{PLUGIN}.py").chmod(0o755)  # without it GIMP passes over the plug-in, silently
    return folder


_UNWANTED = shutil.ignore_patterns("__pycache__", PLUGIN, "*.so", "*.pyd", "*.pyx")
