"""Runs command lines in this process, and looks at what they made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from plugin_client.cli import __main__ as cli
from tests.client.scripted_daemon import Script


def run(command: str, *more: str) -> int:
    """The exit code of a command line."""
    try:
        return cli.main([*command.split(), *more])
    except SystemExit as exc:  # argparse's own way out
        return int(exc.code or 0)


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
    return image


def submitted(script: Script) -> Any:
    (submit,) = script.submitted.values()
    return submit.request
