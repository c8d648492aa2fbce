"""A folder or hub id in the published layout: one folder a component, weights in safetensors files only.

CheckpointError
 +-- CheckpointNotFound   the folder, repository, revision, or a file in it is not there
 +-- CheckpointBroken     a file is there, but its contents are not what they must be
 +-- CheckpointRefused    its weights are pickles
 +-- HubError             the hub cannot be reached, or does not let us in
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import huggingface_hub
import mindspore as ms
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from kandinsky_backend.tensor_files import CheckpointBroken, CheckpointError, TensorFiles, read_json
from kandinsky_backend.weights import Weights

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "Checkpoint",
    "CheckpointBroken",
    "CheckpointError",
    "CheckpointNotFound",
    "CheckpointRefused",
    "HubError",
    "resolve",
    "scheduler_config",
]

log = logging.getLogger(__name__)

_INDEX = "model_index.json"
_CONFIGS = ("config.json", "scheduler_config.json", "preprocessor_config.json")
_TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer.json")
_SMALL_FILES = (*_CONFIGS, *_TOKENIZER_FILES, "tokenizer_config.json", "special_tokens_map.json")
_STEMS = ("model", "diffusion_pytorch_model")  # of transformers' and of diffusers' weights
_PICKLES = (".bin", ".ckpt", ".pth", ".pt", ".pkl")
_WHY_NO_PICKLES = "pickled weights can run any program when they are opened, so only safetensors files are read"
_ITEM_BYTES = {ms.float32: 4, ms.float16: 2, ms.bfloat16: 2}


class CheckpointNotFound(CheckpointError):
    """The folder, repository, revision, or a file in it is not there."""


class CheckpointRefused(CheckpointError):
    """The checkpoint's weights are pickles, or pickles were asked for."""


class HubError(CheckpointError):
    """The hub cannot be reached, or does not let us in."""


