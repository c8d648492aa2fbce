"""Long work is cut into strips by how long those before took."""

from __future__ import annotations

from plugin_client.editor.pace import AIM, LEAST, Pace


class Machine:
    """A clock that the work sets forward, by so many seconds a pixel."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self._seconds = seconds

    def work(self, pixels: int) -> float:
        self.now += self._seconds * pixels
        return self._seconds * pixels


def strips(machine: Machine, width: int, height: int) -> list[tuple[int, int, float]]:
    """The first row and the number of rows of each strip, and how long it took."""
    pace = Pace(2**16, lambda: machine.now)
    found = []
    for top, rows in pace.strips(width, height):
        with pace.timed():
            took = machine.work(rows * width)
        found.append((top, rows, took))
    return found


def test_strips_follow_each_other_without_a_gap() -> None:
    found = strips(Machine(1e-7), 300, 4000)
    assert [top for top, _, _ in found] == [sum(rows for _, rows, _ in found[:n]) for n in range(len(found))]
    assert sum(rows for _, rows, _ in found) == 4000


def test_on_every_machine_a_strip_soon_takes_about_as_long_as_is_aimed_at() -> None:
    for seconds in (1e-8, 1e-7, 1e-6):
        settled = strips(Machine(seconds), 100, 2**19)[8:-1]
        assert all(0.5 * AIM < took < 2 * AIM or rows * 100 >= 2**21 for _, rows, took in settled), seconds


def test_on_the_slowest_machine_a_strip_has_some_pixels_all_the_same() -> None:
    assert all(rows * 64 >= LEAST for _, rows, _ in strips(Machine(1.0), 64, 4096)[:-1])
