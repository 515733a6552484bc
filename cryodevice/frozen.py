"""Makes frozen records at the cost of open ones: for those that are made anew at every tick. Adds nothing to them.

A frozen dataclass sets each of its fields by ``object.__setattr__``, at several times the cost of an assignment. Here
fields are assigned while the object is of an open twin class, and it is frozen before anybody has seen it.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import fields, make_dataclass
from typing import Any, ParamSpec, TypeVar

Given = ParamSpec("Given")
Record = TypeVar("Record")


def maker(kind: Callable[Given, Record]) -> Callable[Given, Record]:
    """What makes records of a frozen dataclass with slots; it takes what the constructor takes.

    For any other class, and for one that looks at its fields once they are set, it is the constructor itself.
    """
    made: Any = kind
    if hasattr(made, "__post_init__") or not made.__dataclass_params__.frozen or "__slots__" not in made.__dict__:
        return kind

    def freeze(record: Any) -> None:
        record.__class__ = made

    twin: Any = make_dataclass(
        made.__name__,
        [(field.name, field.type, copy(field)) for field in fields(made)],
        namespace={"__post_init__": freeze},  # the last thing that the generated constructor does
        repr=False,
        eq=False,
        slots=True,
    )
    return twin  # type: ignore[no-any-return]
