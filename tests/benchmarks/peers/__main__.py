"""How fast ours is beside what users would run instead: diffusers on PyTorch, and OpenVINO.

    .venv/bin/python -m tests.random_checkpoint FOLDER --size full --dtype fp16
    .venv/bin/python -m tests.benchmarks.peers FOLDER [--stages step decode] [--results RESULTS.json]

Each stage runs in a process of its own for each contender, the contenders in turn, `--rounds` times. What is measured
is added to the JSON file, so that stages can be measured one by one; the table (Markdown) and the plot are made of it
anew each time. The peers live in an environment that is made at the first run. The full size takes up to 14 GB of
memory, and all stages together an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import environment, machine, report, results
from tests.benchmarks.peers.stages import ALL, OPENVINO, OPERATORS, OURS, STAGES, Contender, Stage
from tests.benchmarks.peers.timing import CLOCK_VARIABLE, CLOCKS

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
PICTURES = [str(PROJECT / "install" / "pictures" / name) for name in ("cat.png", "night.jpg")]


def main() -> None:
    arguments = parsed()
    python = environment.python_of(arguments.environment)
    threads = len(os.sched_getaffinity(0))
    found = results.read(arguments.results)
    if "machine" not in found:
        found |= {"machine": machine.describe(threads)}
    found["versions"] = {**machine.our_versions(), **environment.versions(python)}
    found["clock"] = os.environ[CLOCK_VARIABLE] = arguments.clock  # for the processes that measure
    run = Runner(arguments.folder, python, threads, arguments.repeats)
    for _ in range(arguments.rounds):
        for name in arguments.stages:
            for contender in chosen(name, arguments):
                measure(run, name, changed(STAGES[name], arguments), contender, found)
                results.write(arguments.results, found)
    arguments.results.with_suffix(".md").write_text(report.report(found), encoding="utf-8")
    plot = [python, HERE / "plot.py", arguments.results, arguments.results.with_suffix(".png")]
    subprocess.run(plot, check=True)


def measure(run: Runner, name: str, stage: Stage, contender: Contender, found: dict[str, Any]) -> None:
    """Add what a process measured to the results; one that fails says why, and the others go on."""
    load = os.getloadavg()[0]
    try:
        rows = run(stage, contender)
    except subprocess.CalledProcessError as exc:
        print(f"{name}, {contender}: failed with {exc.returncode}", flush=True)
        return
    print(f"{name}, {contender}: {rows}", flush=True)
    results.add(found, contender, rows)
    found["loads"].append(load)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a checkpoint of full size: prior/ and decoder/")
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=list(STAGES))
    parser.add_argument("--contenders", nargs="*", choices=[*map(str, ALL), f"{OPERATORS} float32"])
    parser.add_argument("--sizes", nargs="*", type=int, help="px, instead of the stage's own")
    parser.add_argument("--batches", nargs="*", type=int, help="pictures at a time, instead of the stage's own")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2, help="calls in each process after a first one")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor: on one core of a busy machine")
    parser.add_argument("--results", type=Path, default=Path("peers.json"))
    parser.add_argument("--environment", type=Path, default=environment.cache() / "peers", help="of the peers")
    return parser.parse_args()


def chosen(name: str, arguments: argparse.Namespace) -> list[Contender]:
    """The contenders of a stage that the command line asks for."""
    return [each for each in STAGES[name].contenders if not arguments.contenders or str(each) in arguments.contenders]


def changed(stage: Stage, arguments: argparse.Namespace) -> Stage:
    """The stage with the options that the command line gives."""
    given = {name: getattr(arguments, name) for name in ("sizes", "batches") if name in stage.options}
    options = {**stage.options, **{name: value for name, value in given.items() if value}}
    return Stage(stage.measure, stage.contenders, options)


class Runner:
    """Runs a stage of a contender in a process of its own."""

    def __init__(self, folder: Path, python: Path, threads: int, repeats: int) -> None:
        self.folder, self.python, self.threads, self.repeats = folder.resolve(), python, threads, repeats

    def __call__(self, stage: Stage, contender: Contender) -> dict[str, list[float]]:
        """What it measured.

        Raises:
            subprocess.CalledProcessError: it failed; it has said why.
        """
        request = {"stage": stage.measure, "precision": contender.precision, "threads": self.threads}
        request |= {"repeats": self.repeats, **stage.options}
        if contender.who == OPENVINO:
            return self._run([self.python, HERE / "theirs_openvino.py"], {**request, "models": str(self._models())})
        request["folder"] = str(self.folder)
        if stage.measure in ("interpolate", "job", "weights"):
            request["pictures"] = PICTURES
        if contender.who == OPERATORS:
            request["stage"] += "_with_operators"
        if contender.who in (OURS, OPERATORS):
            return self._run([sys.executable, "-m", "tests.benchmarks.peers.ours"], request)
        return self._run([self.python, HERE / "theirs.py"], request)

    def _models(self) -> Path:
        """The folder of OpenVINO's own files for this checkpoint, converted at the first call."""
        models = environment.cache() / "openvino" / self.folder.name
        if not (models / "unet.xml").exists():
            request = {"stage": "convert", "folder": str(self.folder), "models": str(models)}
            self._run([self.python, HERE / "theirs_openvino.py"], request)
        return models

    def _run(self, command: list[str | Path], request: Mapping[str, Any]) -> dict[str, list[float]]:
        line = [*map(str, command), json.dumps(request)]
        done = subprocess.run(line, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
        return results.parse_output(done.stdout)


if __name__ == "__main__":
    main()
