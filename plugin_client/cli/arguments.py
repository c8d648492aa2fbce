"""The arguments of kandinsky-blend, and their help.

An option that was not given is absent from the result, so that defaults stand in one place: settings.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from typing import Any, Literal, NoReturn, get_args

from plugin_client.cli.values import (
    GUARD,
    SPECIAL,
    AddItem,
    aspect,
    cell,
    endpoint,
    frame_time,
    frames_file,
    job_id,
    number,
    path,
    png,
    size,
    weight,
    weight_behind_the_file,
)
from plugin_client.explore import AXES, CELLS
from plugin_client.regions import FACTOR, MAX_FACTOR, MOST_GROWTH, OVERLAP
from plugin_client.sweep import MAX_FRAMES, MIN_FRAMES
from plugin_client.wire.limits import MAX_PICTURE_SIDE
from plugin_client.wire.messages import Fit, Refine, Repaint, Upscale
from plugin_client.wire.paths import default_address
from plugin_client.wire.settings import SETTINGS, SettingField, redraw_settings

# An item as given: what it is, its text or file, its weight.
GivenItem = tuple[Literal["prompt", "image"], str, float]

_OF_NEW_PICTURES = [one for one in SETTINGS.values() if one.setting.asked != "never"]
_OF_FRAMES = [one for one in _OF_NEW_PICTURES if one.name != "count"]  # a frame of a sweep is one picture
_OF_TILES = [one for one in _OF_NEW_PICTURES if one.name != "width"]  # whose size the model knows
_OF_OLD_PICTURES = [one for one in SETTINGS.values() if one.setting.asked == "always"]

_EXAMPLES = """\
examples:
  Something between two pictures and a prompt:
    kandinsky-blend generate --prompt "a cat" 0.3 --image cat.png 0.3 --image night.jpg 0.4 -o out.png
  Four variations, and all of them on one sheet:
    kandinsky-blend generate --image a.png 0.5 --image b.png 0.5 --count 4 --grid sheet.png -o out.png
  From a cat to a night in twelve pictures, as an animation:
    kandinsky-blend sweep --prompt "a cat" 1 --image night.jpg 0 --to 0 1 --frames 12 -o sweep.gif
  A sheet of drafts between the two, and the one in its second row, third column, in full:
    kandinsky-blend explore --prompt "a cat" 0.5 --image night.jpg 0.5 -o sheet.png
    kandinsky-blend again sheet.png --cell 2,3 -o best.png
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
    """Read a command line, or this process's own; the command's name is the result's `command`.

    Raises:
        SystemExit: the help was asked for and shown, or there is a mistake, which stderr tells.
    """
    return _parser().parse_args(_guarded(sys.argv[1:] if argv is None else argv))


def _guarded(argv: Sequence[str]) -> list[str]:
    """Mark each text that follows --prompt or --image and begins with "-"."""
    before = ["", *argv]
    return [
        f"{GUARD}{text}" if option in ("--prompt", "--image") and text.startswith("-") else text
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
    _add_explore(commands)
    _add_drawing(commands)
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
        "--grid", type=png, metavar="FILE.png", default=None, help="put all variations on one sheet as well"
    )
    _add_settings(command.add_argument_group("how it looks"), _OF_NEW_PICTURES, _of_a_new_picture)
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
        type=weight,
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
        type=frames_file,
        required=True,
        metavar="FILE",
        help="FILE.gif or FILE.webp is an animation; of FILE.png, FILE-1.png, FILE-2.png ..., each with its recipe",
    )
    command.add_argument(
        "--frame-time",
        type=frame_time,
        default=100,
        metavar="MS",
        help="how long an animation shows each, in ms (default: %(default)s)",
    )
    _add_quiet(command)
    _add_settings(command.add_argument_group("how it looks"), _OF_FRAMES, _of_a_new_picture)
    _add_seen(command)


def _add_explore(commands: Any) -> None:
    command = _command(
        commands,
        "explore",
        f"draw a sheet of {CELLS} x {CELLS} drafts, from which again makes one in full",
        "The sheet goes over the weights between the items, each of which has all weight in a corner or at an end; of "
        f"two items, its rows are seeds. --across and --down choose something else: {AXES}.",
    )
    _add_items(command, "at least two, unless --across and --down say what changes")
    for axis in ("across", "down"):
        command.add_argument(f"--{axis}", default="", metavar="AXIS", help=f"what changes as one goes {axis}")
    _add_output(command, required=True, several="")
    _add_settings(command.add_argument_group("how it looks"), _OF_FRAMES, _of_a_new_picture)
    _add_seen(command)


