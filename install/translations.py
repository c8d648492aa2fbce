"""`python3 install translate [LANGUAGE]`: brings the translations up to the texts in the source, and compiles them."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from install.checks import run_module
from install.environment import Environment
from install.steps import InstallError

SOURCES = ("plugin_client",)
FOLDER = "plugin_client/editor/locale"
DOMAIN = "kandinsky-blend"

_BABEL = "babel.messages.frontend"
_LOOK = ("--width=120", "--add-location=file")  # a line's number would change with every edit


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Extract, update and compile; print what to do next. The exit code is Babel's where Babel fails."""
    if len(arguments) > 1:
        raise InstallError(f"translate takes the code of one language or nothing, and was given {' '.join(arguments)}.")
    environment.ensure(groups=["dev"])
    for command in _commands(environment.project, arguments):
        if exit_code := run_module(environment, _BABEL, *command):
            return exit_code
    print(f"Translate what is empty or fuzzy in {FOLDER}/*/LC_MESSAGES/{DOMAIN}.po, and run the same command again.")
    return 0


def _commands(project: Path, languages: Sequence[str]) -> list[list[str]]:
    """Return Babel's commands in their order."""
    template = f"{FOLDER}/{DOMAIN}.pot"
    known = [f"--input-file={template}", f"--output-dir={FOLDER}", f"--domain={DOMAIN}"]
    who = ["--project=Kandinsky Blend", "--version=1", "--copyright-holder=Kandinsky Blend"]
    what = ["--no-default-keywords", "--keyword=_", "--keyword=N_", "--add-comments=Translators:", "--sort-by-file"]
    return [
        ["extract", *_LOOK, *who, *what, f"--output-file={template}", *SOURCES],
        *(
            ["init", "--width=120", *known, f"--locale={language}"]
            for language in languages
            if not (project / FOLDER / language).exists()
        ),
        ["update", "--width=120", "--ignore-obsolete", *known],
        ["compile", "--statistics", f"--directory={FOLDER}", f"--domain={DOMAIN}"],
    ]
