"""The arguments of kandinsky-blend, and their help.

An option that was not given is absent from the result, so that defaults stand in one place: messages.Blend.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from plugin_client.launch import full_name
from plugin_client.sweep import MAX_FRAMES, MIN_FRAMES
from plugin_client.wire.endpoint import default_address, parse_endpoint
from plugin_client.wire.errors import EndpointError
from plugin_client.wire.limits import BOUNDS, MAX_COUNT, MAX_SIDE, MIN_SIDE
from plugin_client.wire.messages import Blend, Blending, Fit

# An item as given: what it is, its text or file, its weight.
GivenItem = tuple[Literal["prompt", "image"], str, float]

_DEFAULTS = {field.name: field.default for field in fields(Blend)}
_DRAWN = {
    "size": "what the model draws best",
    "seed": "drawn, and shown",
    "model": "the first that the daemon offers",
}

FASTEST, SLOWEST = 20, 60_000  # ms a frame; many programs slow down what is faster
ANIMATIONS = (".gif", ".webp")  # how the names of files end that hold all frames of a sweep

_EXAMPLES = """\
examples:
  Something between two pictures and a prompt:
    kandinsky-blend generate --prompt "a cat" 0.3 --image cat.png 0.3 --image night.jpg 0.4 -o out.png
  Four variations, and all of them on one sheet:
    kandinsky-blend generate --image a.png 0.5 --image b.png 0.5 --count 4 --grid sheet.png -o out.png
  From a cat to a night in twelve pictures, as an animation:
    kandinsky-blend sweep --prompt "a cat" 1 --image night.jpg 0 --to 0 1 --frames 12 -o sweep.gif
  The same picture again, from nothing but its file; then with more of its second item:
    kandinsky-blend again out.png
    kandinsky-blend again out.png --weights 0.2 0.8 -o more.png
  What a picture was made of:
    kandinsky-blend show out.png
  What runs, and how to leave it:
    kandinsky-blend status
    kandinsky-blend cancel 1f2e3d4c

