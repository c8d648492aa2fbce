"""What clients see of a running daemon."""

from __future__ import annotations

from plugin_client.wire.messages import Result
from tests.daemon.conftest import RawClient, blend


def test_a_job_gives_its_picture(client: RawClient) -> None:
    result = client.run(blend("quick quick", seed=7, width=32))
    assert isinstance(result, Result)
    assert (result.pictures[0].width, result.pictures[0].height) == (32, 16)
    assert result.pictures[0].pixels == bytes([7]) * (3 * 32 * 16)
