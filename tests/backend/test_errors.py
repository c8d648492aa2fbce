"""The sentences of the backend's errors that a person sees. All other tests compare classes, codes and data."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kandinsky_backend import errors
from kandinsky_backend.errors import BackendError

PACKAGE = Path(errors.__file__).parent
KINDS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, BackendError)}

SENTENCES = {
    ("BlendError", "bad-strength"): [
        "the strength is {strength}: give 0 to 1",
    ],
    ("BlendError", "cancelled-out"): [
        "the items point in opposite directions and cancel out: change a weight, or blend linearly",
    ],
    ("BlendError", "empty-mask"): [
        "the mask is empty: nothing would be repainted",
    ],
    ("BlendError", "exc.code"): [
        "{name}: {reason}",
    ],
    ("BlendError", "foreign-embedding"): [
        "the embedding of item {item} has the shape {shape}, and this model's have ({width},): it was made by"
        " another model",
    ],
    ("BlendError", "full-mask"): [
        "the mask covers the whole picture: keep some of it, which is what is drawn on, or say what to draw",
    ],
    ("BlendError", "mask-mode"): [
        "the mask has the mode {mode}: give 8-bit gray (L)",
    ],
    ("BlendError", "mask-size"): [
        "the mask is {width} x {height} px and the picture {source_width} x {source_height} px: give one as large",
    ],
    ("BlendError", "narrow-source"): [
        "the picture of {width} x {height} px is too narrow to be redrawn: take a part of it",
    ],
    ("BlendError", "no-blends"): [
        "the model {name!r} does not blend",
    ],
    ("BlendError", "no-direction"): [
        "the embedding of item {item} is zero and has no direction",
    ],
    ("BlendError", "no-positive-sum"): [
        "spherical blending needs weights with a positive sum, and {weights} have none",
    ],
    ("BlendError", "no-sum"): [
        "the weights {weights} add up to 0 and cannot be normalised",
    ],
    ("BlendError", "no-weight"): [
        "all weights are 0: give at least one item another weight",
    ],
    ("BlendError", "small-result"): [
        "{width} x {height} px are fewer than the {source_width} x {source_height} of the picture: to be upscaled it "
        "must become as large at least",
    ],
    ("BlendError", "small-source"): [
        "the picture is {width} x {height} px: to be redrawn it must be at least {least} px on each side",
    ],
    ("BlendError", "too-low"): [
        "{name} is {value}: it must be at least {least}",
    ],
    ("BlendError", "too-many-steps"): [
        "{name} is {value}: this model was trained with {trained} steps",
    ],
    ("CheckpointBroken", "bad-config"): [
        "{source}, {component}: {reason}",
    ],
    ("CheckpointBroken", "dangling-link"): [
        "{path} is a link to {target}, which is not there: mount that place or fetch the model again",
    ],
    ("CheckpointBroken", "link-outside"): [
        "{path} is a link to {target}, out of the model's folder: put the file itself in its place",
    ],
    ("CheckpointBroken", "not-finite"): [
        "{path}: the tensor {key!r} holds values that are not finite numbers: fetch the file again, or take the"
        " weights of another training step",
    ],
    ("CheckpointBroken", "bad-file"): [
        "{path} is not a safetensors file, or was cut short: fetch it again ({reason})",
    ],
    ("CheckpointBroken", "bad-shard"): [
        "{path} names {file!r}, which is no safetensors file beside it",
    ],
    ("CheckpointBroken", "bad-tokenizer"): [
        "the tokenizer in {path} cannot be read: {reason}",
    ],
    ("CheckpointBroken", "too-large"): [
        "{path} has {size} bytes, and files of its kind at most {limit}: it is not what its name says",
    ],
    ("CheckpointBroken", "foreign-unet"): [
        "the UNet takes {taken} channels, but latents have {latent}: one for pictures takes as many, one for "
        "inpainting {inpainting}",
    ],
    ("CheckpointBroken", "no-json"): [
        "{path} is not JSON, or was cut short: fetch it again ({reason})",
    ],
    ("CheckpointBroken", "no-object"): [
        "{path} holds a JSON {type} where an object is needed",
    ],
    ("CheckpointBroken", "no-settings"): [
        "{path} holds no settings: fetch it again",
    ],
    ("CheckpointBroken", "cut-short"): [
        "{path} was cut short: fetch it again",
    ],
    ("CheckpointBroken", "unreadable"): [
        "{path} cannot be read: {reason}",
    ],
    ("CheckpointBroken", "no-shard"): [
        "{path} needs the file {file}, which is not beside it: fetch it again",
    ],
    ("CheckpointBroken", "no-weight-map"): [
        "{path} has no weight_map: it is not an index of safetensors files",
    ],
    ("CheckpointBroken", "not-floats"): [
        "{path}: the tensor {key!r} is of type {dtype}; weights must be {floats}",
    ],
    ("CheckpointBroken", "not-in-shard"): [
        "{path} places the tensor {key!r} in {file}, which does not hold it",
    ],
    ("CheckpointBroken", "unknown-pipeline"): [
        "{source} is for the pipeline {name!r}: only {known} are implemented",
    ],
    ("CheckpointBroken", "unknown-scheduler"): [
        "{source} asks for the scheduler {name!r}: only {known} are implemented; give another one as scheduler=",
    ],
    ("CheckpointNotFound", "a-file"): [
        "{path} is a file: give the folder that holds model_index.json",
    ],
    ("CheckpointNotFound", "bad-id"): [
        "{repo!r} is neither a folder nor a hub id (owner/name)",
    ],
    ("CheckpointNotFound", "no-component"): [
        "{source} has no folder {component!r}: fetch the model again; it has {names}",
    ],
    ("CheckpointNotFound", "no-config"): [
        "{path} holds none of {names}: fetch it again",
        "{source} has no {path}",
    ],
    ("CheckpointNotFound", "no-folder"): [
        "there is no folder {path}; a hub id looks like owner/name",
    ],
    ("CheckpointNotFound", "no-index"): [
        "{source} has no {path}: it is not the folder of a whole pipeline",
    ],
    ("CheckpointNotFound", "no-model"): [
        "{path} is no Kandinsky model: it lacks {part}/model_index.json",
    ],
    ("CheckpointNotFound", "no-prior"): [
        "{path} has no prior: the folder {prior} beside it is missing",
    ],
    ("CheckpointNotFound", "no-repository"): [
        "{repo} is no folder here and no public repository on the hub: check its name, or log in with `hf "
        "auth login` if it is a private one",
    ],
    ("CheckpointNotFound", "no-revision"): [
        "{repo} has no revision {revision!r}: check it on the repository's page",
    ],
    ("CheckpointNotFound", "no-tokenizer"): [
        "{path} holds no tokenizer, which is vocab.json and merges.txt or tokenizer.json: fetch it again",
    ],
    ("CheckpointNotFound", "no-variant"): [
        "{source} has no weights of the variant {variant!r}, such as {wanted}; it has {found}",
    ],
    ("CheckpointNotFound", "no-weights"): [
        "{path} holds no model.safetensors or diffusion_pytorch_model.safetensors: fetch it again; it has {names}",
    ],
    ("CheckpointNotFound", "not-in-index"): [
        "{source} has no {components}: its model_index.json names {known}",
    ],
    ("CheckpointNotFound", "unknown-model"): [
        "no model is called {name!r}: give one of {known}, a folder that holds prior/ and decoder/, or a hub id",
    ],
    ("CheckpointRefused", "given-model"): [
        "the {name} was given to the pipeline as a model: only what from_pretrained read can be saved",
    ],
    ("CheckpointRefused", "a-link"): [
        "{path} is a link, which is left alone: remove it yourself",
    ],
    ("CheckpointRefused", "not-ours"): [
        "{name} is not removed: its files are in {folder}, which was not made by a download",
    ],
    ("CheckpointRefused", "undeletable"): [
        "{path} cannot be deleted: {reason}",
    ],
    ("CheckpointRefused", "own-folder"): [
        "{path} is what the pipeline reads from: choose another folder to save it in",
    ],
    ("CheckpointRefused", "pickles"): [
        "{path} holds {file} and no safetensors file: {why}",
    ],
    ("CheckpointRefused", "pickles-asked-for"): [
        "use_safetensors=False was asked for, but {why}",
    ],
    ("DeviceError", "given-model"): [
        "the {name} was given to the pipeline as a model: make it in {precision} instead of converting it",
    ],
    ("DeviceError", "no-device"): [
        "MindSpore cannot use the device {device!r} on this machine: {reason}",
    ],
    ("DeviceError", "no-precision"): [
        "the {device} does not compute in {precision} here, because {reason}: choose auto or float32",
    ],
    ("DeviceError", "unknown-device"): [
        "unknown device {device!r}: choose one of {choices}",
    ],
    ("DeviceError", "unknown-precision"): [
        "cannot compute in {precision}: choose one of {choices}",
    ],
    ("HubError", "bad-token"): [
        "the hub does not know the token it was sent: log in with `hf auth login`",
    ],
    ("HubError", "cut-off"): [
        "the download of {repo} failed, run again to go on with it: {reason}",
    ],
    ("HubError", "disk-filled"): [
        "the disk has become full: {folder} has {free} left, and {missing} of {repo} are missing; make room, and run "
        "again to go on with the download",
    ],
    ("HubError", "disk-too-small"): [
        "{repo} is a download of {needed}, and {folder} has {free} left: make room there, or have HF_HOME name a"
        " folder on another disk",
    ],
    ("HubError", "gated"): [
        "{repo} is open only to those who accepted its terms: do so on its page, then log in",
    ],
    ("HubError", "refused-by-hub"): [
        "the hub refuses {repo}: it answers {status}",
    ],
    ("HubError", "unreachable"): [
        "the hub cannot be reached{why}, and the copy of {repo} on this machine is missing or incomplete: connect "
        "once to download it",
    ],
    ("NotEnoughMemory", "too-little-memory"): [
        "this takes about {needed} more of memory, and {available} are free here: choose a smaller size, or end other"
        " programs",
    ],
    ("PictureAnimated", "animated"): [
        "{name} holds {frames} frames or pages: save the one to use as a file of its own",
    ],
    ("PictureBroken", "broken"): [
        "{name} is broken and cannot be read as a picture: {reason}",
    ],
    ("PictureBroken", "damaged"): [
        "{name} is {called}, but damaged: {reason}",
    ],
    ("PictureBroken", "empty"): [
        "{name} is empty",
    ],
    ("PictureBroken", "no-pixels"): [
        "{name} has no pixels: it is {width} x {height}",
    ],
    ("PictureBroken", "unknown-format"): [
        "{name} is not a picture of a known format ({formats})",
    ],
    ("PictureError", "cut-download"): [
        "{url} cannot be downloaded: the connection ended {missing} bytes early",
    ],
    ("PictureError", "large-download"): [
        "{url} is larger than {limit} MiB: save and scale it down first",
    ],
    ("PictureError", "no-download"): [
        "{url} cannot be downloaded: {reason}",
    ],
    ("PictureError", "not-numbers"): [
        "the model made pixels that are not numbers: compute in float32 instead of float16",
    ],
    ("PictureError", "refused-by-server"): [
        "{url} cannot be downloaded: the server answers {status} {reason}",
    ],
    ("PictureError", "too-narrow"): [
        "a picture of {width} x {height} pixels is too narrow to cut a square from: pad or stretch it",
    ],
    ("PictureError", "too-small"): [
        "cannot cut {width} x {height} pixels out of {image_width} x {image_height}",
    ],
    ("PictureError", "unknown-colour"): [
        "unknown colour {colour!r}: use a name like white, or #rrggbb",
    ],
    ("PictureError", "unknown-fit"): [
        "unknown fit {fit!r}: choose one of crop, pad, stretch",
    ],
    ("PictureNotFound", "no-file"): [
        "there is no picture file {name}",
    ],
    ("PictureNotFound", "no-regular-file"): [
        "{name} cannot be read as a picture file: it is a pipe, a socket or a device",
    ],
    ("PictureNotFound", "unreadable"): [
        "{name} cannot be read as a picture file: {reason}",
    ],
    ("PictureTooLarge", "many-samples"): [
        "{name} has more than {limit} MB of samples: scale it down first",
    ],
    ("PictureTooLarge", "too-large"): [
        "{name} has {width} x {height} pixels, the limit is {limit}: scale it down first",
        "{name} has more than {limit} pixels: scale it down first",
    ],
    ("PictureUnsupported", "signed-samples"): [
        "{name} is a TIFF picture of signed whole numbers ({kind}), of which it does not say which is black: "
        "save it with unsigned ones",
    ],
    ("PictureUnsupported", "unknown-white"): [
        "{name} is of Pillow's mode I, whole numbers of which it does not say which is white: convert it to "
        "I;16, where 65535 is white, or to L, where 255 is",
    ],
    ("PictureUnsupported", "unread-format"): [
        "{name} is {called}, which cannot be read: {advice}",
    ],
    ("PictureUnsupported", "unread-here"): [
        "{name} is {called}, which this Pillow cannot read: {advice}",
    ],
    ("PictureUnsupported", "unread-kind"): [
        "{name} is a TIFF picture of a kind that is not read ({kind}): save it as RGB of 8 or 16 bits, packed"
        " by LZW or Deflate or not at all",
    ],
    ("WeightsError", "extra"): [
        "{path}: the model does not know the tensors {names}{more}",
    ],
    ("WeightsError", "misshapen"): [
        "{path}: the tensor {key!r} has shape {found}, the model needs {shape}",
    ],
    ("WeightsError", "missing"): [
        "{path}: the tensor {key!r} {shape} is missing",
    ],
}


@dataclass(frozen=True)
class Site:
    """A place in the code that makes an error."""

    where: str
    kind: str
    sentence: str
    code: str
    data: frozenset[str]


def sites() -> Iterator[Site]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                yield site(f"{path.relative_to(PACKAGE)}:{node.lineno}", node.func.id, node)


def site(where: str, kind: str, call: ast.Call) -> Site:
    sentence, code = call.args
    assert isinstance(sentence, ast.Constant), f"{where}: what belongs into the gaps is given as data"
    name = ast.unparse(code) if not isinstance(code, ast.Constant) else code.value
    return Site(where, kind, sentence.value, name, frozenset(keyword.arg or "" for keyword in call.keywords))


SITES = list(sites())


def test_every_sentence_is_in_the_table_and_no_other() -> None:
    found = {(one.kind, one.code, one.sentence) for one in SITES}
    assert found == {(kind, code, sentence) for (kind, code), all_ in SENTENCES.items() for sentence in all_}


@pytest.mark.parametrize("one", SITES, ids=lambda one: one.where)
def test_every_gap_is_filled(one: Site) -> None:
    gaps = {name for _, name, _, _ in string.Formatter().parse(one.sentence) if name is not None}
    assert gaps <= one.data


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_error_tells_its_sentence_and_keeps_its_data(kind: str) -> None:
    error = getattr(errors, kind)("{path} has no {part!r}", "no-part", path="/a/{b}", part="unet", more=3)
    assert isinstance(error, ValueError)
    assert str(error) == "/a/{b} has no 'unet'"
    assert (error.code, error.data) == ("no-part", {"path": "/a/{b}", "part": "unet", "more": 3})


def test_the_tree_is_the_one_that_is_drawn() -> None:
    drawn = [line.partition("+-- ")[2].split()[0] for line in (errors.__doc__ or "").splitlines() if "+-- " in line]
    assert {*drawn, "BackendError"} == KINDS