The blending is done by a daemon in the background, which keeps the model loaded. generate starts one when none runs,
and so does again for the default model or for one given with --model; stop ends it. Errors are one sentence on stderr;
the exit code is 2 for a mistake in the command, 1 for anything else, 130 after Ctrl-C."""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """What a command line, or this process's own, asks for; the command's name is its `command`.

    Raises:
        SystemExit: the help was asked for and shown, or there is a mistake, which stderr tells.
    """
    return _parser().parse_args(_guarded(sys.argv[1:] if argv is None else argv))


# argparse takes a text that begins with "-" for an option. Behind this mark, which no argument of a process can hold,
# it does not; _AddItem takes the mark away.
_GUARD = "\0"


def _guarded(argv: Sequence[str]) -> list[str]:
    """The arguments, with each text that follows --prompt or --image marked if it begins with "-"."""
    before = ["", *argv]
    return [
        f"{_GUARD}{text}" if option in ("--prompt", "--image") and text.startswith("-") else text
        for option, text in zip(before, argv, strict=False)
    ]


def _parser() -> argparse.ArgumentParser:
    top = _Parser(
        prog="kandinsky-blend",
        description="Blend pictures and prompts, each with a weight, into the picture that lies between them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {metadata.version('kandinsky-blend')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_CommandParser)
    _add_generate(commands)
    _add_sweep(commands)
    _add_again(commands)
    _add_show(commands)
    _add_jobs(commands)
    _add_daemon(commands)
    return top


def _add_generate(commands: Any) -> None:
    command = _command(commands, "generate", "make a new picture")
    _add_items(command)
    _add_output(command, required=True)
    command.add_argument(
        "--grid", type=_png, metavar="FILE.png", default=None, help="put all variations on one sheet as well"
    )
    look = command.add_argument_group("how it looks")
    _add_settings(look, {name: str(value) for name, value in _DEFAULTS.items()} | _DRAWN)
    look.add_argument(
        "--count", type=_number(int, "Blend.count"), metavar="N", help=f"variations, up to {MAX_COUNT} (default: 1)"
    )
    _add_look(look)
    _add_seen(command)


def _add_sweep(commands: Any) -> None:
    command = _command(
        commands,
        "sweep",
        "make pictures from one set of weights to another",
        "All of them have the same seed, so only what the weights change moves.",
    )
    _add_items(command)
    command.add_argument(
        "--to",
        nargs="+",
        type=_number(float, "TextItem.weight"),
        required=True,
        metavar="WEIGHT",
        help="the weights at the end, one for each item in the order in which they were given",
    )
    command.add_argument(
        "--frames",
        type=int,
        default=8,
        metavar="N",
        help=f"how many pictures, from {MIN_FRAMES} to {MAX_FRAMES} (default: %(default)s)",
    )
    command.add_argument(
        "-o",
        "--output",
        type=_frames_file,
        required=True,
        metavar="FILE",
        help="FILE.gif or FILE.webp is an animation; of FILE.png, FILE-1.png, FILE-2.png ..., each with its recipe",
    )
    command.add_argument(
        "--frame-time",
        type=_frame_time,
        default=100,
        metavar="MS",
        help="how long an animation shows each, in ms (default: %(default)s)",
    )
    _add_quiet(command)
    look = command.add_argument_group("how it looks")
    _add_settings(look, {name: str(value) for name, value in _DEFAULTS.items()} | _DRAWN)
    _add_look(look)
    _add_seen(command)


def _add_items(command: argparse.ArgumentParser) -> None:
    item = command.add_argument_group("what to blend (repeat them; at least one)")
    item.add_argument(
        "--prompt",
        dest="items",
        nargs=2,
        action=_AddItem,
        metavar=("TEXT", "WEIGHT"),
        help="words, best in English, of which the model reads about 70",
    )
    item.add_argument(
        "--image",
        dest="items",
        nargs=2,
        action=_AddItem,
        metavar=("FILE", "WEIGHT"),
        help="a picture file. Weights are used as they are: 0.5 and 0.5 lie halfway, 1 on one item alone is that item, "
        "a negative weight leads away from it",
    )


def _add_seen(command: argparse.ArgumentParser) -> None:
    pictures = command.add_argument_group("how the model sees the given pictures, in which it reads one square")
    pictures.add_argument(
        "--fit",
        choices=get_args(Fit),
        default="crop",
        help="crop the centre, pad with the backdrop, or stretch (default: %(default)s)",
    )
    pictures.add_argument(
        "--backdrop",
        default="white",
        metavar="COLOUR",
        help="what shines through transparent parts: a name or #rrggbb (default: %(default)s)",
    )


def _add_again(commands: Any) -> None:
    command = _command(
        commands,
        "again",
        "make a picture again from the recipe in its file",
        "On the same machine, the new file equals the old one byte for byte. What the model saw in the given pictures "
        "is in the recipe: their files are not needed. With other weights or settings it is a new blend of the same.",
    )
    _add_picture(command)
    _add_output(command, required=False)
    command.add_argument(
        "--weights",
        nargs="+",
        type=_weight_behind_the_file,
        metavar="WEIGHT",
        help="new weights, one for each item in the order in which they were given",
    )
    _add_settings(command, {})


def _add_show(commands: Any) -> None:
    command = _local_command(commands, "show", "show the recipe in a picture's file", "No daemon is needed for it.")
    _add_picture(command)
    command.add_argument("--json", action="store_true", default=False, help="all of it, as programs read it")


def _add_picture(command: argparse.ArgumentParser) -> None:
    command.add_argument("picture", type=_path, metavar="FILE.png", help="made by kandinsky-blend")


def _add_jobs(commands: Any) -> None:
    _command(commands, "status", "show the daemon and its jobs")
    cancel = _command(commands, "cancel", "cancel a job; it ends within a step")
    fetch = _command(commands, "fetch", "wait for a job that was left, and write its pictures")
    for command in (cancel, fetch):
        command.add_argument("job", type=_job_id, metavar="JOB", help="its id, or the beginning of it, from status")
    _add_output(fetch, required=True)


def _add_daemon(commands: Any) -> None:
    _command(commands, "models", "list the models that the daemon offers, the default first")
    start = _command(commands, "start", "start a daemon in the background", "See kandinsky-daemon --help for more.")
    start.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME|FOLDER|HUBID",
        help="a model to offer; repeat it for several, the first is the default",
    )
    start.add_argument("--device", default=None, help="cpu, ascend or auto")
    start.add_argument("--precision", default=None, help="float32, float16, bfloat16 or auto")
    _command(commands, "stop", "cancel what runs and stop the daemon")


def _local_command(commands: Any, name: str, help_: str, more: str = "") -> argparse.ArgumentParser:
    """A command that talks to no daemon."""
    description = f"{help_[0].upper()}{help_[1:]}. {more}".strip()
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=help_, description=description, argument_default=argparse.SUPPRESS
    )
    return command


def _command(commands: Any, name: str, help_: str, more: str = "") -> argparse.ArgumentParser:
    command = _local_command(commands, name, help_, more)
    command.add_argument(
        "--endpoint",
        type=_endpoint,
        default=None,
        metavar="ADDRESS",
        help=f"the daemon's: ipc:///folder/name.sock or tcp://host:port (default: {default_address()})",
    )
    return command


def _add_output(command: argparse.ArgumentParser, required: bool) -> None:
    command.add_argument(
        "-o",
        "--output",
        type=_png,
        required=required,
        default=None,
        metavar="FILE.png",
        help="where to write it"
        + ("; of several, FILE-1.png, FILE-2.png ..." if required else " (default: X-again.png)"),
    )
    _add_quiet(command)


def _add_quiet(command: argparse.ArgumentParser) -> None:
    command.add_argument("--quiet", action="store_true", default=False, help="show no progress")


def _add_settings(group: Any, defaults: dict[str, str]) -> None:
    """What may differ between a picture and the same one made again; `defaults` are shown in the help."""

    def add(name: str, kind: Callable[[str], Any], metavar: str, help_: str) -> None:
        default = defaults.get(name, "as recorded")
        group.add_argument(f"--{name}", type=kind, metavar=metavar, help=f"{help_} (default: {default})")

    add("size", _size, "WxH", f"in pixels, each side from {MIN_SIDE} to {MAX_SIDE}")
    add("steps", _number(int, "Blend.steps"), "N", "of painting; fewer are quicker and rougher")
    add(
        "guidance", _number(float, "Blend.guidance"), "N", "how closely the painting follows the blend; 1 lets it drift"
    )
    add("seed", _number(int, "Blend.seed"), "N", "the same seed makes the same picture")
    add("model", full_name, "NAME", "one of those that `kandinsky-blend models` lists, or its folder")


def _add_look(group: Any) -> None:
    """What is only asked for in a new picture."""
    group.add_argument("--negative", metavar="TEXT", help="what to keep away from")
    group.add_argument(
        "--decoder-prompt",
        metavar="TEXT",
        help="words for the painting itself, in any of about 100 languages (default: none, as in the reference). The "
        "blend says what the picture is of; this reaches the multilingual text encoder beside it and shifts details. "
        "Try it when the blend has lost something that words can name; leave it out to compare with other programs",
    )
    _add_number(group, "prior_steps", int, "of turning each prompt into what a picture of it would look like")
    _add_number(group, "prior_guidance", float, "how closely that follows the words")
    group.add_argument(
        "--blending",
        choices=get_args(Blending),
        help="linear is the reference; spherical keeps the strength of what it mixes "
        f"(default: {_DEFAULTS['blending']})",
    )
    group.add_argument("--normalise", action="store_true", help="divide the weights by their sum")


def _add_number(group: Any, name: str, kind: Callable[[str], float], help_: str) -> None:
    option = f"--{name.replace('_', '-')}"
    group.add_argument(
        option, type=_number(kind, f"Blend.{name}"), metavar="N", help=f"{help_} (default: {_DEFAULTS[name]})"
    )


_CLEARER = {
    "argument --prompt: expected 2 arguments": 'give a text and a weight, such as --prompt "a cat" 0.5',
    "argument --image: expected 2 arguments": "give a file and a weight, such as --image cat.png 0.5",
}  # than what argparse says


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, like all others, without the whole usage in front of it."""

    def error(self, message: str) -> NoReturn:
        sentence = _CLEARER.get(message, message.replace(_GUARD, ""))
        self.exit(2, f"kandinsky-blend: {sentence}; see {self.prog} --help\n")


