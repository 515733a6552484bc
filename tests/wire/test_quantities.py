"""Units, the gate that keeps NaN out, and the comparison of wrapping counters."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryodevice.errors import QuantityError
from cryodevice.quantities import (
    Celsius,
    Channel,
    Kelvin,
    Milliseconds,
    Seconds,
    finite,
    milliseconds,
    seconds,
    to_celsius,
    to_kelvin,
    u16_newer,
    wire_day,
)
from cryodevice.wire.registers import FIELDS


@pytest.mark.parametrize("value", [2.0, 40.0, 21.5])
def test_a_number_inside_its_closed_range_passes(value: float) -> None:
    assert finite(value, "plate_degc", 2.0, 40.0) == value


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, math.nextafter(2.0, 0.0), math.nextafter(40.0, 50.0), -5.0]
)
def test_a_number_outside_or_no_number_is_refused_by_name(value: float) -> None:
    with pytest.raises(QuantityError, match=r"plate_degc .*\[2.0, 40.0\]") as caught:
        finite(value, "plate_degc", 2.0, 40.0)
    assert caught.value.evidence["what"] == "plate_degc"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_without_a_range_it_still_has_to_be_finite(value: float) -> None:
    with pytest.raises(QuantityError):
        finite(value, "anything")


def test_conversions() -> None:
    assert to_kelvin(Celsius(0.0)) == 273.15
    assert to_celsius(Kelvin(273.15)) == 0.0
    assert seconds(Milliseconds(1500)) == 1.5
    assert milliseconds(Seconds(0.0204)) == 20
    assert milliseconds(Seconds(-0.0206)) == -21


@pytest.mark.parametrize(
    ("new", "last", "newer"),
    [
        (1, 0, True),
        (0, 0, False),
        (0, 1, False),
        (0, 65535, True),
        (65535, 0, False),
        (32767, 0, True),
        (32768, 0, False),
        (32766, 65535, True),
        (32767, 65535, False),
    ],
)
def test_newer_across_the_wrap(new: int, last: int, newer: bool) -> None:
    assert u16_newer(new, last) is newer


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_of_two_counters_one_is_newer_unless_equal_or_opposite(one: int, other: int) -> None:
    both = (u16_newer(one, other), u16_newer(other, one))
    expected = 0 if one == other or abs(one - other) == 32768 else 1
    assert sum(both) == expected


def test_every_channel_is_a_field_of_the_status() -> None:
    assert {channel.value for channel in Channel} == {
        field.name
        for field in FIELDS.values()
        if 0x0100 <= field.address < 0x0120 and field.optional and field.name != "setpoint_degc"
    }


@pytest.mark.parametrize(
    ("wall_s", "day"),
    [(946_684_800.0, 0), (946_771_199.9, 0), (946_771_200.0, 1), (1_700_000_000.0, 8718), (0.0, -10_957)],
)
def test_days_on_the_wire_count_from_the_year_2000(wall_s, day):
    assert wire_day(wall_s) == day
