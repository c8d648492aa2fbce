"""The virtual environment `.venv`: made, updated, and made anew when it is broken."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterator, Sequence

from install.interpreter import SUPPORTED, find_python, version_of
from install.locking import lock
from install.steps import InstallError, StepFailed, run_step

# Written last of all, so that an environment whose making was interrupted has none.
STAMP = "installed.json"

# What pip's output means for a person, the surest sign first.
EXPLANATIONS = (
    (r"No space left on device|Disk quota exceeded", "The disk became full: make room and run the same command again."),
    (
        r"ensurepip is not available|No module named '?(venv|ensurepip)",
        "This Python comes without venv: install it (Debian, Ubuntu: sudo apt install {python}-venv) and run the same "
        "command again.",
    ),
    (
        r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|SSLError|"
        r"ConnectionResetError|ProtocolError|Network is unreachable|Temporary failure in name resolution",
        "The package index cannot be reached: check the network (and PIP_INDEX_URL or the proxy, if you use one) and "
        "run the same command again.",
    ),
)


@dataclass(frozen=True)
class Stamp:
    """The Python, folder and requirements of an environment. Its scripts hold absolute paths: it cannot be moved."""

    project: str
    python: str
    pyproject: str  # sha256
    groups: list[str]

    @classmethod
    def read(cls, path: Path) -> Stamp | None:
        """Read the stamp; None when it is missing or of another shape."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


@dataclass(frozen=True)
class Environment:
    """The virtual environment of the project in the folder `project`, which holds a pyproject.toml.

    `space_needed` is in bytes: 3.0 GB are installed, and pip holds the wheels (0.9 GB) beside them meanwhile.
    """

    project: Path
    space_needed: int = 4 * 10**9

    @property
    def folder(self) -> Path:
        return self.project / ".venv"

    @property
    def python(self) -> Path:
        return self.script("python")

    @property
    def log(self) -> Path:
        return self.folder / "install.log"

    def script(self, name: str) -> Path:
        """Return the path of a command in the environment."""
        if sys.platform == "win32":
            return self.folder / "Scripts" / f"{name}.exe"
        return self.folder / "bin" / name

    def package(self, name: str) -> Path:
        """Return the folder of a package in the environment.

        Raises:
            InstallError: it has none of that name.
        """
        packages = "Lib/site-packages" if sys.platform == "win32" else "lib/python3.*/site-packages"
        found = sorted(self.folder.glob(f"{packages}/{name}"))
        if not found:
            raise InstallError(f"{self.folder} has no {name}: remove that folder and run the same command again.")
        return found[0]

    def ensure(self, groups: Sequence[str] = ()) -> None:
        """Make the environment hold the project and the dependency groups; quick when it already does.

        Raises:
            InstallError: no fitting Python, no network, no room on the disk, or pip failed.
        """
        with self._alone():
            stamp = self.finished()
            if stamp is None:
                self._make()
            elif stamp.pyproject == self.pyproject_hash() and set(groups) <= set(stamp.groups):
                return
            self._install(sorted({*groups, *(stamp.groups if stamp else ())}))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other command works on the environment, and hold it."""
        with (self.project / "pyproject.toml").open("rb") as file:
            lock(file)
            yield

    def finished(self) -> Stamp | None:
        """Return the stamp of an environment that is complete, still runs and was not moved; else None."""
        stamp = Stamp.read(self.folder / STAMP)
        if stamp is None or stamp.project != str(self.project) or stamp.python not in SUPPORTED:
            return None
        return stamp if version_of(self.python) == stamp.python else None

    def pyproject_hash(self) -> str:
        """Return a hash of the project's requirements, by which a change of them is noticed."""
        return hashlib.sha256((self.project / "pyproject.toml").read_bytes()).hexdigest()

    def _make(self) -> None:
        """Make an environment with nothing but pip, in place of an older one."""
        python = find_python()
        if self.folder.exists():
            print(f"{self.folder} is broken or was not finished: making it anew.")
            shutil.rmtree(self.folder)
        self._check_space()
        self.folder.mkdir()
        version = version_of(python)
        self._step(f"making .venv with Python {version}", [python, "-m", "venv", self.folder], f"python{version}")

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.project).free
        if free < self.space_needed:
            raise InstallError(
                f"{self.project} has {free / 1e9:.1f} GB of free disk space and the installation needs "
                f"{self.space_needed / 1e9:.1f} GB: make room and run the same command again."
            )

    def _install(self, groups: list[str]) -> None:
        (self.folder / STAMP).unlink(missing_ok=True)
        pip = [self.python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        self._step("updating pip", [*pip, "--upgrade", "pip>=25.1"])  # the first that knows dependency groups
        options = [f"--group={group}" for group in groups]
        title = "installing the project and what it needs (0.9 GB to download the first time)"
        self._step(title, [*pip, "--editable", self.project, *options])
        version = version_of(self.python)
        Stamp(str(self.project), str(version), self.pyproject_hash(), groups).write(self.folder / STAMP)

    def _step(self, title: str, command: Sequence[object], python: str = "python3") -> None:
        try:
            run_step(title, command, self.project, self.log)
        except StepFailed as exc:
            raise InstallError(explain(exc, python)) from exc


def explain(failure: StepFailed, python: str = "python3") -> str:
    """Return a sentence about why venv or pip failed; `python` is the package of the interpreter, for `apt install`."""
    for pattern, sentence in EXPLANATIONS:
        if re.search(pattern, failure.output):
            return sentence.format(python=python)
    errors = re.findall(r"^(?:ERROR|error): *(.+)", failure.output, flags=re.MULTILINE)
    return f"{errors[-1].rstrip('.')}. (All that pip said is in {failure.log}.)" if errors else str(failure)
