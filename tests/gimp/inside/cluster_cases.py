"""Takes a picture of Daemon Status where the daemon has several machines; see cluster_screenshot.py."""

import time

from tests.gimp.inside.service_window_cases import says
from tests.gimp.inside.window import open_entry, report, shot, start_anew, wait_for

SETTLING = 2.0  # s


def test_three_machines():
    start_anew()
    open_entry("Daemon Status")
    wait_for("the machines", lambda: says("Pictures that wait or are being made: 4"))
    time.sleep(SETTLING)
    shot("machines")


if __name__ == "__main__":
    report(globals())
