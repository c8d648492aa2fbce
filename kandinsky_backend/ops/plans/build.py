"""The executor's shared library: compiled once for this machine, and found again.

It is linked to the oneDNN inside MindSpore's own package, and kept in the user's cache folder under a name that tells
the source, the compiler, MindSpore's version and the processor apart. It gets that name when it is complete: a build
that is killed, or two at a time, leave nothing that would be taken for it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mindspore as ms

log = logging.getLogger(__name__)

SOURCE = Path(__file__).parent / "native"
_QUIET = "-Wno-psabi"  # no notes on how functions pass vectors, which matters between libraries only
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC", _QUIET)
COMPILERS = ("g++", "clang++")
ONEDNN = Path(ms.__file__).parent / "lib" / "libdnnl.so.3"
_LIMIT = 300.0  # s for a compiler that is not stuck


class NoExecutor(RuntimeError):
    """There is no executor on this machine; the text says why, and what to do where something can be done."""


def library() -> Path:
    """The executor, compiled now if need be.

    Raises:
        NoExecutor: this is not Linux on x86-64, MindSpore brings no oneDNN 3, there is no compiler, or it failed.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NoExecutor(f"plans run on Linux on x86-64, and this is {sys.platform} on {platform.machine()}")
    if not ONEDNN.is_file():
        raise NoExecutor(f"MindSpore {ms.__version__} brings no {ONEDNN.name}")
    compiler = find_compiler()
    path = cache_folder() / f"executor-{fingerprint(compiler)}.so"
    if not path.is_file():
        build(compiler, path)
    return path


def find_compiler() -> str:
    """The path of a C++ compiler: CXX of the environment, or the first of COMPILERS.

    Raises:
        NoExecutor: there is none.
    """
    for name in filter(None, (os.environ.get("CXX"), *COMPILERS)):
        if found := shutil.which(name):
            return found
    raise NoExecutor("no C++ compiler was found: install one (Debian, Ubuntu: sudo apt install g++)")


def cache_folder() -> Path:
    """Folder in which executors are kept; deleting it costs no more than compiling one again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kandinsky-blend" / "executors"


def fingerprint(compiler: str) -> str:
    """Digest of all that an executor's machine code depends on."""
    digest = hashlib.sha256()
    for file in sorted(SOURCE.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=_LIMIT, check=False)
    for text in (version.stdout, *FLAGS, ms.__version__, str(ONEDNN), processor()):
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:24]


def processor() -> str:
    """The instructions that -march=native may use here."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith("flags")), "")


def build(compiler: str, path: Path, flags: tuple[str, ...] = ()) -> None:
    """Compile the executor to `path`, whose folder is made; `flags` are added to FLAGS.

    Raises:
        NoExecutor: the compiler failed, or the folder cannot be written.
    """
    started = time.perf_counter()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
            unfinished = Path(folder) / path.name
            _compile([compiler, *FLAGS, *flags, str(SOURCE / "plan.cpp"), "-o", str(unfinished)])
            unfinished.replace(path)
    except OSError as exc:
        raise NoExecutor(f"the executor cannot be written to {path.parent}: {exc}") from exc
    log.info("compiled the executor of plans in %.0f s: %s", time.perf_counter() - started, path)


def _compile(command: list[str]) -> None:
    command += [f"-L{ONEDNN.parent}", f"-l:{ONEDNN.name}", f"-Wl,-rpath,{ONEDNN.parent}", "-pthread"]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=True)
    except subprocess.SubprocessError as exc:
        said = getattr(exc, "stderr", None) or str(exc)
        raise NoExecutor(f"{command[0]} could not compile the executor: {said.strip()[-500:]}") from exc