@dataclass(frozen=True)
class Checkpoint:
    """The files of a pipeline on this machine. Made by :func:`resolve`; reads nothing until asked."""

    folder: Path
    source: str  # what the user called it: the folder, or the hub id
    variant: str | None
    components: tuple[str, ...]
    _opened: dict[str, TensorFiles] = field(default_factory=dict, repr=False, compare=False)

    def config(self, component: str) -> dict[str, Any]:
        """The contents of a component's config.json, scheduler_config.json or preprocessor_config.json.

        Raises:
            CheckpointError: it has none, or it cannot be read.
        """
        return read_json(self._config_path(component))

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
            renames: see TensorFiles.renamed.

        Raises:
            CheckpointError: the component has no weights, or a file is broken.
        """
        return Weights(self._tensors(component).renamed(renames or {}), dtype, ignore=ignore)

    def bytes_of(self, component: str, dtype: ms.Type) -> int:
        """Memory that the component's parameters take in `dtype`."""
        floats = (tensor.shape for tensor in self._tensors(component).tensors.values() if tensor.is_float)
        return sum(map(prod, floats)) * _ITEM_BYTES[dtype]

    def tokenizer(self, component: str = "tokenizer") -> PreTrainedTokenizerBase:
        """The component's tokenizer, from vocab.json and merges.txt (CLIP) or tokenizer.json (any).

        Raises:
            CheckpointError: neither is there, or it cannot be read.
        """
        folder = self._component_folder(component)
        # transformers says on import that it found no PyTorch; only its tokenizers are wanted here.
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
        from transformers import CLIPTokenizer, PreTrainedTokenizerFast

        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            kind = CLIPTokenizer
        elif (folder / "tokenizer.json").is_file():
            kind = PreTrainedTokenizerFast
        else:
            raise CheckpointNotFound(f"{folder} holds no tokenizer: vocab.json and merges.txt, or tokenizer.json")
        try:
            return kind.from_pretrained(str(folder), local_files_only=True)
        except (OSError, ValueError, TypeError, LookupError) as exc:
            raise CheckpointBroken(f"the tokenizer in {folder} cannot be read: {exc}") from exc

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
        """What makes a component what it is, as a sequence of byte strings."""
        yield component.encode()
        folder = self._component_folder(component)
        if any((folder / name).is_file() for name in _CONFIGS):
            settings = {key: value for key, value in self.config(component).items() if not key.startswith("_")}
            yield json.dumps(settings, sort_keys=True).encode()
        for path in (folder / name for name in _TOKENIZER_FILES):
            if path.is_file():
                yield path.read_bytes()
        if (folder / "config.json").is_file():
            for key, tensor in sorted(self._tensors(component).tensors.items()):
                yield f"{key} {tensor.dtype} {tensor.shape}".encode()
                yield tensor.sample()

    def _component_folder(self, component: str) -> Path:
        folder = self.folder / component
        if not folder.is_dir():
            raise CheckpointNotFound(
                f"{self.source} has no folder {component!r}; it has {', '.join(_names(self.folder)) or 'nothing'}"
            )
        return folder

    def _config_path(self, component: str) -> Path:
        folder = self._component_folder(component)
        for name in _CONFIGS:
            if (folder / name).is_file():
                return folder / name
        raise CheckpointNotFound(f"{folder} holds none of {', '.join(_CONFIGS)}")

    def _tensors(self, component: str) -> TensorFiles:
        if component not in self._opened:
            self._opened[component] = TensorFiles.open(self._weights_path(component))
        return self._opened[component]

    def _weights_path(self, component: str) -> Path:
        """The component's file or index: the variant's, or the plain one where the component has no such variant."""
        folder = self._component_folder(component)
        path = _find_weights(folder, self.variant) or _find_weights(folder, None)
        if path is None:
            raise _no_weights(folder, _names(folder))
        return path


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

    Raises:
        CheckpointError: one of its kinds above.
    """
    if use_safetensors is False:
        raise CheckpointRefused(f"use_safetensors=False was asked for, but {_WHY_NO_PICKLES}")
    path = Path(id_or_path).expanduser()
    if path.is_dir():
        return _checked(path, str(id_or_path), variant, components)
    _check_may_be_hub_id(str(id_or_path), path)
    hub = _Hub(str(id_or_path), revision, cache_dir, local_files_only, token)
    needed = _components(hub.download([_INDEX]), hub.repo_id, components)
    folder = hub.download([_INDEX, *_patterns(needed, [*_SMALL_FILES, *_weight_files(variant)])])
    plain = _without_weights(folder, needed, variant)
    if variant and plain:
        folder = hub.download(_patterns(plain, _weight_files(None)))
        plain = _without_weights(folder, plain, None)
    if plain:
        raise _no_weights(f"{hub.repo_id}/{plain[0]}", hub.names(plain[0]))
    return _checked(folder, hub.repo_id, variant, components)


def scheduler_config(id_or_path: str | Path, subfolder: str, revision: str | None = None) -> dict[str, Any]:
    """The scheduler_config.json in `subfolder` of a folder, or of a repository of the hub.

    Raises:
        CheckpointError: it is not there, or cannot be read.
    """
    folder = Path(id_or_path).expanduser()
    name = f"{subfolder}/scheduler_config.json" if subfolder else "scheduler_config.json"
    if not folder.is_dir():
        _check_may_be_hub_id(str(id_or_path), folder)
        hub = _Hub(str(id_or_path), revision, cache_dir=None, local_files_only=False, token=None)
        folder = hub.download([name])
    if not (folder / name).is_file():
        raise CheckpointNotFound(f"{id_or_path} has no {name}")
    return read_json(folder / name)


@dataclass(frozen=True)
class _Hub:
    """One repository at one revision, and how to get at it."""

    repo_id: str
    revision: str | None
    cache_dir: str | Path | None
    local_files_only: bool
    token: bool | str | None

    def download(self, patterns: list[str]) -> Path:
        """Fetch the files that match and are not here yet. A download that was interrupted goes on where it ended."""
        with self._translated():
            return Path(
                huggingface_hub.snapshot_download(
                    self.repo_id,
                    revision=self.revision,
                    cache_dir=self.cache_dir,
                    local_files_only=self.local_files_only,
                    token=self.token,
                    allow_patterns=patterns,
                )
            )

    def names(self, component: str) -> list[str]:
        """The names of a component's files there."""
        with self._translated():
            files = huggingface_hub.HfApi(token=self.token).list_repo_files(self.repo_id, revision=self.revision)
        return [name.removeprefix(f"{component}/") for name in files if name.startswith(f"{component}/")]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        name, revision = self.repo_id, self.revision
        try:
            yield
        except HFValidationError as exc:
            raise CheckpointNotFound(f"{name!r} is neither a folder nor a hub id (owner/name)") from exc
        except GatedRepoError as exc:
            raise HubError(
                f"{name} is open only to those who accepted its terms: do so on its page, then log in"
            ) from exc
        except RevisionNotFoundError as exc:
            raise CheckpointNotFound(f"{name} has no revision {revision!r}: check it on the repository's page") from exc
        except RepositoryNotFoundError as exc:
            raise CheckpointNotFound(
                f"{name} is no folder here and no public repository on the hub: check its name, "
                "or log in with `hf auth login` if it is a private one"
            ) from exc
        except LocalEntryNotFoundError as exc:
            raise HubError(
                f"the hub cannot be reached, and the copy of {name} on this machine is missing or incomplete: "
                "connect once to download it"
            ) from exc
        except HfHubHTTPError as exc:
            if exc.response.status_code == 401:
                raise HubError("the hub does not know the token it was sent: log in with `hf auth login`") from exc
            raise HubError(f"the hub refuses {name}: it answers {exc.response.status_code}") from exc
        except (OSError, httpx.HTTPError) as exc:
            raise HubError(f"the download of {name} failed, run again to go on with it: {exc}") from exc


