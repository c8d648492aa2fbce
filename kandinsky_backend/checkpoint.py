"""Checkpoints in the published layout, on this machine or the hub: a folder a component, safetensors files only."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mindspore as ms

from kandinsky_backend import layout
from kandinsky_backend.errors import CheckpointBroken, CheckpointNotFound, CheckpointRefused
from kandinsky_backend.fetching import fetch
from kandinsky_backend.hub import Repository
from kandinsky_backend.model_files import check_size, read_json
from kandinsky_backend.weight_files import WeightFiles
from kandinsky_backend.weights import Weights

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MAX_TOKENIZER_BYTES = 64 * 2**20  # of a file; the multilingual encoder's has 17 MB
# What transformers lets out on files that it cannot read; the tokenizers package raises Exception itself.
_TOKENIZER_BROKEN = (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError)
_ITEM_BYTES = {ms.float32: 4, ms.float16: 2, ms.bfloat16: 2}


@dataclass(frozen=True)
class Checkpoint:
    """The files of a pipeline on this machine. Made by :func:`resolve`; reads nothing until asked."""

    folder: Path
    source: str  # what the user called it: the folder, or the hub id
    variant: str | None
    components: tuple[str, ...]
    _opened: dict[str, WeightFiles] = field(default_factory=dict, repr=False, compare=False)

    def config(self, component: str) -> dict[str, Any]:
        """The contents of a component's config.json, scheduler_config.json or preprocessor_config.json.

        Raises:
            CheckpointError: it has none, or it cannot be read.
        """
        return layout.read_config(self._component_folder(component))

    def weights(
        self,
        component: str,
        dtype: ms.Type,
        ignore: frozenset[str] = frozenset(),
        renames: Mapping[str, str] | None = None,
    ) -> Weights:
        """A component's weights, to build its model from; call finish() on them afterwards.

        Args:
            component: a folder of the checkpoint, e.g. "unet".
            dtype: of the parameters, whatever the file holds.
            ignore: names that the file may hold and the model does not take.
            renames: see WeightFiles.renamed.

        Raises:
            CheckpointError: the component has no weights, or a file is broken.
        """
        # Other WeightFiles each time: what these map into memory goes with them.
        return Weights(self._tensors(component).renamed(renames or {}), dtype, ignore=ignore)

    def bytes_of(self, component: str, dtype: ms.Type) -> int:
        """Memory that the component's parameters take in `dtype`."""
        floats = (tensor.shape for tensor in self._tensors(component).tensors.values() if tensor.is_float)
        return sum(map(prod, floats)) * _ITEM_BYTES[dtype]

    def files_of(self, component: str) -> tuple[Path, Path]:
        """The component's config, and its file of weights or the index of several.

        Raises:
            CheckpointError: one is not there.
        """
        return layout.config_path(self._component_folder(component)), self._weights_path(component)

    def tokenizer(self, component: str = "tokenizer") -> PreTrainedTokenizerBase:
        """The component's tokenizer, from vocab.json and merges.txt (CLIP) or tokenizer.json (any).

        Raises:
            CheckpointError: neither is there, or it cannot be read.
        """
        folder = self._component_folder(component)
        # transformers says on import that it found no PyTorch; only its tokenizers are wanted here.
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
        from transformers import CLIPTokenizer, PreTrainedTokenizerFast

        kind = CLIPTokenizer if layout.has_clip_tokenizer(folder) else PreTrainedTokenizerFast
        for name in layout.TOKENIZER_FILES:
            if (folder / name).is_file():
                check_size(folder / name, _MAX_TOKENIZER_BYTES)
        try:
            return kind.from_pretrained(str(folder), local_files_only=True)
        except Exception as exc:
            if not (type(exc) is Exception or isinstance(exc, _TOKENIZER_BROKEN)):
                raise
            raise CheckpointBroken(
                "the tokenizer in {path} cannot be read: {reason}", "bad-tokenizer", path=str(folder), reason=str(exc)
            ) from exc

    def fingerprint(self) -> str:
        """A hex sha256 that changes with any config, tokenizer, tensor name, shape or dtype, and with weights.

        Of a large tensor only samples are read, so that 6 GB take less than a second: it tells models and fine-tunes
        apart, and is no proof against someone who wants to deceive.
        """
        digest = hashlib.sha256()
        for component in sorted(self.components):
            for part in self._identity(component):
                digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def _identity(self, component: str) -> Iterator[bytes]:
        """Yield what tells a component from others, as byte strings."""
        yield component.encode()
        folder = self._component_folder(component)
        if any((folder / name).is_file() for name in layout.CONFIGS):
            settings = {key: value for key, value in self.config(component).items() if not key.startswith("_")}
            yield json.dumps(settings, sort_keys=True).encode()
        for path in (folder / name for name in layout.VOCABULARIES):
            if path.is_file():
                yield path.read_bytes()
        if (folder / "config.json").is_file():
            files = WeightFiles.open(self._weights_path(component))
            for key, tensor in sorted(files.tensors.items()):
                yield f"{key} {tensor.dtype} {tensor.shape}".encode()
                yield files.sample(key)

    def _component_folder(self, component: str) -> Path:
        return layout.component_folder(self.folder, self.source, component)

    def _tensors(self, component: str) -> WeightFiles:
        if component not in self._opened:
            self._opened[component] = WeightFiles.open(self._weights_path(component))
        return self._opened[component]

    def _weights_path(self, component: str) -> Path:
        return layout.weights_path(self._component_folder(component), self.variant)


