"""`python3 install translate [LANGUAGE]`: the plug-in's texts out of its source, into each language, and compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from install.checks import run_module
from install.environment import Environment
from install.steps import InstallError

SOURCE = "plugin_client/gimp"
FOLDER = f"{SOURCE}/locale"
DOMAIN = "kandinsky-blend"

_BABEL = "babel.messages.frontend"
_LOOK = ("--width=120", "--add-location=file")  # a line's number would change with every edit


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Extract, update and compile; say what is left to translate. An error of Babel's is its own exit code."""
    if len(arguments) > 1:
        raise InstallError(f"translate takes the code of one language or nothing, and was given {' '.join(arguments)}.")
    environment.ensure(groups=["dev"])
    for command in _commands(environment.project, arguments):
        if exit_code := run_module(environment, _BABEL, *command):
            return exit_code
    print(f"Translate what is empty or fuzzy in {FOLDER}/*/LC_MESSAGES/{DOMAIN}.po, and run the same command again.")
    return 0


def _commands(project: Path, languages: Sequence[str]) -> list[list[str]]:
    """Babel's, in their order."""
    template = f"{FOLDER}/{DOMAIN}.pot"
    known = [f"--input-file={template}", f"--output-dir={FOLDER}", f"--domain={DOMAIN}"]
    who = ["--project=Kandinsky Blend", "--version=1", "--copyright-holder=Kandinsky Blend"]
    what = ["--no-default-keywords", "--keyword=_", "--add-comments=Translators:", "--sort-by-file"]
    return [
        ["extract", *_LOOK, *who, *what, f"--output-file={template}", SOURCE],
        *(
            ["init", "--width=120", *known, f"--locale={language}"]
            for language in languages
            if not (project / FOLDER / language).exists()
        ),
        ["update", "--width=120", "--ignore-obsolete", *known],
        ["compile", "--statistics", f"--directory={FOLDER}", f"--domain={DOMAIN}"],
    ]