def _check_may_be_hub_id(name: str, path: Path) -> None:
    if path.exists():
        raise CheckpointNotFound(f"{name} is a file: give the folder that holds model_index.json")
    if path.is_absolute() or name.startswith(("~", ".")) or name.count("/") != 1:
        raise CheckpointNotFound(f"there is no folder {name}; a hub id looks like owner/name")


def _checked(folder: Path, source: str, variant: str | None, components: Collection[str] | None) -> Checkpoint:
    """The checkpoint, once every component is known to have its files."""
    checkpoint = Checkpoint(folder, source, variant, tuple(_components(folder, source, components)))
    paths = [
        checkpoint._weights_path(name)
        for name in checkpoint.components
        if _has_model(checkpoint._component_folder(name))
    ]
    if variant and paths and not any(f".{variant}." in path.name for path in paths):
        raise CheckpointNotFound(
            f"{source} has no weights of the variant {variant!r}, such as {paths[0].parent.name}/"
            f"{_single(paths[0].name.split('.')[0], variant)}; it has {paths[0].parent.name}/{paths[0].name}"
        )
    return checkpoint


def _components(folder: Path, source: str, wanted: Collection[str] | None) -> list[str]:
    """The components that model_index.json names, or of these the wanted ones."""
    path = folder / _INDEX
    if not path.is_file():
        raise CheckpointNotFound(f"{source} has no {_INDEX}: it is not the folder of a whole pipeline")
    entries = read_json(path).items()
    known = [name for name, value in entries if isinstance(value, list) and value and value[0]]
    missing = sorted(set(wanted or ()) - set(known))
    if missing:
        raise CheckpointNotFound(f"{source} has no {', '.join(missing)}: its {_INDEX} names {', '.join(known)}")
    return [name for name in known if wanted is None or name in wanted]


def _has_model(folder: Path) -> bool:
    """Whether a component has weights: schedulers, tokenizers and preprocessors call their config something else."""
    return (folder / "config.json").is_file()


def _without_weights(folder: Path, components: Iterable[str], variant: str | None) -> list[str]:
    return [name for name in components if _has_model(folder / name) and not _find_weights(folder / name, variant)]


def _find_weights(folder: Path, variant: str | None) -> Path | None:
    candidates = [folder / name for stem in _STEMS for name in (_single(stem, variant), *_indexes(stem, variant))]
    return next((path for path in candidates if path.is_file()), None)


def _single(stem: str, variant: str | None) -> str:
    return f"{stem}.{variant}.safetensors" if variant else f"{stem}.safetensors"


def _indexes(stem: str, variant: str | None) -> tuple[str, ...]:
    """What diffusers and transformers call the index of a sharded file."""
    if variant is None:
        return (f"{stem}.safetensors.index.json",)
    return f"{stem}.safetensors.index.{variant}.json", f"{stem}.{variant}.safetensors.index.json"


def _weight_files(variant: str | None) -> list[str]:
    """The files' names, as patterns of fnmatch."""
    shard = "-?????-of-?????"
    shards = [f"{shard}.{variant}", f".{variant}{shard}"] if variant else [shard]
    return [
        name
        for stem in _STEMS
        for name in (_single(stem, variant), *_indexes(stem, variant), *(f"{stem}{s}.safetensors" for s in shards))
    ]


def _patterns(components: Collection[str], names: Iterable[str]) -> list[str]:
    return [f"{component}/{name}" for component in components for name in names]


def _no_weights(folder: str | Path, names: list[str]) -> CheckpointError:
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if pickles:
        return CheckpointRefused(f"{folder} holds {pickles[0]} and no safetensors file: {_WHY_NO_PICKLES}")
    return CheckpointNotFound(
        f"{folder} holds no model.safetensors or diffusion_pytorch_model.safetensors; it has "
        f"{', '.join(names) or 'nothing'}"
    )


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
