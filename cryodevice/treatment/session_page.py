"""The session machine as a document: a diagram, the ways, and every pair that is ignored with its reason. Pure text.

``docs/session.md`` is this, to the letter.
"""

from collections.abc import Iterator

from cryodevice.safety.phases import SessionState
from cryodevice.treatment.session_table import IGNORED, WAYS, Happening

_HEAD = """# The session machine

Printed from `cryodevice/treatment/session_table.py` by `python -m tests.docs.session_page`; a test compares the two.
What the states are: [architecture 7](architecture.md#7-the-session).

The machine says what a treatment wants. The permit to cool is the interlocks' and comes on top: a lease needs a state
that cools (`precool`, `lifted`, `applying`) *and* a permit, and a lockout is left by a person's reset only. `screening`
is reserved for the questionnaire and not entered yet.

```mermaid"""


def diagram() -> Iterator[str]:
    """The machine as a mermaid state diagram; stop, loss of the wand and lockout are drawn once."""
    yield "stateDiagram-v2"
    yield f"    [*] --> {SessionState.IDLE.value}"
    for (state, happening), to in WAYS.items():
        if happening not in {Happening.STOP, Happening.LINK_LOST, Happening.LOCKOUT}:
            yield f"    {state.value} --> {to.value}: {happening.name.lower()}"
    for to in (SessionState.STOPPED, SessionState.LOCKED):
        leaving = Happening.STOP if to is SessionState.STOPPED else Happening.LOCKOUT
        states = [state.value for state in SessionState if WAYS.get((state, leaving)) is to]
        yield f"    note right of {to.value}: {leaving.name.lower()} leads here from {', '.join(states)}"


def page() -> str:
    """The whole document."""
    return "\n".join([*_HEAD.split("\n"), *diagram(), "```", "", *_happenings(), "", *_pairs(), "", *_reasons(), ""])


def _happenings() -> Iterator[str]:
    yield "## What may happen"
    yield ""
    yield "| happening | what it is |"
    yield "|---|---|"
    for happening in Happening:
        yield f"| `{happening.name.lower()}` | {happening.value} |"


def _pairs() -> Iterator[str]:
    numbers = _numbers()
    yield "## Every pair"
    yield ""
    yield "A state: where it leads. A number: it is ignored, for the reason of that number below."
    yield ""
    yield "| | " + " | ".join(f"`{state.value}`" for state in SessionState) + " |"
    yield "|---" * (len(SessionState) + 1) + "|"
    for happening in Happening:
        cells = (
            f"**{WAYS[state, happening].value}**"
            if (state, happening) in WAYS
            else str(numbers[IGNORED[state, happening]])
            for state in SessionState
        )
        yield f"| `{happening.name.lower()}` | " + " | ".join(cells) + " |"


def _reasons() -> Iterator[str]:
    yield "## Why it is ignored"
    yield ""
    for why, number in _numbers().items():
        yield f"{number}. {why}"


def _numbers() -> dict[str, int]:
    """Reasons in the order in which the table meets them."""
    met = (
        IGNORED[state, happening] for happening in Happening for state in SessionState if (state, happening) in IGNORED
    )
    return {why: number for number, why in enumerate(dict.fromkeys(met), start=1)}
