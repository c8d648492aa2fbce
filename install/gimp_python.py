"""The Python that runs a GIMP's plug-ins, found by asking it: its version, its platform, and whether it has pyzmq."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from install.steps import child_environment

FLATPAK = "Flatpak"
SNAP = "Snap"
LIMIT = 120.0  # s: the first start of a GIMP with a fresh profile looks at all its plug-ins

_MARK = "kandinsky-blend: "
_QUESTION = f"""
import json, platform, sys, sysconfig
try:
    import msgpack, zmq
    has_modules = True
except ImportError:
    has_modules = False
answer = {{
    "executable": sys.executable,
    "version": "%d.%d" % sys.version_info[:2],
    "platform": sysconfig.get_platform(),
    "glibc": platform.libc_ver()[1] if platform.libc_ver()[0] == "glibc" else "",
    "has_modules": has_modules,
}}
print("\\n{_MARK}" + json.dumps(answer), flush=True)
"""


class NoPython(Exception):
    """GIMP's Python could not be found or asked. The text is a sentence that says why."""


@dataclass(frozen=True)
class GimpPython:
    """A Python. `command` starts it; `platform` is sysconfig's; `glibc` is "" where there is none of it."""

    command: tuple[str, ...]
    version: str
    platform: str
    glibc: str
    has_modules: bool

    def imports(self, folder: Path) -> bool:
        """Whether pyzmq and msgpack in `folder` work in this Python."""
        program = f"import sys; sys.path.insert(0, {str(folder)!r}); import zmq, msgpack; print(zmq.__file__)"
        try:
            return str(folder) in output_of([*self.command, "-c", program])
        except NoPython:
            return False


def find(kind: str, version: str, platform: str, variables: Mapping[str, str]) -> GimpPython:
    """Find the Python of the GIMP with a profile of this kind; `version` is its "3.0", or "" for any.

    Raises:
        NoPython: that GIMP is not found, or does not answer.
    """
    if kind == FLATPAK:
        return ask(["flatpak", "run", "--command=python3", "org.gimp.GIMP"])
    if kind == SNAP:
        return ask(["snap", "run", "--shell", "gimp", "-c", 'exec python3 "$@"', "python3"])
    if platform in ("win32", "darwin"):
        bundled = bundled_pythons(platform, variables)
        if not bundled:
            raise NoPython("GIMP is in none of its usual folders, so its Python is not known.")
        return ask([str(bundled[0])])
    return ask_gimp([console(version)])


def gimp_version(kind: str, version: str, platform: str, variables: Mapping[str, str]) -> str:
    """Return the version, such as "3.0.4", of the GIMP with a profile of this kind and version.

    Raises:
        NoPython: that GIMP is not found, or does not answer.
    """
    command = _gimp(kind, version, platform, variables)
    found = re.search(r"\b3\.\d+\.\d+", output_of([*command, "--version"]))
    if not found:
        raise NoPython(f"{' '.join(command)} does not say that it is a GIMP 3.")
    return found[0]


def _gimp(kind: str, version: str, platform: str, variables: Mapping[str, str]) -> list[str]:
    """Return the command that starts that GIMP."""
    if kind == FLATPAK:
        return ["flatpak", "run", "org.gimp.GIMP"]
    if kind == SNAP:
        return ["snap", "run", "gimp"]
    if platform in ("win32", "darwin"):
        for python in bundled_pythons(platform, variables):
            for program in sorted(python.parent.glob("gimp-console-3*.exe" if platform == "win32" else "gimp")):
                return [str(program)]
        raise NoPython("GIMP is in none of its usual folders.")
    return [console(version)]


def bundled_pythons(platform: str, variables: Mapping[str, str], root: Path = Path("/")) -> list[Path]:
    """Return the places of the Python in GIMP's own packages for Windows and macOS."""
    if platform == "darwin":
        return sorted(root.glob("Applications/GIMP*.app/Contents/MacOS/python3*"))
    programs = [Path(variables[name]) for name in ("ProgramFiles", "LOCALAPPDATA") if variables.get(name)]
    folders = [folder for parent in programs for folder in (parent, parent / "Programs")]
    return [python for folder in folders for python in sorted(folder.glob("GIMP 3*/bin/python3*.exe"))]


def console(version: str) -> str:
    """Find the GIMP without a window on the path that has this version.

    Raises:
        NoPython: there is none.
    """
    for name in filter(shutil.which, (f"gimp-console-{version or '3.0'}", "gimp-console-3", "gimp-console")):
        found = re.search(r"\b3\.\d+", output_of([name, "--version"]))
        if found and version in ("", found[0]):
            return name
    raise NoPython(f"There is no GIMP {version or 3} on the path that could be asked for its Python.")


def ask_gimp(gimp: Sequence[str]) -> GimpPython:
    """Ask the GIMP that a command starts for the Python of its plug-ins; `gimp` may begin with another command.

    Raises:
        NoPython: it does not answer.
    """
    with tempfile.TemporaryDirectory() as profile:  # the user's own stays as it is
        batch = ["-idfs", "--batch-interpreter", "python-fu-eval", "-b", f"exec({_QUESTION!r})", "--quit"]
        answer = _answer(output_of([*gimp, *batch], GIMP3_DIRECTORY=profile))
    return _read(answer, [*gimp[:-1], str(answer["executable"])])


def ask(python: Sequence[str]) -> GimpPython:
    """Ask the Python that a command starts about itself.

    Raises:
        NoPython: it does not answer.
    """
    return _read(_answer(output_of([*python, "-c", _QUESTION])), python)


def _answer(output: str) -> dict[str, object]:
    lines = [line for line in output.splitlines() if line.startswith(_MARK)]
    if not lines:
        raise NoPython("GIMP's Python did not say which one it is.")
    answer: dict[str, object] = json.loads(lines[0][len(_MARK) :])
    return answer


def _read(answer: Mapping[str, object], command: Sequence[str]) -> GimpPython:
    names = ("version", "platform", "glibc")
    version, platform, glibc = (str(answer[name]) for name in names)
    return GimpPython(tuple(command), version, platform, glibc, bool(answer["has_modules"]))


def output_of(command: Sequence[str], **variables: str) -> str:
    """Return the output of a command, with these environment variables, whatever its exit code.

    Raises:
        NoPython: it cannot be started, or does not end.
    """
    environment = {**child_environment(), **variables}
    try:
        done = subprocess.run(
            list(command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=LIMIT,
            check=False,
        )
    except OSError as exc:
        raise NoPython(f"{command[0]} could not be started ({exc.strerror}).") from exc
    except subprocess.TimeoutExpired as exc:
        raise NoPython(f"{command[0]} did not answer within {LIMIT:.0f} s.") from exc
    return done.stdout.decode(errors="replace")
