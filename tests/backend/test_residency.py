"""Models are loaded at first use, dropped least recently used first, and their memory goes back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kandinsky_backend.residency import Residency, Resident, _Group, available_memory, growth, usable_memory


class Models:
    """Makes residents of 10 bytes, and records which were loaded."""

    def __init__(self, budget_bytes: int) -> None:
        self.residency = Residency(budget_bytes)
        self.loads: list[str] = []

    def add(self, name: str, nbytes: int = 10) -> Resident[str]:
        def load() -> str:
            self.loads.append(name)
            return name

        return self.residency.add(name, nbytes, load)


def test_a_model_is_loaded_at_first_use_and_only_then() -> None:
    models = Models(100)
    unet = models.add("unet")
    assert not unet.loaded
    assert models.loads == []
    assert [unet.get(), unet.get()] == ["unet", "unet"]
    assert unet.loaded
    assert models.loads == ["unet"]


def test_the_least_recently_used_is_dropped_when_the_budget_would_be_passed() -> None:
    models = Models(20)
    prior, unet, movq = (models.add(name) for name in ("prior", "unet", "movq"))
    prior.get(), unet.get(), prior.get(), movq.get()
    assert [prior.loaded, unet.loaded, movq.loaded] == [True, False, True]
    assert models.residency.loaded_bytes == 20
    unet.get()
    assert models.loads == ["prior", "unet", "movq", "unet"]
    assert not prior.loaded


def test_room_is_made_for_as_much_as_is_expected_of_a_model() -> None:
    models = Models(25)
    prior, unet = models.add("prior"), models.add("unet")
    prior.get()
    unet.expect(16)
    unet.expect(12)
    assert growth([unet]) == 16 - 10
    unet.get()
    assert not prior.loaded


def test_as_many_are_dropped_as_the_new_one_needs() -> None:
    models = Models(30)
    small = [models.add(name) for name in "abc"]
    for resident in small:
        resident.get()
    models.add("large", 20).get()
    assert [resident.loaded for resident in small] == [False, False, True]


def test_a_model_larger_than_the_budget_is_loaded_alone() -> None:
    models = Models(20)
    prior, giant = models.add("prior"), models.add("giant", 1000)
    prior.get()
    assert giant.get() == "giant"
    assert not prior.loaded
    prior.get()
    assert not giant.loaded


def test_room_is_made_before_the_new_model_is_loaded() -> None:
    residency = Residency(10)
    first = residency.add("first", 10, lambda: "first")
    second = residency.add("second", 10, lambda: not first.loaded)
    first.get()
    assert second.get() is True


def test_a_model_that_fails_to_load_counts_for_nothing() -> None:
    residency = Residency(10)

    def load() -> str:
        raise OSError("disk")

    broken = residency.add("broken", 10, load)
    with pytest.raises(OSError, match="disk"):
        broken.get()
    assert not broken.loaded
    assert residency.loaded_bytes == 0


def test_a_model_can_be_dropped_by_hand_again_and_again() -> None:
    models = Models(20)
    unet = models.add("unet")
    unet.get()
    unet.drop()
    unet.drop()
    assert not unet.loaded
    assert models.residency.loaded_bytes == 0


def test_a_model_fits_beside_another_if_both_fit_into_the_budget() -> None:
    models = Models(20)
    unet, movq, prior = models.add("unet", 15), models.add("movq", 5), models.add("prior", 6)
    prior.get()  # in the way, but not of the two
    assert movq.fits_beside(unet)
    assert not prior.fits_beside(unet)
    assert prior.fits_beside(Models(1).add("of another budget", 15))


def test_the_default_budget_leaves_room_for_more_than_models() -> None:
    assert 0.25 < Residency().budget_bytes / usable_memory() < 0.75


def test_a_container_may_use_what_its_control_group_allows(tmp_path: Path) -> None:
    limits = [tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"]
    of_machine = usable_memory(limits)  # neither file is there
    assert of_machine > 2**30
    limits[0].write_text("max\n")
    limits[1].write_text("9223372036854771712\n")  # how version 1 says that there is no limit
    assert usable_memory(limits) == of_machine
    limits[0].write_text("314572800\n")
    assert usable_memory(limits) == 300 * 2**20


def test_where_the_system_does_not_tell_its_memory_8_gib_are_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf")
    assert usable_memory([]) == 8 * 2**30


MEASURE = """
import resource
from pathlib import Path
import numpy as np
import mindspore as ms
from mindspore import Tensor, nn, ops
from kandinsky_backend.residency import Residency
from kandinsky_backend.weights import Weights

