"""`python -m tests.gimp.cluster_screenshot`: a picture of Daemon Status with the three machines of a real Ray cluster.

It is one of this computer, in which each machine has one processor. The picture goes where the tests' screenshots go.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from plugin_client import launch
from plugin_client.client import Client
from plugin_client.wire.paths import HOME_VARIABLE
from tests.daemon.cluster import studio
from tests.gimp.editor import Editor, screenshots
from tests.gimp.root import root

PROMPTS = ("a red circle on a blue ground", "a green square", "a yellow star at night", "a violet ring")
LONG = {"size": (256, 256), "steps": 900, "seed": 7}
MACHINES = 3


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, studio() as nodes:
        os.environ[HOME_VARIABLE] = folder
        for _ in range(MACHINES):
            nodes.join(1)
        profile = Path(folder) / "gimp"
        profile.mkdir()
        launch.start(None, ["--ray", nodes.address]).close()
        try:
            with Client() as client:
                while len(client.ping().machines) < MACHINES:
                    time.sleep(0.1)
                jobs = [client.submit([(prompt, 1.0)], **LONG) for prompt in PROMPTS]
                while sum(machine.running for machine in client.ping().machines) < MACHINES:
                    time.sleep(0.1)
                while not all(info.step for info in client.jobs() if info.state == "running"):
                    time.sleep(0.1)
                editor = Editor(root(), profile, Path(folder))
                editor.install()
                complaints = editor.run_window("cluster_cases")
                for job in jobs:
                    job.discard()
        finally:
            launch.stop(None)
    print(*filter(None, complaints.values()), f"The picture is in {screenshots()}.", sep="\n")
    return 1 if any(complaints.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
