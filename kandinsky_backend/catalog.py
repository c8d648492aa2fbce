"""Which two checkpoints make a model: the prior and the decoder belong together, and a user names them as one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kandinsky_backend.checkpoint import CheckpointError

DEFAULT = "embedded"  # ships with the package, in the folder of that name
FULL = "kandinsky-2-1"
TRAINED_SIDE = 768  # px; of the published model
EMBEDDED_FOLDER = Path(__file__).with_name(DEFAULT)
_EMBEDDED_SIDE = 128  # px
_EMBEDDED_NOTE = (
    f"the model {DEFAULT!r} is small and draws only coloured shapes, at {_EMBEDDED_SIDE} px; the full one, after a "
    f"download of 13 GB: kandinsky-blend stop, then kandinsky-blend start --model {FULL}"
)
_HUB_IDS = {FULL: "kandinsky-community/kandinsky-2-1"}


@dataclass(frozen=True)
class ModelSource:
    """A model under the name that a user gave it; `prior` and `decoder` are folders or hub ids.

    `label` is what strangers may read in a recipe: of a folder only its own name, with a slash behind it.
    `side` is that of the squares which it draws best, in px; `note` is what whoever uses it should know.
    """

    name: str
    label: str
    prior: str
    decoder: str
    side: int = TRAINED_SIDE
    note: str = ""


def locate(name: str) -> ModelSource:
    """The checkpoints of `name`: a name known here, a folder that holds `prior` and `decoder`, or the decoder's hub id.

    A hub id's prior is the repository of the same name with `-prior` at its end, as all Kandinsky 2.1 repositories
    are published. Nothing is downloaded.

    Raises:
        CheckpointError: there is no such folder, it lacks a part, or the name is none of the three.
    """
    if name == DEFAULT:
        prior, decoder = (str(EMBEDDED_FOLDER / part) for part in ("prior", "decoder"))
        return ModelSource(name, name, prior, decoder, _EMBEDDED_SIDE, _EMBEDDED_NOTE)
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        return _local(name, folder)
    hub_id = _HUB_IDS.get(name, name)
    owner, slash, repository = hub_id.partition("/")
    if not (slash and owner and repository) or "/" in repository or hub_id.startswith((".", "~")):
        known = ", ".join((DEFAULT, *_HUB_IDS))
        raise CheckpointError(
            f"no model is called {name!r}: give one of {known}, a folder that holds prior/ and decoder/, or a hub id"
        )
    return ModelSource(name, name, f"{hub_id}-prior", hub_id)


def _local(name: str, folder: Path) -> ModelSource:
    for part in ("prior", "decoder"):
        if not (folder / part / "model_index.json").is_file():
            raise CheckpointError(f"{folder} is no Kandinsky model: it lacks {part}/model_index.json")
    return ModelSource(name, f"{folder.resolve().name}/", str(folder / "prior"), str(folder / "decoder"))
