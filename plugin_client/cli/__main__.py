"""The command `kandinsky-blend`: blends from the shell. arguments.py says what can be asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper

from plugin_client.cli.arguments import parse
from plugin_client.cli.daemon import cancel, fetch, forget, join, start, status, stop
from plugin_client.cli.drawing import extend, refine, remove, repaint, upscale
from plugin_client.cli.exploring import explore
from plugin_client.cli.library import models
from plugin_client.cli.making import again, generate, show, sweep
from plugin_client.cli.words import in_words
from plugin_client.wire.errors import KandinskyError, UsageError

FAILED, MISUSED, INTERRUPTED = 1, 2, 130  # exit codes


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0, 1 when it failed, 2 when it was used wrongly, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not know all letters of a prompt
    arguments = parse(argv)
    try:
        _COMMANDS[arguments.command](arguments)
    except UsageError as exc:
        return _complain(in_words(exc), MISUSED)
    except KandinskyError as exc:
        return _complain(str(exc), FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _complain(sentence: str, code: int) -> int:
    print(f"kandinsky-blend: {sentence}", file=sys.stderr)
    return code


_COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    command.__name__: command
    for command in (
        *(generate, sweep, explore, repaint, remove, refine, upscale, extend, again, show),
        *(fetch, status, cancel, models, start, stop, join, forget),
    )
}


if __name__ == "__main__":
    sys.exit(main())
