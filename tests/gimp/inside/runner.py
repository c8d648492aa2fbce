"""Runs inside GIMP: all cases of a file, and a report of how each of them ended."""

import importlib
import json
import os
import traceback
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")

from gi.repository import Gegl, Gimp  # noqa: E402 - the versions must be chosen first


def run(file: str) -> None:
    Gegl.init(None)
    module = importlib.import_module(f"tests.gimp.inside.{file.removesuffix('.py')}")
    cases = {name: case for name, case in vars(module).items() if name.startswith("test_")}
    report = {name: _complaint(case) for name, case in cases.items()}
    Path(os.environ["CASES_FOLDER"], "report.json").write_text(json.dumps(report))


def _complaint(case) -> str:
    try:
        case()
    except Exception:  # noqa: BLE001 - whatever it is goes into the report
        return traceback.format_exc()
    finally:
        for image in Gimp.get_images():
            image.delete()
    return ""