class Halves:
    shapes = {str(i): (2, 2**20) for i in range(32)}
    def read(self, key):
        return np.ones(self.shapes[key], np.float16)

class Model(nn.Cell):
    def __init__(self):
        super().__init__()
        self.owner = [self]  # a cycle, as cells have
        weights = Weights(Halves(), ms.float32)
        self.weights = [weights.take(key, shape) for key, shape in Halves.shapes.items()]
    def construct(self, x):
        for weight in self.weights:
            ops.matmul(x, weight)
        return x + 1.0

megabytes = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20
resident = Residency(2**30).add("model", 2**28, Model)
resident.get()(Tensor(np.ones((1, 2), np.float32))).asnumpy()
loaded = megabytes()
resident.drop()
print(loaded - megabytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_of_a_dropped_model_goes_back_to_the_system() -> None:
    run = subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True, text=True)
    assert int(run.stdout) >= 240  # MB, of 256


@pytest.mark.parametrize("budget", [100, 40, 25, 10])
def test_how_much_more_is_loaded_at_a_time_is_known_before(budget: int) -> None:
    models = Models(budget)
    old, prior, unet = models.add("old", 20), models.add("prior", 20), models.add("unet", 10)
    old.get()
    parts, sizes = [prior, unet, prior], []
    known = growth(parts)
    for part in parts:
        part.get()
        sizes.append(models.residency.loaded_bytes)
    assert known == max(0, max(sizes) - 20)


def test_what_is_free_is_the_machine_s_or_what_a_container_leaves(tmp_path: Path) -> None:
    meminfo, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    group = _Group(limit, "anon")
    assert available_memory(meminfo, [group]) is None
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    assert available_memory(meminfo, [group]) == 5000 * 1024
    limit.write_text("max")
    (tmp_path / "memory.stat").write_text("file 70\nanon 300\n")
    assert available_memory(meminfo, [group]) == 5000 * 1024
    limit.write_text("1000")
    assert available_memory(meminfo, [group]) == 700
    assert (available_memory() or 1) > 0


def test_a_model_is_loaded_ahead_only_where_it_fits_in_beside_the_others() -> None:
    models = Models(30)
    prior, unet, giant = models.add("prior"), models.add("unet", 20), models.add("giant", 25)
    prior.get()
    assert giant.get_ahead() is None
    assert unet.get_ahead() == "unet"
    assert (prior.loaded, unet.loaded, giant.loaded, models.loads) == (True, True, False, ["prior", "unet"])
    assert unet.get() == "unet"
    assert models.loads == ["prior", "unet"]


def test_one_that_is_just_being_loaded_ahead_is_waited_for_and_its_room_is_kept() -> None:
    residency, loads = Residency(30), []
    begun, go_on = threading.Event(), threading.Event()

    def load() -> str:
        loads.append("unet")
        begun.set()
        go_on.wait()
        return "unet"

    unet, prior = residency.add("unet", 20, load), residency.add("prior", 20, lambda: "prior")
    threads = [threading.Thread(target=unet.get_ahead), threading.Thread(target=unet.get)]
    threads[0].start()
    begun.wait()
    assert residency.loaded_bytes == 20
    assert prior.get_ahead() is None
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join()
    assert (unet.loaded, loads, residency.loaded_bytes) == (True, ["unet"], 20)


def test_a_model_counts_with_what_it_holds_once_that_is_more_than_was_known_before() -> None:
    residency, held = Residency(50), {"unet": 0}
    unet = residency.add("unet", 20, lambda: "unet", lambda name: held[name])
    prior = residency.add("prior", 20, lambda: "prior")
    unet.get(), prior.get()
    assert residency.loaded_bytes == 40
    held["unet"] = 35  # its weights are packed, in a larger form than in the file
    assert residency.loaded_bytes == 55
    prior.drop()
    prior.get()
    assert not unet.loaded
    assert unet.nbytes == 35  # also for the next time
