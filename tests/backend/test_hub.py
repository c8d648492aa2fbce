"""Checkpoints from a hub: a real server answers as the hub does, huggingface_hub asks it from other processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from kandinsky_backend.checkpoint import CheckpointError, CheckpointNotFound, CheckpointRefused, HubError, resolve
from tests.backend.hub_server import COMMIT, Hub, serve
from tests.random_checkpoint import write_checkpoint

REPO = "someone/kandinsky-2-1-prior"
WEIGHTS = "text_encoder/model.safetensors"
NEEDED = ["text_encoder", "tokenizer"]


@dataclass
class Machine:
    """huggingface_hub's settings, which it reads from the environment once, when it is imported."""

    monkeypatch: pytest.MonkeyPatch
    home: Path

    def __post_init__(self) -> None:
        self.move_to(self.home)

    def move_to(self, home: Path) -> None:
        """Have another, empty home."""
        self.home = home
        self.monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        self.monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))

    def connect(self, url: str) -> None:
        self.monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        self.monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    def resolve(self, **arguments: object) -> Path:
        return resolve(REPO, **{"components": NEEDED, **arguments}).folder  # type: ignore[arg-type]

    def error(self, repo: str = REPO, **arguments: object) -> CheckpointError:
        with pytest.raises(CheckpointError) as caught:
            resolve(repo, components=NEEDED, **arguments)  # type: ignore[arg-type]
        return caught.value


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
    fetched = [request.range for request in hub.requests if request.is_download and request.path.endswith(WEIGHTS)]
    assert fetched == ["", f"bytes={chunk}-"]


def test_the_token_of_the_hubs_own_settings_is_sent(
    hub: Hub, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.token = "hf_secret"
    assert "no public repository on the hub: check its name, or log in" in str(machine.error())
    assert "does not know the token" in str(machine.error(token="hf_wrong"))
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
    assert isinstance(error, CheckpointNotFound)
    assert str(error) == f"{REPO} has no revision 'v3': check it on the repository's page"


def test_the_cache_folder_can_be_chosen(machine: Machine, tmp_path: Path) -> None:
    assert tmp_path / "elsewhere" in machine.resolve(cache_dir=str(tmp_path / "elsewhere")).parents


def test_an_unknown_repository_is_named(machine: Machine) -> None:
    error = machine.error("someone/else")
    assert isinstance(error, CheckpointNotFound)
    assert str(error).startswith("someone/else is no folder here and no public repository")


def test_a_gated_repository_is_explained(hub: Hub, machine: Machine) -> None:
    hub.gated = True
    error = machine.error()
    assert isinstance(error, HubError)
    assert str(error).startswith(f"{REPO} is open only to those who accepted its terms")


@pytest.mark.parametrize("why", ["offline", "local files only", "nothing listens"])
def test_no_network_and_no_copy_is_one_sentence(machine: Machine, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", why == "offline")
    if why == "nothing listens":
        machine.connect("http://127.0.0.1:1")
    error = machine.error(local_files_only=why == "local files only")
    assert isinstance(error, HubError)
    assert str(error).startswith(f"the hub cannot be reached, and the copy of {REPO} on this machine is missing")


def test_a_repository_of_pickles_is_refused_and_none_is_downloaded(
    hub: Hub, machine: Machine, repo_folder: Path
) -> None:
    (repo_folder / WEIGHTS).rename(repo_folder / "text_encoder" / "pytorch_model.bin")
    error = machine.error()
    assert isinstance(error, CheckpointRefused)
    assert str(error).startswith(f"{REPO}/text_encoder holds pytorch_model.bin")
    assert not any(name.endswith(".bin") for name in hub.downloads())


def test_what_is_no_hub_id_is_named(machine: Machine) -> None:
    assert "is neither a folder nor a hub id" in str(machine.error("some one/else"))