def resolve(
    id_or_path: str | Path,
    *,
    variant: str | None = None,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    token: bool | str | None = None,
    use_safetensors: bool | None = True,
    components: Collection[str] | None = None,
    force_download: bool = False,
) -> Checkpoint:
    """The checkpoint in a folder, or on the hub; what is missing of the latter is downloaded.

    Args:
        id_or_path: a folder with a model_index.json, or a hub id such as "kandinsky-community/kandinsky-2-1".
        variant: e.g. "fp16": take model.fp16.safetensors where a component has it. As in the reference, the others
            keep their plain file, and it is an error when no component has it.
        revision: a branch, tag or commit of the hub's repository.
        cache_dir: where downloads go; None: huggingface_hub's own setting (HF_HOME, HF_HUB_CACHE).
        local_files_only: use only what was downloaded before.
        token: a hub token; None: the one of huggingface_hub's own settings; False: none.
        use_safetensors: may be left out; False asks for pickles, and is refused.
        components: the folders that are needed; None: all that model_index.json names.
        force_download: download again what is here already.

    Raises:
        CheckpointError: one of its kinds above.
    """
    if use_safetensors is False:
        raise CheckpointRefused(
            "use_safetensors=False was asked for, but {why}", "pickles-asked-for", why=layout.WHY_NO_PICKLES
        )
    path = Path(id_or_path).expanduser()
    if path.is_dir():
        return _checked(path, str(id_or_path), variant, components)
    _check_may_be_hub_id(str(id_or_path), path)
    hub = Repository(str(id_or_path), revision, cache_dir, local_files_only, token, force_download)
    folder = fetch(hub, components, variant)
    return _checked(folder, hub.repo_id, variant, components)


def one_config(id_or_path: str | Path, name: str, **hub_options: Any) -> dict[str, Any]:
    """The JSON file `name`, e.g. "scheduler/scheduler_config.json", of a folder or of a repository of the hub.

    Args:
        hub_options: of hub.Repository, e.g. `revision=`.

    Raises:
        CheckpointError: it is not there, or cannot be read.
    """
    folder = Path(id_or_path).expanduser()
    if not folder.is_dir():
        _check_may_be_hub_id(str(id_or_path), folder)
        folder = Repository(str(id_or_path), **hub_options).download([name])
    if not (folder / name).is_file():
        raise CheckpointNotFound("{source} has no {path}", "no-config", source=str(id_or_path), path=name)
    return read_json(folder / name)


def _check_may_be_hub_id(name: str, path: Path) -> None:
    if path.exists():
        raise CheckpointNotFound("{path} is a file: give the folder that holds model_index.json", "a-file", path=name)
    if path.is_absolute() or name.startswith(("~", ".")) or name.count("/") != 1:
        raise CheckpointNotFound("there is no folder {path}; a hub id looks like owner/name", "no-folder", path=name)


def _checked(folder: Path, source: str, variant: str | None, components: Collection[str] | None) -> Checkpoint:
    """The checkpoint, once every component is known to have its files."""
    checkpoint = Checkpoint(folder, source, variant, tuple(layout.component_names(folder, source, components)))
    paths = [
        checkpoint._weights_path(name)
        for name in checkpoint.components
        if layout.has_model(checkpoint._component_folder(name))
    ]
    if variant and paths and not any(f".{variant}." in path.name for path in paths):
        component = paths[0].parent.name
        raise CheckpointNotFound(
            "{source} has no weights of the variant {variant!r}, such as {wanted}; it has {found}",
            "no-variant",
            source=source,
            variant=variant,
            wanted=f"{component}/{layout.single_file(paths[0].name.split('.')[0], variant)}",
            found=f"{component}/{paths[0].name}",
        )
    return checkpoint
