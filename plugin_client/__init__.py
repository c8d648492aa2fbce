"""The editor's and the scripts' side of Kandinsky Blend: the wire protocol, the client and the command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugin_client.client import Client
    from plugin_client.job import BlendResult, Job

__all__ = ["BlendResult", "Client", "Job"]

_MODULES = {"BlendResult": "plugin_client.job", "Client": "plugin_client.client", "Job": "plugin_client.job"}


def __getattr__(name: str) -> Any:
    """Import the client when first asked for: the daemon shares the wire protocol and needs no client."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
