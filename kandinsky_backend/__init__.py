"""Kandinsky 2.1 on MindSpore: models, pipelines, blends. Knows tensors, not sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline

__all__ = ["KandinskyPipeline", "KandinskyPriorPipeline"]


def __getattr__(name: str) -> Any:
    """Import the pipelines when first asked for: MindSpore takes 2 s to import, and pictures do not need it."""
    if name in __all__:
        from kandinsky_backend import pipelines

        return getattr(pipelines, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
