import dataclasses
from dataclasses import dataclass, field

import pytest

from cryodevice.safety.contact import Contact
from cryodevice.safety.exposure import Dose
from cryodevice.safety.replacing import replace
from cryodevice.treatment.session import Session


@pytest.mark.parametrize("record", [Contact(True, None, 3.0), Dose("a"), Session(step=2, contact_s=1.5)])
def test_it_gives_what_dataclasses_gives(record):
    names = [each.name for each in dataclasses.fields(record)]
    assert replace(record) == dataclasses.replace(record)
    for name in names:
        changed = replace(record, **{name: "other"})
        assert changed == dataclasses.replace(record, **{name: "other"})
        assert getattr(changed, name) == "other"
        assert type(changed) is type(record)


def test_a_field_that_is_none_of_the_records_is_refused():
    with pytest.raises(TypeError, match="Contact has no field 'beleived'"):
        replace(Contact(), beleived=True)


def test_a_record_is_checked_when_it_is_made_anew():
    @dataclass(frozen=True)
    class Positive:
        value: float
        unit: str = ""

        def __post_init__(self):
            if not self.value > 0.0:
                raise ValueError("not positive")

    with pytest.raises(ValueError, match="not positive"):
        replace(Positive(1.0), value=-1.0)


def test_records_of_another_make_are_refused():
    @dataclass
    class Derived:
        one: int
        two: int = field(init=False, default=2)

    @dataclass(kw_only=True)
    class Named:
        one: int
        two: int = 2

    @dataclass
    class Lonely:
        one: int

    for record in (Derived(1), Named(one=1), Lonely(1)):
        with pytest.raises(TypeError, match="is for dataclasses"):
            replace(record, one=3)