class _CommandParser(_Parser):
    """A command's parser, which refuses what it does not know itself, and so points to its own help."""

    def parse_known_args(  # type: ignore[override]  # as argparse itself calls it
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


# --- kinds of values ---------------------------------------------------------------------------------------------


class _AddItem(argparse.Action):
    """Collects prompts and images in the order in which they stand."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        assert values is not None
        source, weight = map(str, values)
        source = source.removeprefix(_GUARD)
        try:
            number = _number(float, "TextItem.weight")(weight)
        except argparse.ArgumentTypeError as exc:
            raise argparse.ArgumentError(self, f"the weight of {source!r}: {exc}") from exc
        kind = self.option_strings[0].lstrip("-")
        item = (kind, str(_path(source)) if kind == "image" else source, number)
        setattr(namespace, self.dest, [*getattr(namespace, self.dest, []), item])


_NUMBERS: dict[Callable[[str], float], str] = {int: "whole number", float: "number"}


def _number(kind: Callable[[str], float], field: str) -> Callable[[str], float]:
    """What reads a number within the bounds of a field of a message."""
    low, high = BOUNDS[field]

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError as exc:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no {_NUMBERS[kind]}{_with_point(text) if kind is float else ''}"
            ) from exc
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is out of range: must be from {low} to {high}")
        return value

    return read


def _with_point(text: str) -> str:
    """What to write instead of a number with a decimal comma."""
    return f": write {text.replace(',', '.')}" if re.fullmatch(r"[+-]?\d*,\d+", text) else ""


def _weight_behind_the_file(text: str) -> float:
    """One of the weights of `again`, which take in whatever stands behind them."""
    if text.lower().endswith(".png"):
        raise argparse.ArgumentTypeError(f"the file comes first: again {text} --weights ...")
    return _number(float, "TextItem.weight")(text)


def _job_id(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: give a job's id, or the beginning of it, from status")
    return text


def _endpoint(text: str) -> str:
    try:
        return parse_endpoint(text)
    except EndpointError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write WIDTHxHEIGHT, like 768x512")
    width, height = int(match[1]), int(match[2])
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (width, height)):
        raise argparse.ArgumentTypeError(f"{text} is out of range: sides are {MIN_SIDE} to {MAX_SIDE} px")
    return width, height


def _path(text: str) -> Path:
    """A file's name; a shell leaves "~/cat.png" in quotes as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # "~name" of nobody's: a shell too takes that for a file's name
        return Path(text)


def _frame_time(text: str) -> int:
    if not (text.isascii() and text.isdigit() and FASTEST <= int(text) <= SLOWEST):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: must be a whole number from {FASTEST} to {SLOWEST}")
    return int(text)


def _frames_file(text: str) -> Path:
    if not text.lower().endswith((".png", *ANIMATIONS)):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png, {' or '.join(ANIMATIONS)}")
    return _path(text)


def _png(text: str) -> Path:
    if not text.lower().endswith(".png"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png: recipes are kept in PNG files")
    return _path(text)
