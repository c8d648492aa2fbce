"""The families of models, and the checkpoints behind a model's name. Imports nothing heavy, and downloads nothing.

A new family is a Family in FAMILIES: its pipelines have to fit blend/roles.py where its models are to blend.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from kandinsky_backend.errors import CheckpointNotFound
from plugin_client.wire.settings import Sampling

REFERENCE = Sampling("own", 50)
DEFAULT = "embedded"  # ships with the package, in the folder of that name
FULL = "kandinsky-2-1"
EMBEDDED_FOLDER = Path(__file__).with_name(DEFAULT)
_EMBEDDED_SIDE = 128  # px
_EMBEDDED_NOTE = (
    f"the model {DEFAULT!r} is small and draws only coloured shapes, at {_EMBEDDED_SIDE} px; to get the full one, a "
    f"download of 13 GB: kandinsky-blend models fetch {FULL}"
)
_EMBEDDED_SAMPLING = Sampling("dpm++_karras", 12)  # shows what was asked for as often as 50 of DDIM: its card
_INDEX = "model_index.json"


@dataclass(frozen=True)
class Family:
    """Models that the same pipelines run.

    Attributes:
        name: what clients are told.
        pipelines: "package.module:Class" of the pipeline that runs each part of a model. A part is a folder in the
            model's own; its class bears the name that the part's model_index.json has under _class_name.
        components: the folders that the pipeline of each part needs.
        repositories: the hub ids of a model's parts, of the hub id that a user gives; None if it is of another family.
        jobs: the kinds of job that the models can do, as the wire's requests name them.
        side: of the squares that the published model draws best, in px.
        sampling: of the published model.
        published: hub ids by the names that a user may give instead.
        downloads: bytes of a whole download of these, about.
    """

    name: str
    pipelines: Mapping[str, str]
    components: Mapping[str, tuple[str, ...]]
    repositories: Callable[[str], Mapping[str, str] | None]
    jobs: tuple[str, ...]
    side: int
    sampling: Sampling
    published: Mapping[str, str] = field(default_factory=dict)
    downloads: Mapping[str, int] = field(default_factory=dict)

    def pipeline(self, part: str) -> Any:
        """The pipeline class of a part, imported now."""
        module, _, name = self.pipelines[part].partition(":")
        return getattr(import_module(module), name)

    def missing_part(self, folder: Path) -> str | None:
        """The first part that a model's folder lacks; None where it has all."""
        return next((part for part in self.pipelines if not (folder / part / _INDEX).is_file()), None)

    def made(self, folder: Path) -> bool:
        """True if the parts in a model's folder name the classes of this family."""
        return all(_class_name(folder / part) == name.partition(":")[2] for part, name in self.pipelines.items())


@dataclass(frozen=True)
class ModelSource:
    """A model under the name that a user gave it.

    Attributes:
        label: what strangers may read in a recipe: of a folder only its own name, with a slash behind it.
        parts: the folder or hub id of each part; the last makes the pictures.
        side: of the squares that the model draws best, in px.
        sampling: of requests that leave it to the model.
        note: what whoever uses it should know.
    """

    name: str
    label: str
    family: Family
    parts: Mapping[str, str]
    side: int
    sampling: Sampling
    note: str = ""

    @property
    def origin(self) -> str:
        """The folder or hub id of the part that makes the pictures."""
        return list(self.parts.values())[-1]

    @property
    def repositories(self) -> dict[str, tuple[str, ...]]:
        """The components that are needed of each repository of the hub; those of a folder need none."""
        return {
            place: self.family.components[part]
            for part, place in self.parts.items()
            if not Path(place).expanduser().is_dir()
        }


def _beside_its_prior(hub_id: str) -> Mapping[str, str]:
    """A 2.1 model's repositories: the prior's has the decoder's name with -prior behind it. Takes any hub id."""
    return {"prior": f"{hub_id}-prior", "decoder": hub_id}


KANDINSKY_2_1 = Family(
    name="kandinsky-2.1",
    pipelines={
        "prior": "kandinsky_backend.pipelines:KandinskyPriorPipeline",
        "decoder": "kandinsky_backend.pipelines:KandinskyPipeline",
    },
    components={
        "prior": ("prior", "text_encoder", "image_encoder", "tokenizer", "scheduler", "image_processor"),
        "decoder": ("text_encoder", "unet", "movq", "tokenizer", "scheduler"),
    },
    repositories=_beside_its_prior,
    jobs=("blend", "refine", "repaint", "upscale"),
    side=768,
    # Twice the steps that the small model needs. The published weights were never drawn with here.
    sampling=Sampling("dpm++_karras", 25),
    published={FULL: "kandinsky-community/kandinsky-2-1"},
    downloads={FULL: 13_000_000_000},
)

# Of several that know a hub id, or have all parts in a folder, the first is taken; the last knows any hub id.
FAMILIES: tuple[Family, ...] = (KANDINSKY_2_1,)


def published_names() -> tuple[str, ...]:
    """The names of the models of the hub that are known here."""
    return tuple(name for family in FAMILIES for name in family.published)


def locate(name: str) -> ModelSource:
    """The checkpoints of `name`: a name known here, a model's folder, or a hub id. Nothing is downloaded.

    Raises:
        CheckpointNotFound: there is no such folder, it lacks a part, or the name is none of the three.
    """
    if name == DEFAULT:
        parts = {part: str(EMBEDDED_FOLDER / part) for part in KANDINSKY_2_1.pipelines}
        return ModelSource(name, name, KANDINSKY_2_1, parts, _EMBEDDED_SIDE, _EMBEDDED_SAMPLING, _EMBEDDED_NOTE)
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        return _local(name, folder)
    published = {known: hub_id for family in FAMILIES for known, hub_id in family.published.items()}
    return _on_hub(name, published.get(name, name), (DEFAULT, *published))


def _local(name: str, folder: Path) -> ModelSource:
    whole = [family for family in FAMILIES if family.missing_part(folder) is None]
    if not whole:
        raise CheckpointNotFound(
            "{path} is no Kandinsky model: it lacks {part}/model_index.json",
            "no-model",
            path=str(folder),
            part=FAMILIES[-1].missing_part(folder),
        )
    family = next((family for family in whole if family.made(folder)), whole[-1])
    parts = {part: str(folder / part) for part in family.pipelines}
    return ModelSource(name, f"{folder.resolve().name}/", family, parts, family.side, family.sampling)


def _on_hub(name: str, hub_id: str, known: tuple[str, ...]) -> ModelSource:
    if _may_be_hub_id(hub_id):
        for family in FAMILIES:
            if parts := family.repositories(hub_id):
                return ModelSource(name, name, family, parts, family.side, family.sampling)
    raise CheckpointNotFound(
        "no model is called {name!r}: give one of {known}, a folder that holds prior/ and decoder/, or a hub id",
        "unknown-model",
        name=name,
        known=", ".join(known),
    )


def _may_be_hub_id(text: str) -> bool:
    owner, _, repository = text.partition("/")
    return bool(owner and repository) and "/" not in repository and not text.startswith((".", "~"))


def _class_name(part: Path) -> str:
    """The pipeline that a part names; "" where its index does not say, which is found out when it is opened."""
    try:
        return str(json.loads((part / _INDEX).read_bytes())["_class_name"])
    except (ValueError, TypeError, LookupError, RecursionError, OSError):
        return ""
