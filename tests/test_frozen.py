"""Records made by ``maker`` are the records of their class."""

import dataclasses
import pickle
from dataclasses import dataclass, field

import pytest

from cryodevice.frozen import maker
from cryodevice.safety.facts import Facts
from cryodevice.safety.readings import Fresh
from cryodevice.treatment.session import Session
from cryodevice.wire.frame import Frame


@pytest.mark.parametrize(
    ("kind", "given"), [(Fresh, (3.0, 1.0)), (Frame, (2, 3, b"x")), (Session, ()), (Facts, (0.1, 1.0))]
)
def test_they_are_what_the_constructor_makes(kind, given):
    made, built = maker(kind)(*given), kind(*given)
    assert type(made) is kind
    assert repr(made) == repr(built)
    assert pickle.loads(pickle.dumps(made)).__reduce_ex__(2)[0] is built.__reduce_ex__(2)[0]  # noqa: S301  # our own
    first = dataclasses.fields(kind)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError, match=first):
        setattr(made, first, 7)
    with pytest.raises(dataclasses.FrozenInstanceError, match=first):
        delattr(made, first)


def test_equality_and_hash_are_those_of_the_class():
    assert maker(Fresh)(3.0, 1.0) == Fresh(3.0, 1.0) != maker(Fresh)(3.0, 2.0)
    assert hash(maker(Fresh)(3.0, 1.0)) == hash(Fresh(3.0, 1.0))


def test_defaults_and_names_work_and_what_does_not_fit_is_refused():
    @dataclass(frozen=True, slots=True)
    class Kept:
        items: list = field(default_factory=list)
        count: int = 3

        def doubled(self):
            return 2 * self.count

    made = maker(Kept)
    assert made(count=4) == Kept([], 4)
    assert made().items is not made().items
    assert made().doubled() == 6
    with pytest.raises(TypeError, match="unexpected keyword"):
        made(cuont=4)


def test_a_record_that_is_checked_when_it_is_made_keeps_its_constructor():
    @dataclass(frozen=True, slots=True)
    class Checked:
        value: float

        def __post_init__(self):
            if not self.value > 0.0:
                raise ValueError("not positive")

    @dataclass
    class Open:
        value: float

    assert maker(Checked) is Checked
    assert maker(Open) is Open
