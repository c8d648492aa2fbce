"""The environment of the peers: made once, by what requirements.txt says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PACKAGES = ("torch", "diffusers", "transformers", "openvino")


def cache() -> Path:
    """Folder in which the benchmark keeps what it makes once."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kandinsky-blend" / "benchmarks"


def python_of(folder: Path) -> Path:
    """The interpreter of the environment in `folder`, which is made now if it is not there or asks for other versions.

    Raises:
        subprocess.CalledProcessError: pip failed; it has said why.
    """
    python, installed = folder / "bin" / "python", folder / REQUIREMENTS.name
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        print(f"making the peers' environment in {folder} ({sys.version.split()[0]})", flush=True)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
        installed.write_text(wanted, encoding="utf-8")
    return python


def versions(python: Path) -> dict[str, str]:
    """What is installed there."""
    code = f"import json, importlib.metadata as m; print(json.dumps({{p: m.version(p) for p in {PACKAGES}}}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))
