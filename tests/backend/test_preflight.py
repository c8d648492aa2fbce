"""The look at a model before a daemon says that it has started: what is missing or damaged is named then."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from kandinsky_backend.errors import CheckpointBroken, CheckpointError, CheckpointNotFound, CheckpointRefused
from kandinsky_backend.hub import Repository
from kandinsky_backend.preflight import check_model
from tests.backend.hub_server import HubSettings, serve
from tests.random_checkpoint import write_checkpoint

UNET = "decoder/unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def model(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))


def cut(keep: int) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[:keep])


def written(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


def turned_into_a_pickle(path: Path) -> None:
    path.rename(path.with_suffix(".bin"))


def check_refused(model: Path, name: str, kind: type[CheckpointError], code: str) -> None:
    """Refused for a reason that names the file, or its folder where it is missing."""
    with pytest.raises(CheckpointError) as caught:
        check_model(str(model))
    assert (type(caught.value), caught.value.code) == (kind, code)
    path = model / name
    assert str(path) in str(caught.value) or str(path.parent) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "spoil", "kind", "code"),
    [
        ("decoder/unet", shutil.rmtree, CheckpointNotFound, "no-component"),
        ("prior/image_processor", shutil.rmtree, CheckpointNotFound, "no-component"),
        (UNET, Path.unlink, CheckpointNotFound, "no-weights"),
        (UNET, turned_into_a_pickle, CheckpointRefused, "pickles"),
        (UNET, cut(0), CheckpointBroken, "bad-file"),
        (UNET, cut(100), CheckpointBroken, "bad-file"),
        (UNET, cut(-1), CheckpointBroken, "bad-file"),
        ("prior/prior/config.json", Path.unlink, CheckpointNotFound, "no-config"),
        ("prior/prior/config.json", cut(0), CheckpointBroken, "no-json"),
        ("decoder/movq/config.json", written("{}"), CheckpointBroken, "no-settings"),
        ("decoder/scheduler/scheduler_config.json", written("{}"), CheckpointBroken, "no-settings"),
        ("prior/tokenizer/merges.txt", Path.unlink, CheckpointNotFound, "no-tokenizer"),
        ("prior/tokenizer/vocab.json", cut(99), CheckpointBroken, "no-json"),
        ("decoder/tokenizer/tokenizer.json", cut(-9), CheckpointBroken, "cut-short"),
        ("decoder/tokenizer/tokenizer.json", cut(0), CheckpointBroken, "cut-short"),
        ("decoder/model_index.json", written("{}"), CheckpointNotFound, "not-in-index"),
    ],
)
def test_what_is_missing_or_damaged_is_named(
    model: Path, name: str, spoil: Callable[[Path], object], kind: type[CheckpointError], code: str
) -> None:
    check_model(str(model))
    spoil(model / name)
    check_refused(model, name, kind, code)


def test_a_shard_that_is_missing_or_cut_short_is_named(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, shards=2)
    check_model(str(tmp_path))
    shard = tmp_path / "decoder/unet/diffusion_pytorch_model-00002-of-00002.safetensors"
    cut(-1)(shard)
    check_refused(tmp_path, str(shard), CheckpointBroken, "bad-file")
    shard.unlink()
    check_refused(tmp_path, str(shard), CheckpointBroken, "no-shard")


def test_a_decoder_of_another_kandinsky_is_named(model: Path) -> None:
    """That of 2.2 has no text encoder."""
    index = model / "decoder" / "model_index.json"
    entries = json.loads(index.read_bytes())
    index.write_text(
        json.dumps({name: entry for name, entry in entries.items() if name not in ("text_encoder", "tokenizer")})
    )
    check_refused(model, "decoder/model_index.json", CheckpointNotFound, "not-in-index")


def test_offline_the_copy_of_a_model_of_the_hub_is_looked_at(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve({"someone/model": model / "decoder", "someone/model-prior": model / "prior"}) as hub:
        HubSettings(monkeypatch, tmp_path / "home").connect(hub.url)
        check_model("someone/model")  # which will be downloaded
        folder = Repository("someone/model").download(["*"])
        Repository("someone/model-prior").download(["*"])
        huggingface_hub.close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    check_model("someone/model")
    (folder / UNET.removeprefix("decoder/")).unlink()
    with pytest.raises(CheckpointNotFound, match=r"unet holds no model\.safetensors"):
        check_model("someone/model")


def test_no_model_is_imported_for_it(model: Path) -> None:
    code = (
        "import sys; from kandinsky_backend.preflight import check_model; check_model(sys.argv[1]); print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(model)], capture_output=True, text=True, check=True)
    assert "safetensors" in run.stdout
    assert not {"mindspore", "transformers", "huggingface_hub"} & set(run.stdout.split())