def _add_items(command: argparse.ArgumentParser, how_many: str = "at least one") -> None:
    item = command.add_argument_group(f"what to blend (repeat them; {how_many})")
    item.add_argument(
        "--prompt",
        dest="items",
        nargs=2,
        action=AddItem,
        metavar=("TEXT", "WEIGHT"),
        help="words, best in English, of which the model reads about 70",
    )
    item.add_argument(
        "--image",
        dest="items",
        nargs=2,
        action=AddItem,
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
    for name, what in (("source", "into which was drawn"), ("mask", "that said where")):
        command.add_argument(
            f"--{name}",
            type=path,
            metavar="FILE",
            default=None,
            help=f"the picture {what}, where it was too large to be kept in the file",
        )
    command.add_argument(
        "--weights",
        nargs="+",
        type=weight_behind_the_file,
        metavar="WEIGHT",
        help="new weights, one for each item in the order in which they were given",
    )
    _add_settings(command, _OF_OLD_PICTURES, _as_recorded)


def _add_show(commands: Any) -> None:
    command = _local_command(commands, "show", "show the recipe in a picture's file", "No daemon is needed for it.")
    _add_picture(command)
    command.add_argument("--json", action="store_true", default=False, help="all of it, as programs read it")


def _add_drawing(commands: Any) -> None:
    """Add the commands that draw into a picture."""
    repaint = _command(
        commands,
        "repaint",
        "draw into a part of a picture",
        "Outside the mask every pixel stays as it is. Without --prompt and --image, use remove.",
    )
    remove = _command(
        commands,
        "remove",
        "draw the surroundings over a part of a picture",
        "Outside the mask every pixel stays as it is.",
    )
    for command in (repaint, remove):
        _add_source(command)
        command.add_argument(
            "--mask",
            type=path,
            required=True,
            metavar="MASK",
            help="a picture of the same size: white is drawn anew, black stays, gray mixes both",
        )
    refine = _command(commands, "refine", "draw a picture anew, starting from the picture itself")
    extend = _command(
        commands,
        "extend",
        "let a picture go on beyond its edges",
        f"The new parts go over into the outermost {OVERLAP} pixels of the picture; all others stay as they are.",
    )
    upscale = _command(
        commands,
        "upscale",
        "enlarge a picture, and draw it anew tile by tile, which adds detail",
        "Each tile is as large as the model draws best. Much above the default strength, each shows something of the "
        "whole picture; 0 enlarges it by Lanczos, and no more.",
    )
    for command in (refine, upscale, extend):
        _add_source(command)
    target = upscale.add_argument_group("how large it becomes: give one of them").add_mutually_exclusive_group()
    target.set_defaults(target=None, factor=None)
    into = "in pixels: the picture keeps its proportions, and fits into it"
    target.add_argument("--size", dest="target", type=size(1, MAX_PICTURE_SIDE), metavar="WxH", help=into)
    by = f"by which width and height are multiplied (default: {FACTOR:g})"
    target.add_argument("--factor", type=number(float, (1, MAX_FACTOR)), metavar="NUMBER", help=by)
    sides = extend.add_argument_group("where it goes on: give pixels for some sides, or an aspect")
    for side in ("left", "right", "top", "bottom"):
        sides.add_argument(f"--{side}", type=number(int, (0, MOST_GROWTH)), metavar="PIXELS", help="(default: 0)")
    sides.add_argument("--aspect", type=aspect, metavar="W:H", help="such as 16:9, with the picture in the middle")
    _add_items(repaint)
    _add_items(refine, "without any, the picture itself is what is drawn")
    _add_items(upscale, "without any, the picture itself is what is drawn")
    _add_items(extend, "without any, the picture goes on as it is")
    for command in (repaint, refine, upscale, extend):
        _add_seen(command)
    drawing = ((repaint, Repaint), (remove, Repaint), (extend, Repaint), (refine, Refine), (upscale, Upscale))
    for command, kind in drawing:
        _add_output(command, required=True)
        group = command.add_argument_group("how it looks")
        _add_settings(group, redraw_settings(kind), _of_a_new_picture)
        _add_settings(group, _OF_TILES if command is upscale else _OF_NEW_PICTURES, _of_a_new_picture)


def _add_source(command: argparse.ArgumentParser) -> None:
    command.add_argument("picture", type=path, metavar="PICTURE", help="a picture file")


def _add_picture(command: argparse.ArgumentParser) -> None:
    command.add_argument("picture", type=path, metavar="FILE.png", help="made by kandinsky-blend")
    command.add_argument(
        "--cell",
        type=cell,
        metavar="ROW,COLUMN",
        default=None,
        help="which one of a sheet of explore, counted from 1,1 in the upper left corner",
    )


def _add_jobs(commands: Any) -> None:
    _command(commands, "status", "show the daemon and its jobs")
    cancel = _command(commands, "cancel", "cancel a job; it ends within a step")
    fetch = _command(commands, "fetch", "wait for a job that was left, and write its pictures")
    for command in (cancel, fetch):
        command.add_argument("job", type=job_id, metavar="JOB", help="its id, or the beginning of it, from status")
    _add_output(fetch, required=True)


def _add_daemon(commands: Any) -> None:
    _add_models(commands)
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
    _command(commands, "stop", "stop the daemon", "Jobs that run or wait are kept, and go on when it is started again.")
    join = _local_command(
        commands,
        "join",
        "keep your key of a daemon that somebody else runs",
        "After that --endpoint tcp://HOST:PORT reaches it.",
    )
    join.add_argument("key", type=path, metavar="FILE", help="the key file that you were given")
    _command(
        commands,
        "forget",
        "delete the prompts and pictures that are kept",
        "Of a daemon that runs: of all jobs that are over. Where none runs: everything, jobs that wait included.",
    )


def _add_models(commands: Any) -> None:
    models = _command(
        commands,
        "models",
        "list the models, or fetch or remove one",
        "The default model is the first. A download goes on when the terminal is closed; Ctrl-C stops it, and what has "
        "come stays.",
    )
    actions = models.add_subparsers(dest="action", metavar="ACTION", parser_class=_CommandParser)
    for action, help_ in (
        ("fetch", "download a model, or go on with that; a daemon is started where none runs"),
        ("stop", "stop a download"),
        ("remove", "delete what was downloaded of a model, after a question"),
    ):
        command = _command(actions, action, help_)
        command.add_argument("model", metavar="NAME", help="from the list that models shows")
        if action == "remove":
            command.add_argument("--yes", action="store_true", default=False, help="ask nothing")
        if action != "stop":
            _add_quiet(command)


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
        type=endpoint,
        default=None,
        metavar="ADDRESS",
        help=f"the daemon's: ipc:///folder/name.sock or tcp://host:port (default: {default_address()})",
    )
    return command


