"""Results of pipelines: tuples whose items also have names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar


class PipelineOutput(tuple[Any, ...]):
    """A tuple that is also looked into by name: `output.images`, `output["images"]`, `pipeline("", **output)`.

    So it serves scripts for mindone, which take a plain tuple apart, and those for diffusers, which ask for names.
    Iterating gives the values, as of a tuple; diffusers' outputs give their names then.
    """

    names: ClassVar[tuple[str, ...]]

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.to_tuple()  # for copy and pickle

    def __getattr__(self, name: str) -> Any:
        if name in type(self).names:
            return self[name]
        raise AttributeError(f"{type(self).__name__} has no {name!r}: it has {', '.join(self.names)}")

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.names:
            raise KeyError(key)
        return super().__getitem__(self.names.index(key))

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.items())})"

    def to_tuple(self) -> tuple[Any, ...]:
        """The results in order, without names."""
        return tuple(self)

    def keys(self) -> tuple[str, ...]:
        """The names in order."""
        return self.names

    def values(self) -> tuple[Any, ...]:
        """The results in order."""
        return self.to_tuple()

    def items(self) -> Iterator[tuple[str, Any]]:
        """Pairs of a name and its result."""
        return zip(self.names, self, strict=True)

    def get(self, name: str, default: Any = None) -> Any:
        """The result of this name, or `default`."""
        return dict(self.items()).get(name, default)


class ImagePipelineOutput(PipelineOutput):
    """`images`: the pictures, of the output type that was asked for."""

    names = ("images",)
    images: Any

    def __new__(cls, images: Any) -> ImagePipelineOutput:
        return super().__new__(cls, (images,))


class KandinskyPriorPipelineOutput(PipelineOutput):
    """`image_embeds` (N, D), and `negative_image_embeds` (N, D) to lead away from."""

    names = ("image_embeds", "negative_image_embeds")
    image_embeds: Any
    negative_image_embeds: Any

    def __new__(cls, image_embeds: Any, negative_image_embeds: Any) -> KandinskyPriorPipelineOutput:
        return super().__new__(cls, (image_embeds, negative_image_embeds))
