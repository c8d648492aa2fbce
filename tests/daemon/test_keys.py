"""Keys of clients, and a daemon that several people share."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.keys import ClientKeys
from plugin_client.cli import __main__ as cli
from plugin_client.wire import connection_file, paths
from plugin_client.wire.connection_file import Endpoint, read_key_file
from plugin_client.wire.messages import (
    Cancel,
    Failed,
    JobInfo,
    JobList,
    ListJobs,
    Ping,
    Pong,
    Progress,
    Refusal,
    Release,
    Result,
    Shutdown,
    Status,
    Submit,
    Watch,
)
from tests.daemon.conftest import Daemons, RawClient, blend, wait_until

ADDRESS = "tcp://127.0.0.1:5555"


def connected(address: str, key: Endpoint) -> RawClient:
    return RawClient(
        address,
        curve_serverkey=key.server_key.encode(),
        curve_publickey=key.client_public_key.encode(),
        curve_secretkey=key.client_secret_key.encode(),
    )


@pytest.fixture
def folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where key files are written."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def key_of(folder: Path, name: str) -> Endpoint:
    assert main(["keys", "add", name, ADDRESS]) == 0
    return read_key_file(folder / f"{name}.key")


def test_a_key_file_is_its_reader_s_alone_and_leads_to_the_daemon(folder: Path) -> None:
    key = key_of(folder, "ada")
    assert stat.S_IMODE((folder / "ada.key").stat().st_mode) == 0o600
    assert key.address == ADDRESS
    assert key.server_key == key_of(folder, "ben").server_key


def test_a_client_keeps_its_key_by_joining(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = key_of(folder, "ada")
    monkeypatch.setenv(paths.HOME_VARIABLE, str(folder / "ada's"))  # on another machine
    assert cli.main(["join", "ada.key"]) == 0
    assert ADDRESS in capsys.readouterr().out
    assert connection_file.read_connection(ADDRESS) == key


def test_keys_are_listed_and_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list"]) == 0
    key_of(folder, "ada")
    assert main(["keys", "add", "ada", ADDRESS]) == 1
    (folder / "ada.key").unlink()
    assert main(["keys", "add", "ada", ADDRESS]) == 1
    assert main(["keys", "list"]) == 0
    assert main(["keys", "remove", "ada"]) == 0
    assert main(["keys", "remove", "ada"]) == 1
    assert main(["keys", "add", "../ada", ADDRESS]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[::2] == ["no client has a key", "ada"]
    assert told.err.splitlines() == [
        f"kandinsky-daemon: {folder / 'ada.key'} exists already: move it away first",
        "kandinsky-daemon: ada has a key already: run kandinsky-daemon keys remove ada first",
        "kandinsky-daemon: ada has no key here; who has one: nobody has",
        "kandinsky-daemon: '../ada' is no name of a client: use 1 to 64 letters, digits, _ and -",
    ]


@pytest.mark.usefixtures("home")
def test_a_change_is_seen_at_once() -> None:
    daemon_side, person = ClientKeys(), ClientKeys()
    assert not daemon_side.admits("nobody's")
    public, _ = person.add("ada")
    assert daemon_side.admits(public)
    person.remove("ada")
    assert not daemon_side.admits(public)


def test_people_who_share_a_daemon_see_and_end_their_own_jobs_alone(folder: Path, daemons: Daemons) -> None:
    ada_key, ben_key = key_of(folder, "ada"), key_of(folder, "ben")
    any_port = "tcp://127.0.0.1:0"
    daemons.launch(f"--endpoint={any_port}")
    wait_until(connection_file.connection_file(any_port).exists, "the daemon listens")
    own = connection_file.read_connection(any_port)
    with connected(own.address, ada_key) as ada, connected(own.address, ben_key) as ben:
        job = ada.submit(blend("slow " * 100))
        assert ben.ask(ListJobs(), JobList).jobs == ()
        for asked in (Status(job), Watch(job), Cancel(job), Release(job)):
            assert ben.ask(asked, Refusal).code == "unknown-job"
        assert ben.ask(Submit(job, blend("slow " * 100)), Refusal).code == "id-in-use"
        assert ben.ask(Shutdown(), Refusal).code == "not-allowed"
        assert [info.job for info in ada.ask(ListJobs("another window's"), JobList).jobs] == [job]

        with connected(own.address, own) as owner:  # who runs the daemon may do all that
            assert owner.ask(Status(job), JobInfo).state in ("queued", "running")
        ada.ask(Cancel(job), JobInfo)
        assert isinstance(ada.outcome(job), Failed)
        assert isinstance(ben.run(blend()), Result)

        waited = ada.submit(blend("slow " * 5))
        ada.wait_for_progress(waited)
        assert main(["keys", "remove", "ada"]) == 0
        with connected(own.address, own) as owner:
            owner.ask(Watch(waited), JobInfo)
            assert isinstance(owner.outcome(waited), Result)  # it was made,
        while ada.socket.poll(500):  # and what was on its way before the key was removed is all that comes:
            assert isinstance(ada.receive()[1], Progress)
        assert isinstance(ben.ask(Ping(), Pong), Pong)
    with connected(own.address, ada_key) as ada:
        ada.send(Ping())
        assert ada.hears_nothing(0.5)
