"""What a client asks of the daemon's library of models; model_library follows it."""

from __future__ import annotations

from plugin_client.exchange import Exchange
from plugin_client.wire.errors import BadArgument, BadValue
from plugin_client.wire.limits import MAX_NAME_CHARS
from plugin_client.wire.messages import FetchModel, LibraryList, ListLibrary, RemoveModel, StopFetch
from plugin_client.wire.schema import Text

_NAME = Text((1, MAX_NAME_CHARS))  # of a model


class LibraryRequests:
    """The part of a Client that asks for models. Every request raises the errors of Exchange.ask."""

    _exchange: Exchange

    def library(self) -> LibraryList:
        """Return the models on the daemon's disk, and those that it can fetch."""
        return self._exchange.ask(ListLibrary(), LibraryList)

    def fetch_model(self, name: str) -> LibraryList:
        """Have a model downloaded, which goes on without this client; model_library.follow shows how far it is.

        Raises:
            Refused: `code` says why: "unknown-model" or "not-allowed".
        """
        return self._exchange.ask(FetchModel(_model_name(name)), LibraryList)

    def stop_fetch(self, name: str) -> LibraryList:
        """Stop the download of a model; what has come stays. Errors as of fetch_model."""
        return self._exchange.ask(StopFetch(_model_name(name)), LibraryList)

    def remove_model(self, name: str) -> LibraryList:
        """Have the download of a model deleted.

        Raises:
            Refused: as of fetch_model; "not-allowed" also where it is a folder that somebody made, "model-in-use" where
                a job needs it.
        """
        return self._exchange.ask(RemoveModel(_model_name(name)), LibraryList)


def _model_name(name: str) -> str:
    try:
        return _NAME.check(name, ("model",))
    except BadValue as exc:
        raise BadArgument.of(exc) from exc
