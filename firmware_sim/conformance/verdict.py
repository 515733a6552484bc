"""How a clause ends other than well: it fails, or it cannot be judged here. Each carries one sentence that says why."""


class FailedError(Exception):
    """The wand does not keep the clause; says what was seen and what is demanded."""


class SkippedError(Exception):
    """The clause cannot be judged on this wand or in this run; says why, and how it could be."""


def expect(kept: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence where it is called
    """Fail with ``otherwise`` unless ``kept``.

    Raises:
        FailedError: Not kept.
    """
    if not kept:
        raise FailedError(otherwise)
