from __future__ import annotations

from dataclasses import replace

from daemon.executors.base import Machine
from daemon.machines import Machines
from plugin_client.wire.messages import ModelInfo

FOUND = ModelInfo("m", "here/m", hash="f00d", loaded=False, note="small", side=128)
NORTH = Machine("north", "CPU", "float32", memory=3, models=(replace(FOUND, hash=""),))
SOUTH = Machine("south", "CPU", "bfloat16", memory=4, models=(FOUND,))


def test_nothing_is_known_before_a_machine_is() -> None:
    machines = Machines(["m"])
    assert (machines.device, machines.precision, machines.memory) == ("", "", 0)
    assert machines.models(["m"]) == (ModelInfo("m", source="m", hash="", loaded=False),)


def test_machines_count_together_and_each_word_once() -> None:
    machines = Machines(["m"])
    machines.change(NORTH)
    machines.change(SOUTH)
    assert (machines.device, machines.precision, machines.memory) == ("CPU", "float32, bfloat16", 7)


def test_a_model_is_told_by_the_first_machine_that_has_found_its_files() -> None:
    machines = Machines(["m"])
    machines.change(NORTH)
    machines.change(SOUTH)
    assert machines.models(["m"]) == (FOUND,)
    machines.change(replace(NORTH, models=(replace(FOUND, hash="", loaded=True),)))
    assert machines.models(["m"]) == (replace(FOUND, loaded=True),)


def test_clients_are_told_of_machines_and_how_many_jobs_they_run() -> None:
    machines = Machines(["m"])
    machines.change(replace(SOUTH, jobs=("j1", "j2")))
    machines.change(replace(NORTH, jobs=("j1",)))
    assert [(info.name, info.running) for info in machines.infos()] == [("north", 1), ("south", 2)]
    assert (machines.running("j1"), machines.running("j2"), machines.running("j3")) == (
        ("north", "south"),
        ("south",),
        (),
    )


def test_models_keep_the_order_in_which_they_are_offered() -> None:
    machines = Machines(["b", "m"])
    machines.change(SOUTH)
    assert [model.name for model in machines.models(["b", "m"])] == ["b", "m"]


def test_a_change_replaces_what_was_known_and_a_removal_forgets_it() -> None:
    machines = Machines(["m"])
    machines.change(NORTH)
    machines.change(replace(NORTH, memory=9))
    assert (machines.memory, len(machines.all())) == (9, 1)
    machines.remove("north")
    machines.remove("north")
    assert machines.all() == ()
