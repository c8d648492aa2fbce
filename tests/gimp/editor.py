"""Starts a real GIMP with a fresh profile, and has it run cases: functions of a file in tests/gimp/inside/."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from install.gimp import copy_plugin

PROJECT = Path(__file__).parents[2]
INSIDE = Path(__file__).parent / "inside"
SEED = "KANDINSKY_CASES_SEED"  # set it to any text, and the cases in windows run in another order
START_LIMIT = 900  # s for a start and all its cases
# Where the Python of this project's environment lies: the plug-in starts it, as bridge and as daemon.
HOST_PYTHON = (Path(sys.prefix), Path(sys.base_prefix))
CONFIG = """\
(plug-in-path "${{gimp_plug_in_dir}}/plug-ins:{plug_ins}")
(config-version "{version}")
(show-welcome-dialog no)
(check-updates no)
(theme-color-scheme {theme})
{language}"""


# Keys that open our entries, as an artist may set them: much quicker than GIMP's search for actions.
KEYS = {
    "kandinsky-blend": "F5",
    "kandinsky-blend-text-to-image": "F6",
    "kandinsky-blend-sweep": "F7",
    "kandinsky-blend-again": "F8",
    "kandinsky-blend-status": "F9",
    "kandinsky-blend-repaint": "F10",
    "kandinsky-blend-remove": "F3",
    "kandinsky-blend-refine": "F11",
    "kandinsky-blend-upscale": "F2",
    "kandinsky-blend-extend": "F12",
}
SHORTCUTS = "(file-version 1)\n" + "".join(f'(action "{name}" "<Primary>{key}")\n' for name, key in KEYS.items())


def case_names(file: str) -> list[str]:
    """The cases of a file, which can be imported inside GIMP only."""
    tree = ast.parse((INSIDE / file).read_text())
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def screenshots() -> Path:
    """Where the screenshots of the window tests go, which a CI may show."""
    return Path(os.environ.get("KANDINSKY_SCREENSHOTS", PROJECT / "build" / "screenshots"))


def keep_screenshots(source: Path, folder: Path) -> None:
    """Make `folder` anew with the PNG files in `source`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for picture in source.glob("*.png"):
        shutil.copy(picture, folder)


@dataclass(frozen=True)
class Editor:
    """GIMP of `root` with the profile, plug-in and files in `folder`; `home` is the daemon's folder."""

    root: Path
    folder: Path
    home: Path
    replaced: Mapping[str, Path] = field(default_factory=dict)  # files of the root, and what is seen instead
    language: str = ""  # that GIMP's preferences name; "" is the system's, which is English here
    theme: str = "dark"  # or "light"
    home_bytes: int = 0  # of a disk that holds nothing but an empty daemon's folder; 0: the folder is that of `home`

    @property
    def version(self) -> str:
        """E.g. "3.0"."""
        return next(self.root.glob("usr/bin/gimp-console-3.*")).name.rpartition("-")[2]

    @property
    def exact_version(self) -> str:
        """E.g. "3.0.4": to a profile of another GIMP shows what is new in it."""
        return re.search(r"\d+\.\d+\.\d+", self.command(self.console, "--version").stdout)[0]

    @property
    def console(self) -> str:
        """The GIMP without a window."""
        return f"gimp-console-{self.version}"

    def install(self) -> None:
        """A fresh profile with the plug-in, copied as the installer does it."""
        import msgpack

        plug_ins, profile = self.folder / "plug-ins", self.folder / "profile"
        profile.mkdir()
        language = f'(language "{self.language}")\n' if self.language else ""
        (profile / "shortcutsrc").write_text(SHORTCUTS)
        (profile / "gimprc").write_text(
            CONFIG.format(plug_ins=plug_ins, language=language, version=self.exact_version, theme=self.theme)
        )
        copy_plugin(PROJECT, plug_ins, Path(sys.prefix) / "bin" / "python", Path(msgpack.__file__).parent)

    def watch_the_main_loop(self) -> None:
        """Have the plug-in write down how long its main loop is held, which loop_watch.holds tells the cases."""
        plug_in = self.folder / "plug-ins" / "kandinsky-blend"
        shutil.copy(INSIDE / "loop_watch.py", plug_in)
        launcher = plug_in / "kandinsky-blend.py"
        start = "\nGimp.main("
        text = launcher.read_text()
        assert text.count(start) == 1
        launcher.write_text(text.replace(start, f"\nfrom loop_watch import watch\n\nwatch(){start}"))

    def run(self, file: str) -> dict[str, str]:
        """Run all cases of a file in one start of GIMP; what each of them complained of, "" when it passed."""
        script = (
            f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from tests.gimp.inside.runner import run; run({file!r})"
        )
        done = self.command(self.console, "-idf", "--batch-interpreter", "python-fu-eval", "-b", script, "--quit")
        return self._report(done)

    def run_window(self, module: str, **screen: str) -> dict[str, str]:
        """The same, by a module that runs beside a GIMP with a window. Its screenshots are kept.

        `screen` holds SCREEN, such as "1280x720", and GDK_SCALE, where they are not to be the usual ones.
        """
        variables = {
            "PROJECT": str(PROJECT),
            "GIMP": f"gimp-{self.version}",
            "CASES_SEED": os.environ.get(SEED, ""),
        } | screen
        done = self.command(str(INSIDE / "start_window.sh"), module, **variables)
        keep_screenshots(self.folder, screenshots() / f"{module}-{self.folder.name}")
        return self._report(done)

    def _report(self, done: subprocess.CompletedProcess[str]) -> dict[str, str]:
        report = self.folder / "report.json"
        assert report.exists(), f"GIMP ended with {done.returncode} and no report:\n{done.stdout}\n{done.stderr}"
        results: dict[str, str] = json.loads(report.read_text())
        report.unlink()
        said = f"\nGIMP said:\n{done.stdout}\n{done.stderr}"  # e.g. why it knows no procedure of a plug-in
        return {name: complaint and complaint + said for name, complaint in results.items()}

    def command(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside the root."""
        return subprocess.run(
            [*self.sandbox(variables), *words], capture_output=True, text=True, timeout=START_LIMIT, check=False
        )

    def sandbox(self, variables: Mapping[str, str]) -> list[str]:
        """The words before a command that is to run inside the root."""
        words = [
            "bwrap",
            "--bind",
            str(self.root),
            "/",
            "--dev",
            "/dev",
            "--proc",
            "/proc",
            "--die-with-parent",
            "--unshare-pid",
            "--unshare-net",  # also has a display of its own: X servers find each other by names that a network shares
        ]
        for folder in ("/run", "/tmp"):
            words += ["--tmpfs", folder]
        for folder in (PROJECT, *HOST_PYTHON):
            words += ["--ro-bind", str(folder), str(folder)]
        words += ["--bind", str(self.folder), str(self.folder)]
        if self.home_bytes:
            words += ["--perms", "0700", "--size", str(self.home_bytes), "--tmpfs", str(self.home)]
        else:
            words += ["--bind", str(self.home), str(self.home)]
        for path, instead in self.replaced.items():
            words += ["--ro-bind", str(instead), path]
        known = {
            "HOME": str(self.folder),
            "GIMP3_DIRECTORY": str(self.folder / "profile"),
            "KANDINSKY_BLEND_HOME": str(self.home),
            "CASES_FOLDER": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": "/usr/bin:/bin",
        }
        words += ["--clearenv", "--chdir", str(self.folder)]
        for name, value in {**known, **variables}.items():
            words += ["--setenv", name, value]
        return words
