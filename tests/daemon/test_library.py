"""Models that a real daemon fetches from a hub of this machine, and removes, as any client asks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.library import Library
from kandinsky_backend import hub_cache, library
from kandinsky_backend.families import locate
from plugin_client import launch, model_library
from plugin_client.client import Client
from plugin_client.job import Job
from plugin_client.wire import paths
from plugin_client.wire.errors import KandinskyError, LibraryError, Refused
from plugin_client.wire.lock import DaemonLock
from plugin_client.wire.messages import Blend, StoredModel, TextItem
from tests.backend.hub_server import Hub, serve
from tests.daemon.conftest import PROJECT, blend, wait_until

MODEL = "kandinsky-2-1"
DECODER, PRIOR = "kandinsky-community/kandinsky-2-1", "kandinsky-community/kandinsky-2-1-prior"
FAKE = ["--engine", "tests.daemon.fake_engine:FakeEngine"]


@pytest.fixture
def hub(tiny_checkpoint: Path, tmp_path: Path) -> Iterator[Hub]:
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "published"))
    with serve({DECODER: folder / "decoder", PRIOR: folder / "prior"}) as hub:
        yield hub


@pytest.fixture
def cache(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty, as this process and the daemon see it."""
    home = tmp_path / "hf"
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
    return home / "hub"


