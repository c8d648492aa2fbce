"""The machines of an executor, and what they are together to a client of the protocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from daemon.executors.base import Machine
from plugin_client.wire.limits import MAX_COUNT, MAX_MACHINES, MAX_SIDE
from plugin_client.wire.messages import MachineInfo, ModelInfo


class Machines:
    """The machines that are there now. `models` are the names that the daemon offers, the default first."""

    def __init__(self, models: Iterable[str]) -> None:
        self._names = tuple(models)
        self._machines: dict[str, Machine] = {}  # by name

    def change(self, machine: Machine) -> None:
        """Take in a new machine, or a new state of one."""
        self._machines[machine.name] = machine

    def remove(self, name: str) -> None:
        self._machines.pop(name, None)

    def all(self) -> tuple[Machine, ...]:
        return tuple(self._machines.values())

    def infos(self) -> tuple[MachineInfo, ...]:
        """Return what a client is told of the machines, by name; of jobs their number alone, since others own them."""
        told = [
            MachineInfo(one.name, one.device, one.precision, one.memory, one.slots, len(one.jobs))
            for one in sorted(self.all(), key=lambda one: one.name)
        ]
        return tuple(told[:MAX_MACHINES])

    def running(self, job_id: str) -> tuple[str, ...]:
        """Return the names of the machines that run a job now."""
        return tuple(sorted(one.name for one in self.all() if job_id in one.jobs))[:MAX_COUNT]

    @property
    def device(self) -> str:
        """The kinds of device, each once; "" while none is known."""
        return _each_once(machine.device for machine in self.all())

    @property
    def precision(self) -> str:
        """The precisions, each once; "" while none is known."""
        return _each_once(machine.precision for machine in self.all())

    @property
    def memory(self) -> int:
        """Bytes resident in all processes that own models."""
        return sum(machine.memory for machine in self.all())

    def side(self, model: str) -> int:
        """Px of the squares that a model draws by itself ("" is the default one); MAX_SIDE until that is known."""
        return self._model(model or self._names[0]).side or MAX_SIDE

    def models(self, names: Iterable[str]) -> tuple[ModelInfo, ...]:
        """The models of these names; of one that no machine has told of yet, the name alone."""
        return tuple(map(self._model, names))

    def _model(self, name: str) -> ModelInfo:
        known = [model for machine in self.all() for model in machine.models if model.name == name]
        if not known:
            return ModelInfo(name, source=name, hash="", loaded=False)
        best = max(known, key=lambda model: bool(model.hash))  # the first of those whose files were found
        return replace(best, loaded=any(model.loaded for model in known))


def _each_once(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, words)))
