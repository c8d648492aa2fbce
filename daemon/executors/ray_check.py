"""`python -m daemon.executors.ray_check [ADDRESS]`: says in one line whether Ray works here, for `install doctor`.

It joins the cluster at the address, or the one that runs on this machine, and has every machine answer a task. The exit
code is 1 where something is amiss, and 2 without Ray.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib import metadata

from daemon.errors import DaemonError

SECONDS = 60.0  # for all machines to answer
NOTICE_SECONDS = 15.0  # in which the cluster notices that a machine has left


def check(address: str) -> str:
    """Return what was found, where all is well. Raises: DaemonError: what is amiss."""
    import ray
    from ray.exceptions import RayError

    here = f"{ray.__version__} for Python {platform.python_version()}"
    try:
        where = _join(address)
    except DaemonError:
        if address:
            raise
        return f"{here}; no cluster runs on this machine"
    began = time.monotonic()
    try:
        versions = _versions()
    except RayError as exc:
        raise DaemonError(f"a task did not come back from {where}: {' '.join(str(exc).split())[:300]}") from exc
    finally:
        ray.shutdown()
    own = metadata.version("kandinsky-blend")
    if others := sorted({version for version in versions if version != own}):
        raise DaemonError(
            f"{where} has kandinsky-blend {', '.join(others)}, and here is {own}: install the same everywhere"
        )
    number = f"{len(versions)} machines" if len(versions) != 1 else "1 machine"
    seconds = time.monotonic() - began
    return f"{here}; a task came back from {number} in {seconds:.1f} s: {where}"


def _join(address: str) -> str:
    """Join a cluster; which one, in words. Raises: DaemonError."""
    from daemon.executors.ray import connect

    connect(address or "auto")
    return f"the cluster at {address}" if address else "the cluster that runs here"


def _versions() -> list[str]:
    """The version of this program on each machine. Those that leave meanwhile are left out. Raises: RayError."""
    import ray
    from ray.exceptions import RayError

    from daemon.executors.ray import living_nodes

    while True:
        asked = [node.id for node in living_nodes(ray.nodes())]
        try:
            return _answers(asked)
        except RayError:
            if not _one_leaves(asked):
                raise


def _answers(nodes: Sequence[str]) -> list[str]:
    """The version on each of the machines with these ids. Raises: RayError."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = ray.remote(num_cpus=0)(version_here)
    answers = [
        asked.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote() for node in nodes
    ]
    found: list[str] = ray.get(answers, timeout=SECONDS)
    return found


def _one_leaves(nodes: Sequence[str]) -> bool:
    """Whether one of these machines has left. The cluster may list it for a while after tasks are refused for it."""
    import ray

    from daemon.executors.ray import living_nodes

    end = time.monotonic() + NOTICE_SECONDS
    while set(nodes) <= {node.id for node in living_nodes(ray.nodes())}:
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def version_here() -> str:
    """Return the version of this program on the machine where this runs; "none" where it is not installed."""
    try:
        return metadata.version("kandinsky-blend")
    except metadata.PackageNotFoundError:
        return "none"


def main(arguments: Sequence[str]) -> int:
    try:
        import ray  # noqa: F401
    except ImportError:
        return 2
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        print(check(arguments[0] if arguments else ""))
    except DaemonError as exc:
        print(exc)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