@pytest.fixture
def client(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of a real daemon that was started for another model, with an engine that only plays."""
    home = tmp_path / "d"
    home.mkdir(mode=0o700)
    monkeypatch.setenv(paths.HOME_VARIABLE, str(home))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    with launch.start(None, ["--model", "embedded", *FAKE]) as client:
        yield client
    launch.stop(None)


def stored(client: Client) -> StoredModel:
    return model_library.model_of(client.library(), MODEL)


def fetch(client: Client) -> None:
    client.fetch_model(MODEL)
    for _ in model_library.follow(client, MODEL):
        pass


def names(client: Client) -> list[str]:
    return [model.name for model in client.models()]


def partly(client: Client, hub: Hub) -> StoredModel:
    """Begin a slow download, and wait until some of it is there."""
    hub.delay = 60.0
    client.fetch_model(MODEL)
    return wait_until(lambda: model if (model := stored(client)).done else None, "bytes have come")


def test_a_fetched_model_is_offered_and_a_removed_one_is_not(client: Client, cache: Path) -> None:
    absent = stored(client)
    assert (absent.state, absent.disk, absent.removable, absent.download) == ("absent", 0, False, 13_000_000_000)
    assert names(client) == ["embedded"]
    with pytest.raises(Refused, match="is not here: it is to be fetched first") as refused:
        client.submit_blend(blend(model=MODEL))
    assert refused.value.code == "unknown-model"
    fetch(client)
    here = stored(client)
    assert (here.state, here.removable, here.fault) == ("here", True, None)
    assert here.disk == sum(hub_cache.bytes_in(folder / "blobs") for folder in cache.glob("models--*"))
    assert names(client) == ["embedded", MODEL]
    assert client.models()[1].jobs == ("blend", "refine", "repaint", "upscale")
    client.submit_blend(blend(model=MODEL)).result()
    client.remove_model(MODEL)
    wait_until(lambda: stored(client).state == "absent", "it is removed")
    assert list(cache.glob("models--*")) == []
    assert names(client) == ["embedded"]


def test_a_stopped_download_goes_on_where_it_ended(client: Client, hub: Hub) -> None:
    come = partly(client, hub)
    assert 0 < come.done < come.total
    client.stop_fetch(MODEL)
    stopped = stored(client)
    assert (stored(client).state, stopped.fault) == ("partly", "stopped")
    assert stopped.disk >= come.done
    hub.delay = 0.0
    before = set(hub.downloads())
    hub.requests.clear()
    fetch(client)
    assert stored(client).state == "here"
    assert before - set(hub.downloads())  # what was whole is not fetched again


def test_a_killed_daemon_leaves_what_has_come(client: Client, hub: Hub) -> None:
    come = partly(client, hub)
    os.kill(client.ping().pid, 9)
    hub.delay = 0.0
    wait_until(lambda: not is_locked(), "its end is seen")
    with launch.start(None, ["--model", "embedded", *FAKE]) as other:
        assert stored(other).disk >= come.done
        fetch(other)
        assert stored(other).state == "here"


def is_locked() -> bool:
    """Whether a daemon still has the lock of the default endpoint."""
    try:
        with DaemonLock(paths.default_address()):
            return False
    except KandinskyError:
        return True


def test_a_second_fetch_is_harmless_and_pictures_are_made_meanwhile(client: Client, hub: Hub) -> None:
    partly(client, hub)
    assert model_library.model_of(client.fetch_model(MODEL), MODEL).state == "fetching"
    client.submit_blend(blend()).result()
    assert stored(client).state == "fetching"
    with pytest.raises(Refused, match="is being fetched: stop that first") as refused:
        client.remove_model(MODEL)
    assert refused.value.code == "model-in-use"


def test_a_model_that_a_job_needs_is_not_removed(client: Client) -> None:
    fetch(client)
    job: Job = client.submit_blend(Blend((TextItem("endless", 1.0),), model=MODEL, width=16, height=16))
    with pytest.raises(Refused, match="1 job needs it") as refused:
        client.remove_model(MODEL)
    assert refused.value.code == "model-in-use"
    assert stored(client).state == "here"
    job.cancel()


@pytest.mark.parametrize("ask", [Client.fetch_model, Client.stop_fetch, Client.remove_model])
def test_a_name_that_is_in_no_library_is_refused(client: Client, ask: Callable[[Client, str], object]) -> None:
    with pytest.raises(Refused, match="there is no model 'x/y': choose one of embedded, kandinsky-2-1") as refused:
        ask(client, "x/y")
    assert refused.value.code == "unknown-model"


def test_what_ships_with_the_program_is_not_removed(client: Client) -> None:
    with pytest.raises(Refused, match="are of no download") as refused:
        client.remove_model("embedded")
    assert refused.value.code == "not-allowed"


def test_a_model_of_which_nothing_is_here_is_not_removed(client: Client) -> None:
    with pytest.raises(Refused, match="nothing of the model 'kandinsky-2-1' is here") as refused:
        client.remove_model(MODEL)
    assert refused.value.code == "unknown-model"


def test_a_hub_that_is_not_there_is_named(client: Client, hub: Hub) -> None:
    hub.repos.clear()
    client.fetch_model(MODEL)
    with pytest.raises(LibraryError, match="no public repository on the hub") as failed:
        list(model_library.follow(client, MODEL))
    assert failed.value.code == "not-fetched"
    assert (stored(client).state, stored(client).fault) == ("absent", "not-fetched")


def fault_of(code: str, environment: dict[str, str]) -> str:
    """What the process that fetches says in the end, after `code` has been run in it."""
    program = f"{code}\nfrom daemon.library_worker import main\nmain(['fetch', {MODEL!r}])"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


def test_no_way_to_the_hub_is_a_fault_of_its_own(cache: Path) -> None:
    said = fault_of("", {"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert '"fault": "hub-unreachable"' in said
    assert "HF_ENDPOINT is http://127.0.0.1:9" in said


def test_a_disk_that_is_too_small_for_all_of_it_is_told_with_both_numbers(cache: Path) -> None:
    small = "import shutil\nusage = shutil.disk_usage('/')._replace(free=1000)\nshutil.disk_usage = lambda _: usage"
    said = fault_of(small, {})
    assert '"fault": "disk-full"' in said
    assert "has 0.0 MB left" in said
    assert "is a download of" in said


def test_only_what_the_cache_owns_is_removed(cache: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "precious").write_text("mine")
    cache.mkdir(parents=True)
    hub_cache.repository_folder(PRIOR).symlink_to(own)
    with pytest.raises(ValueError, match="is a link, which is left alone"):
        library.remove(locate(MODEL))
    with pytest.raises(ValueError, match="was not made by a download"):
        library.remove(locate(str(tiny_checkpoint)))
    assert (own / "precious").read_text() == "mine"


def test_nothing_is_fetched_on_several_machines(cache: Path) -> None:
    with pytest.raises(Exception, match="several machines"):
        Library(["embedded"], "this daemon draws on several machines").fetch(MODEL)
