"""The editor's and the scripts' side of Kandinsky Blend: the wire protocol, the client and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugin_client.client import BlendResult, Client, Job

__all__ = ["BlendResult", "Client", "Job"]


def __getattr__(name: str) -> Any:
    """Import the client when first asked for: the daemon shares the wire protocol and needs no client."""
    if name in __all__:
        from plugin_client import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
