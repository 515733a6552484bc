"""The lengths and silences of Modbus RTU, against the worked example of docs/wire.md and the standard."""

import pytest

from cryodevice.wire.modbus import QUIET_S, RTU_REPLY_BYTES, RTU_REQUEST_BYTES, silence_s


def test_the_worked_example_is_29_bytes_out_and_69_back() -> None:
    assert (RTU_REQUEST_BYTES, RTU_REPLY_BYTES) == (29, 69)


@pytest.mark.parametrize(
    ("baud", "ms"), [(9_600, 4.010), (19_200, 2.005), (19_201, 1.750), (115_200, 1.750), (4_000_000, 1.750)]
)
def test_three_and_a_half_characters_of_eleven_bits_and_fixed_above_19200(baud: int, ms: float) -> None:
    assert silence_s(baud) * 1e3 == pytest.approx(ms, abs=1e-3)


def test_the_quiet_after_a_failure_is_the_one_of_the_contract() -> None:
    assert QUIET_S >= 0.15
