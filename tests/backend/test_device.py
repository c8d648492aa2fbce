"""The one place that knows the device."""

from __future__ import annotations

import logging

import mindspore as ms
import numpy as np
import pytest

from kandinsky_backend import device
from kandinsky_backend.errors import DeviceError
from tests.refusals import refused


def test_the_device_in_use_may_be_chosen_again_after_it_has_computed():
    (ms.Tensor(np.ones(2, np.float32)) + 1).asnumpy()
    device.select("cpu")
    assert device.current() == "CPU"


def test_an_unknown_device_is_refused_by_name():
    with refused(DeviceError, "unknown-device", device="gpu", choices="Ascend, CPU"):
        device.select("gpu")


def test_a_device_that_is_not_there_is_refused_in_one_line():
    with refused(DeviceError, "no-device", device="ascend", reason=lambda reason: reason and "\n" not in reason):
        device.select("ascend")
    assert device.current() == "CPU"


@pytest.mark.parametrize("asked", [None, ms.float32, ms.float16])
def test_a_cpu_computes_in_float32_where_half_precision_is_asked(asked, caplog):
    with caplog.at_level(logging.ERROR):
        assert device.compute_dtype(asked) == ms.float32


def test_what_is_no_precision_is_refused_by_name():
    with refused(DeviceError, "unknown-precision", precision=ms.int32):
        device.compute_dtype(ms.int32)
