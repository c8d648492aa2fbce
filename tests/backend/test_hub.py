"""Checkpoints from a hub: a real server answers as the hub does, huggingface_hub asks it from other processes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from kandinsky_backend.blobs import Blob
from kandinsky_backend.checkpoint import resolve
from kandinsky_backend.errors import CheckpointError, CheckpointNotFound, CheckpointRefused, HubError
from kandinsky_backend.hub import current_transfer
from tests.backend.hub_server import COMMIT, Hub, HubSettings, serve
from tests.random_checkpoint import write_checkpoint

REPO = "someone/kandinsky-2-1-prior"
WEIGHTS = "text_encoder/model.safetensors"
NEEDED = ["text_encoder", "tokenizer"]


class Machine(HubSettings):
    """Asks for one repository."""

    def resolve(self, **arguments: object) -> Path:
        return resolve(REPO, **{"components": NEEDED, **arguments}).folder  # type: ignore[arg-type]

    def error(self, repo: str = REPO, **arguments: object) -> CheckpointError:
        with pytest.raises(CheckpointError) as caught:
            resolve(repo, components=NEEDED, **arguments)  # type: ignore[arg-type]
        return caught.value


def unfinished(machine: Machine, repo_folder: Path) -> Path:
    etag = hashlib.sha256((repo_folder / WEIGHTS).read_bytes()).hexdigest()
    folder = machine.home / "hub" / f"models--{REPO.replace('/', '--')}"
    return Blob("", folder, WEIGHTS, etag, 0).unfinished


def ranges(hub: Hub) -> list[str]:
    return [request.range for request in hub.requests if request.is_download and request.path.endswith(WEIGHTS)]


@pytest.fixture
def repo_folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint / "prior", tmp_path / "repo"))


@pytest.fixture
def hub(repo_folder: Path) -> Iterator[Hub]:
    with serve({REPO: repo_folder}) as hub:
        yield hub


@pytest.fixture
def machine(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    machine = Machine(monkeypatch, tmp_path / "home")
    machine.connect(hub.url)
    yield machine
    huggingface_hub.close_session()


def test_the_environment_says_where_the_hub_and_the_cache_are(hub: Hub, tmp_path: Path) -> None:
    code = "import sys; from kandinsky_backend.checkpoint import resolve; print(resolve(sys.argv[1]).folder)"
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_secret"}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    run = subprocess.run(
        [sys.executable, "-c", code, REPO], env=inherited | settings, capture_output=True, text=True, check=True
    )
    assert tmp_path / "home" in Path(run.stdout.strip()).parents
    assert {request.token for request in hub.requests if REPO in request.path} == {"Bearer hf_secret"}


def test_what_is_needed_is_downloaded_once_and_then_works_offline(
    hub: Hub, machine: Machine, repo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo_folder / "text_encoder" / "pytorch_model.bin").write_bytes(b"pickle")
    folder = machine.resolve()
    assert machine.home in folder.parents
    assert (folder / WEIGHTS).read_bytes() == (repo_folder / WEIGHTS).read_bytes()
    assert sorted(hub.downloads()) == [
        "model_index.json",
        "text_encoder/config.json",
        WEIGHTS,
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
    ]
    hub.requests.clear()
    assert machine.resolve() == folder
    assert hub.downloads() == []
    hub.requests.clear()
    assert machine.resolve(local_files_only=True) == folder
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert machine.resolve() == folder
    assert hub.requests == []


def test_a_download_can_be_forced(hub: Hub, machine: Machine) -> None:
    machine.resolve()
    hub.requests.clear()
    machine.resolve(force_download=True)
    assert WEIGHTS in hub.downloads()


def test_of_a_variant_only_its_files_are_downloaded(hub: Hub, machine: Machine, repo_folder: Path) -> None:
    write_checkpoint(repo_folder.parent / "halves", "tiny_a", "fp16", "fp16")
    half = repo_folder.parent / "halves" / "prior" / "text_encoder" / "model.fp16.safetensors"
    shutil.copy(half, repo_folder / "text_encoder")
    machine.resolve(variant="fp16", components=["text_encoder", "prior"])
    weights = sorted(name for name in hub.downloads() if name.endswith(".safetensors"))
    # The prior has no such variant: it keeps its plain file, as in the reference.
    assert weights == ["prior/diffusion_pytorch_model.safetensors", "text_encoder/model.fp16.safetensors"]


def test_a_cut_download_is_resumed_where_it_ended(hub: Hub, machine: Machine, repo_folder: Path) -> None:
    chunk = constants.DOWNLOAD_CHUNK_SIZE  # what huggingface_hub writes to disk at a time
    (repo_folder / WEIGHTS).write_bytes(os.urandom(2 * chunk))
    hub.cut_after = chunk + 1000
    folder = machine.resolve()
    assert (folder / WEIGHTS).read_bytes() == (repo_folder / WEIGHTS).read_bytes()
    assert ranges(hub) == ["", f"bytes={chunk}-"]


def test_a_download_of_a_killed_process_goes_on_where_it_ended(hub: Hub, machine: Machine, repo_folder: Path) -> None:
    (repo_folder / WEIGHTS).write_bytes(os.urandom(3 * constants.DOWNLOAD_CHUNK_SIZE))
    part = unfinished(machine, repo_folder)
    code = "import sys; from kandinsky_backend.hub import Repository; Repository(sys.argv[1]).download([sys.argv[2]])"
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(machine.home)}
    hub.delay = 0.1
    with subprocess.Popen(
        [sys.executable, "-c", code, REPO, WEIGHTS], env=os.environ | settings, stderr=subprocess.DEVNULL
    ) as process:
        while not (part.exists() and part.stat().st_size):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    hub.delay = 0.0
    there = part.stat().st_size
    assert 0 < there < 3 * constants.DOWNLOAD_CHUNK_SIZE
    folder = machine.resolve()
    assert ranges(hub) == ["", f"bytes={there}-"]
    assert (folder / WEIGHTS).read_bytes() == (repo_folder / WEIGHTS).read_bytes()
    assert not list(part.parent.glob("*.incomplete"))


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        ("of what the hub no longer has", [""]),
        ("of other bytes", ["bytes=100-", ""]),
        ("too long", [""]),
        ("whole", []),
        ("empty", [""]),
    ],
)
def test_what_is_left_of_a_download_is_used_as_far_as_it_is_right(
    hub: Hub, machine: Machine, repo_folder: Path, left: str, asked: list[str]
) -> None:
    data, part = (repo_folder / WEIGHTS).read_bytes(), unfinished(machine, repo_folder)
    part.parent.mkdir(parents=True)
    contents = {"of other bytes": bytes(100), "too long": data + b"x", "whole": data, "empty": b""}
    part.write_bytes(contents.get(left, data[:100]))
    if left == "of what the hub no longer has":
        data = data[:-1] + bytes([data[-1] ^ 1])
        (repo_folder / WEIGHTS).write_bytes(data)
    folder = machine.resolve()
    assert ranges(hub) == asked
    assert (folder / WEIGHTS).read_bytes() == data
    assert not list(part.parent.glob("*.incomplete"))


def test_a_download_is_refused_before_it_starts_where_the_disk_is_too_small(
    hub: Hub, machine: Machine, monkeypatch: pytest.MonkeyPatch, repo_folder: Path
) -> None:
    (repo_folder / WEIGHTS).write_bytes(os.urandom(3_000_000))
    usage = shutil.disk_usage(machine.home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=2_500_000))
    error = machine.error()
    assert (type(error), error.code) == (HubError, "disk-too-small")
    assert (error.data["needed"], error.data["free"], error.data["repo"]) == ("3.0 MB", "2.5 MB", REPO)
    assert hub.downloads() == ["model_index.json"]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=3_500_000))
    assert machine.resolve()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=0))
    assert machine.resolve()  # of what is here nothing is downloaded


def test_how_far_a_download_is_can_be_seen_meanwhile(hub: Hub, machine: Machine, repo_folder: Path) -> None:
    (repo_folder / WEIGHTS).write_bytes(os.urandom(3 * constants.DOWNLOAD_CHUNK_SIZE))
    hub.delay = 0.2
    seen = set()
    with ThreadPoolExecutor(1) as thread:
        fetched = thread.submit(machine.resolve)
        while not fetched.done():
            if transfer := current_transfer():
                seen.add((transfer.done, transfer.total))
            time.sleep(0.02)
    assert fetched.result()
    [total] = {total for _, total in seen}
    assert total >= 3 * constants.DOWNLOAD_CHUNK_SIZE
    assert len(seen) > 2
    assert all(done <= total for done, total in seen)
    assert current_transfer() is None


def test_the_token_of_the_hubs_own_settings_is_sent(
    hub: Hub, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.token = "hf_secret"
    assert machine.error().code == "no-repository"
    assert machine.error(token="hf_wrong").code == "bad-token"
    assert machine.resolve(token="hf_secret")
    machine.move_to(tmp_path / "second")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "token").write_text("hf_secret")
    assert machine.resolve()
    machine.move_to(tmp_path / "third")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert machine.resolve()


def test_a_revision_is_asked_for_by_name_or_commit(hub: Hub, machine: Machine) -> None:
    hub.revisions = ("main", "v2", COMMIT)
    assert machine.resolve(revision="v2")
    assert any("/revision/v2" in request.path for request in hub.requests)
    assert machine.resolve(revision=COMMIT)
    error = machine.error(revision="v3")
    assert (type(error), error.code) == (CheckpointNotFound, "no-revision")
    assert error.data == {"repo": REPO, "revision": "v3"}


def test_the_cache_folder_can_be_chosen(machine: Machine, tmp_path: Path) -> None:
    assert tmp_path / "elsewhere" in machine.resolve(cache_dir=str(tmp_path / "elsewhere")).parents


def test_an_unknown_repository_is_named(machine: Machine) -> None:
    error = machine.error("someone/else")
    assert (type(error), error.code, error.data["repo"]) == (CheckpointNotFound, "no-repository", "someone/else")


def test_a_gated_repository_is_explained(hub: Hub, machine: Machine) -> None:
    hub.gated = True
    error = machine.error()
    assert (type(error), error.code, error.data["repo"]) == (HubError, "gated", REPO)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("offline", " (HF_HUB_OFFLINE is set)"),
        ("local files only", " (only local files were asked for)"),
        ("nothing listens", " (HF_ENDPOINT is http://127.0.0.1:1)"),
        ("a proxy", " (HF_ENDPOINT is http://hub.invalid, HTTP_PROXY is http://***@127.0.0.1:1)"),
        ("the network", ""),
    ],
)
def test_no_network_and_no_copy_is_named_with_what_stands_in_the_way(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, why: str, said: str
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", why == "offline")
    if why == "nothing listens":
        machine.connect("http://127.0.0.1:1")
    if why == "a proxy":
        machine.connect("http://hub.invalid")
        monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1")
    if why == "the network":  # as the hub's own address is where nothing listens
        machine.connect("http://127.0.0.1:1")
        monkeypatch.setattr(constants, "_HF_DEFAULT_ENDPOINT", "http://127.0.0.1:1")
    error = machine.error(local_files_only=why == "local files only")
    assert (type(error), error.code, error.data["repo"]) == (HubError, "unreachable", REPO)
    assert error.data["why"] == said


def test_a_repository_of_pickles_is_refused_and_none_is_downloaded(
    hub: Hub, machine: Machine, repo_folder: Path
) -> None:
    (repo_folder / WEIGHTS).rename(repo_folder / "text_encoder" / "pytorch_model.bin")
    error = machine.error()
    assert (type(error), error.code) == (CheckpointRefused, "pickles")
    assert (error.data["path"], error.data["file"]) == (f"{REPO}/text_encoder", "pytorch_model.bin")
    assert not any(name.endswith(".bin") for name in hub.downloads())


def test_what_is_no_hub_id_is_named(machine: Machine) -> None:
    error = machine.error("some one/else")
    assert (type(error), error.code, error.data["repo"]) == (CheckpointNotFound, "bad-id", "some one/else")