def _add_output(
    command: argparse.ArgumentParser, required: bool, several: str = "; of several, FILE-1.png, FILE-2.png ..."
) -> None:
    command.add_argument(
        "-o",
        "--output",
        type=png,
        required=required,
        default=None,
        metavar="FILE.png",
        help="where to write it" + (several if required else " (default: X-again.png)"),
    )
    _add_quiet(command)


def _add_quiet(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--quiet",
        action="store_true",
        default=False,
        help="show no progress; a seed that was drawn stands behind the file's name",
    )
    command.add_argument(
        "--force",
        action="store_true",
        default=False,
        help="replace files that are there; without it, only a result of the same recipe is replaced",
    )


def _add_settings(group: Any, fields: Iterable[SettingField], default: Callable[[SettingField], str]) -> None:
    """Add an option for each setting; `default` tells in its help what is taken without it."""
    for one in fields:
        if one.name == "height":  # --size says both
            continue
        option, how, words = SPECIAL.get(one.name) or (one.option, _reading(one), one.setting.help)
        details = f". {one.setting.details}" if one.setting.details else ""
        group.add_argument(f"--{option}", **how, help=f"{words} (default: {default(one)}){details}")


def _reading(one: SettingField) -> dict[str, Any]:
    """Return the options of add_argument that make argparse read a setting."""
    if one.choices:
        return {"choices": one.choices}
    if one.type is bool:
        return {"action": "store_true"}
    if one.type is str:
        return {"metavar": "TEXT"}
    return {"type": number(int if one.type is int else float, one.setting.bounds), "metavar": "N"}


def _of_a_new_picture(one: SettingField) -> str:
    return one.setting.left_out or ("no" if one.type is bool else str(one.default) or "none")


def _as_recorded(one: SettingField) -> str:
    return "as recorded"


_CLEARER = {
    "argument --prompt: expected 2 arguments": 'give a text and a weight, such as --prompt "a cat" 0.5',
    "argument --image: expected 2 arguments": "give a file and a weight, such as --image cat.png 0.5",
}  # than what argparse says


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, like all others, without the whole usage in front of it."""

    def error(self, message: str) -> NoReturn:
        sentence = _CLEARER.get(message, message.replace(GUARD, ""))
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
