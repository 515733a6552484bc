"""Every request the control understands, as a table: the server obeys it and the OpenAPI document is made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from firmware_sim.control import bench
from firmware_sim.control.bench import Bench, catalogue
from firmware_sim.control.fields import Body
from firmware_sim.control.random_hand import HOLD

Reply = dict[str, Any]
Act = Callable[..., Reply | Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """One request.

    Args:
        method, path: What is asked; a part of the path in braces is a whole number that ``act`` gets.
        name: Of the operation.
        summary: What it does, in one line.
        reply: Name of the reply's schema.
        act: Does it; gets the bench, the numbers of the path by name, and the members of the body by name.
        body: What the body may hold; ``None``: it has none.
        body_optional: Whether the body may be left away.
        status: Of a good reply.
        refuses: Other statuses than those of a bad request that it may answer with.
    """

    method: str
    path: str
    name: str
    summary: str
    reply: str
    act: Act
    body: Body | None = None
    body_optional: bool = False
    status: HTTPStatus = HTTPStatus.OK
    refuses: tuple[HTTPStatus, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """The path, part by part."""
        return tuple(self.path.split("/")[1:])

    def numbers(self, parts: tuple[str, ...]) -> dict[str, int] | None:
        """The numbers in a path of this form; ``None`` when it is of another."""
        if len(parts) != len(self.parts):
            return None
        found: dict[str, int] = {}
        for pattern, part in zip(self.parts, parts, strict=True):
            if pattern.startswith("{") and part.isascii() and part.isdigit() and len(part) <= 9:
                found[pattern.strip("{}")] = int(part)
            elif pattern != part:
                return None
        return found


def _clear_one(wand: Bench, id: int) -> Reply:  # noqa: A002  # as the path names it
    return wand.clear(id)


ROUTES: Final = (
    Route("GET", "/truth", "getTruth", "What really is, whatever the wand says.", "Truth", Bench.truth),
    Route("GET", "/hand", "getHand", "What the hand does.", "Hand", Bench.hand),
    Route(
        "PATCH",
        "/hand",
        "setHand",
        "Touch, lift, change zone, pull the trigger, press the e-stop, take the tip off, glide.",
        "Hand",
        Bench.set_hand,
        bench.HAND,
        refuses=(HTTPStatus.CONFLICT,),
    ),
    Route(
        "GET",
        "/hand/random",
        "getRandomHand",
        "Whether a random hand holds the wand, and how.",
        "RandomHand",
        Bench.random_hand,
    ),
    Route(
        "POST",
        "/hand/random",
        "holdAtRandom",
        "Let a hand hold the plate on a zone or glide over some, with lifts and slips drawn by its seed.",
        "RandomHand",
        Bench.hold,
        HOLD,
    ),
    Route(
        "DELETE",
        "/hand/random",
        "letGo",
        "Take the random hand away, and the plate off the skin.",
        "RandomHand",
        Bench.let_go,
    ),
    Route("GET", "/room", "getRoom", "The room.", "Room", Bench.room),
    Route("PATCH", "/room", "setRoom", "Make it warmer, colder, damper.", "Room", Bench.set_room, bench.ROOM),
    Route("GET", "/faults", "getFaults", "Faults in force or waiting.", "Faults", Bench.faults),
    Route(
        "POST",
        "/faults",
        "injectFault",
        "Put a fault in, now or later, for a time or until it is cleared.",
        "Injected",
        Bench.inject,
        bench.INJECTION,
        status=HTTPStatus.CREATED,
    ),
    Route("DELETE", "/faults", "clearFaults", "Take every fault out.", "Faults", Bench.clear),
    Route(
        "DELETE",
        "/faults/{id}",
        "clearFault",
        "Take one fault out.",
        "Faults",
        _clear_one,
        refuses=(HTTPStatus.NOT_FOUND,),
    ),
    Route(
        "GET",
        "/faults/catalogue",
        "getCatalogue",
        "Every fault there is, with its parameters.",
        "Catalogue",
        lambda _: catalogue(),
    ),
    Route(
        "GET",
        "/disturbances",
        "getDisturbances",
        "Switches of the hardware, below the faults by name.",
        "Disturbances",
        Bench.disturbances,
    ),
    Route(
        "PATCH",
        "/disturbances",
        "setDisturbances",
        "Set switches of the hardware; they stay until they are set back.",
        "Disturbances",
        Bench.set_disturbances,
        bench.DISTURBANCES,
    ),
    Route("GET", "/quirks", "getQuirks", "Switches of the firmware, below the faults by name.", "Quirks", Bench.quirks),
    Route(
        "PATCH",
        "/quirks",
        "setQuirks",
        "Set switches of the firmware; they stay until they are set back.",
        "Quirks",
        Bench.set_quirks,
        bench.QUIRKS,
    ),
    Route(
        "POST",
        "/reboot",
        "reboot",
        "Boot the firmware anew; the body may say the cause.",
        "Boot",
        Bench.reboot,
        bench.REBOOT,
        body_optional=True,
    ),
    Route("GET", "/clock", "getClock", "Time, and how it runs.", "Clock", Bench.clock),
    Route("PATCH", "/clock", "setClock", "Faster, slower, still, on.", "Clock", Bench.set_clock, bench.CLOCK),
    Route(
        "POST",
        "/clock/step",
        "step",
        "Let time pass while it is paused; answers when it has.",
        "Clock",
        Bench.step,
        bench.STEP,
        refuses=(HTTPStatus.CONFLICT,),
    ),
)


def allowed(parts: tuple[str, ...]) -> list[Route]:
    """The routes of one path, whatever the method."""
    return [route for route in ROUTES if route.numbers(parts) is not None]
