"""Plans that one thread makes ahead of the one that runs them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor

from kandinsky_backend.models.movq import MoVQ, MoVQConfig
from kandinsky_backend.ops import RehearsalOver, packed_bytes, rehearsing, weighing
from kandinsky_backend.ops.plans.planned import plans_of
from tests.golden import configs_unet_movq as configs
from tests.random_weights import random_input
from tests.weights_from_names import RandomWeights

LATENTS = Tensor.from_numpy(random_input("latents", (1, 4, 8, 8)))
BLANK = Tensor.from_numpy(np.zeros((1, 4, 8, 8), np.float32))


def movq() -> MoVQ:
    return MoVQ(MoVQConfig.from_dict(configs.MOVQ_TWO_LEVELS), RandomWeights())


def decoded(model: MoVQ) -> np.ndarray[Any, Any]:
    return model.decode(LATENTS).asnumpy()


def test_a_rehearsal_makes_the_plan_and_runs_nothing_and_the_picture_is_the_same() -> None:
    model = movq()
    with rehearsing(lambda: False):
        blank = model.decode(BLANK).asnumpy()
    assert not blank.any()
    plans = plans_of(model)
    assert plans is not None
    [made] = plans.plans.values()
    assert np.array_equal(decoded(model), decoded(movq()))
    assert [*plans.plans.values()] == [made]


def test_a_rehearsal_that_nobody_wants_ends_in_the_midst_of_a_plan_and_the_next_call_makes_it() -> None:
    model, asked = movq(), iter(range(100))
    with pytest.raises(RehearsalOver), rehearsing(lambda: next(asked) >= 5):
        model.decode(BLANK)
    assert plans_of(model).plans == {}  # type: ignore[union-attr]
    assert np.array_equal(decoded(model), decoded(movq()))


def test_weighing_tells_what_plans_will_hold_and_packs_nothing() -> None:
    model = movq()
    with weighing() as weights:
        blank = model.decode(BLANK).asnumpy()
    assert not blank.any()
    assert plans_of(model) is None
    decoded(model)
    assert packed_bytes(model) == pytest.approx(weights.nbytes, rel=0.1)  # oneDNN fills up narrow layers


def test_two_threads_that_want_a_plan_get_the_same_and_pack_the_weights_once() -> None:
    alone, model = movq(), movq()
    expected = decoded(alone)
    ready, results = threading.Barrier(3), []

    def rehearse() -> None:
        ready.wait()
        with rehearsing(lambda: False):
            model.decode(BLANK)

    def run() -> None:
        ready.wait()
        results.append(decoded(model))

    threads = [threading.Thread(target=target) for target in (rehearse, run, run)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, expected) for result in results)
    assert len(results) == 2
    assert packed_bytes(model) == packed_bytes(alone) > 0
