"""The table of commands, and the handling of their errors."""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from install import checks, demo, doctor, gimp, service, translations
from install.environment import Environment
from install.steps import InstallError

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Command:
    """A command. `run` takes the environment and the arguments after its name, and returns an exit code."""

    name: str
    help: str
    run: Callable[[Environment, Sequence[str]], int]


COMMANDS = (
    Command(
        "demo",
        "blend two pictures and a prompt through a daemon of its own; the picture lands in demo-output/",
        demo.run,
    ),
    Command("gimp", "install the plug-in into every GIMP 3 that is found; --remove takes it out again", gimp.run),
    Command(
        "service", "have the system keep the daemon running while you are logged in; --remove ends that", service.run
    ),
    Command("doctor", "say what of GIMP, plug-in, daemon and model works, and what to do about the rest", doctor.run),
    Command("test", "run all tests; arguments after it go to pytest: python3 install test -k wire", checks.test),
    Command("lint", "check style, format and types", checks.lint),
    Command(
        "translate",
        "bring the plug-in's translations up to its texts; with a language's code, begin that one too",
        translations.run,
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` begin with, and return its exit code: 2 when there is no such command."""
    command = next((c for c in COMMANDS if c.name in arguments[:1]), None)
    if command is None:
        return _explain_usage(arguments[:1])
    try:
        return command.run(Environment(PROJECT), arguments[1:])
    except InstallError as exc:
        print(exc, file=sys.stderr)
    except OSError as exc:
        print(os_error_sentence(exc), file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    return 1


def _explain_usage(given: Sequence[str]) -> int:
    """Print the usage for `given`, the first argument if there is one, that is no command; the exit code."""
    asked_for_help = list(given) in (["-h"], ["--help"])
    if given and not asked_for_help:
        print(f"There is no command {given[0]!r}.", file=sys.stderr)
    print(usage(), file=sys.stdout if asked_for_help else sys.stderr)
    return 0 if asked_for_help else 2


def usage() -> str:
    """Return the usage, printed for --help and when the command is missing or unknown."""
    lines = [f"  {command.name:<11}{command.help}" for command in COMMANDS]
    return "\n".join(["usage: python3 install COMMAND", *lines])


def os_error_sentence(exc: OSError) -> str:
    """Return an error of the system as a sentence that says what to do."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({exc.filename or PROJECT}): make room and run the same command again."
    return f"{exc.strerror or exc}: {exc.filename or PROJECT}"
