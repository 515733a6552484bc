"""A scenario under the whole daemon in virtual time: the real loop, connection, driver and core, and what was true.

The same files and the same watching as ``firmware-sim scenario run``; only who guards the wand is another.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from cryodevice.safety.events import EventKind
from cryodevice.safety.interlocks import TABLE
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import COOLING, TREATING, SessionState
from cryodevice.treatment.core import Reset, Start
from cryodevice.treatment.program import Step, Treatment
from cryodevice.wire.blocks import Order
from cryodevice.wire.codes import Mode
from firmware_sim.scenarios import Judged, Scenario, Watch
from firmware_sim.scenarios.actions import act, prepared
from firmware_sim.scenarios.expectations import Guard, judged
from firmware_sim.scenarios.load import ScenarioError
from firmware_sim.scenarios.run import Result, wand_of
from firmware_sim.simulator import Simulator
from tests.runtime.virtual import BEGAN_S, VirtualDaemon, virtual

LOOK_S = 0.1
ASK_AGAIN_S = 0.5
COLD_DEGC = 20.0
"""A plate from this up is no exposure outside of a session (``cryodevice.treatment.controller``)."""


@dataclass
class Bed:
    """One daemon with its wand, and what is noted of both; ``causes``: what a hand did to end the cold, and by when."""

    scenario: Scenario
    seed: int
    line: str = "serial"
    sim: Simulator | None = None
    byte_s: float = 0.0
    wrong_leases: list[str] = field(default_factory=list)
    causes: list[tuple[float, str, float]] = field(default_factory=list)
    cold_contact_s: float = 0.0
    freed: list[str] = field(default_factory=list)
    pressing: bool = False

    def __post_init__(self) -> None:
        self.sim = self.sim or wand_of(self.scenario, self.seed)
        prepared(self.sim, self.scenario.wand)
        self.watch = Watch(self.sim, keep_every=2)
        self.daemon = VirtualDaemon(
            None,
            wall=lambda: 1e9 + self.now_s,
            seed=self.seed,
            sim=self.sim,
            line_kind=self.line,
            byte_s=self.byte_s,
            treatment=treatment_of(self.scenario),
        )
        self.loop = self.daemon.loop
        self.loop.on_tick = self.watch.look
        self._may_talk = asyncio.Event()
        self._may_talk.set()
        self._wants: set[asyncio.Task] = set()
        self._seen_s = 0.0
        self._locked: Any = None
        self._may_free = False
        self._guard_line()

    @property
    def now_s(self) -> float:
        """Seconds since the scenario began."""
        return asyncio.get_running_loop().time() - BEGAN_S

    @property
    def state(self) -> SessionState:
        return self.loop._core.session.state

    def _guard_line(self) -> None:
        """Note each lease that is ordered without a permit, and keep silent where the scenario says so."""
        connection, exchange = self.loop.connection, self.daemon.driver.exchange
        round_trip = type(connection).round_trip

        async def checked(order: Order, timeout_s: float) -> Any:
            core = self.loop._core
            may = core.verdict.permit and core.lockout is None and core.session.state in COOLING
            arming = order.mode is Mode.OFF and core.session.state is SessionState.READY
            if order.lease_ms and not (may if order.mode is Mode.COOL else arming):
                self.wrong_leases.append(f"{self.now_s:.3f} s: {order.mode.name} in {core.session.state}")
            return await exchange(order, timeout_s)

        async def gated(order: Order | None) -> Any:
            await self._may_talk.wait()
            return await round_trip(connection, order)

        self.daemon.driver.exchange = checked
        self.loop.connection = _Gate(connection, gated)

    def told(self, order: str) -> None:
        """What a person asks of the daemon."""
        if order == "cool":
            self._wants.add(asyncio.create_task(self._start(), name="start"))
        elif order == "stop":
            for task in self._wants:
                task.cancel()
            self.daemon.stop()
        elif order == "reset":
            self._may_free = True
            self.loop.command(Reset("tester", service=False))
        elif order == "silent":
            self._may_talk.clear()
        else:
            self._may_talk.set()

    async def _start(self) -> None:
        """Ask until a session has begun, as a person would who is told why not."""
        for number in range(20):
            if self.state in TREATING or self.loop._core.lockout is not None:
                return
            self.loop.command(Start(f"s{self.now_s:.1f}-{number}", self.daemon.treatment, "tester"))
            await asyncio.sleep(ASK_AGAIN_S)

    async def timeline(self) -> None:
        for action in self.scenario.actions:
            await self.sleep_until(action.at_s)
            act(self.sim, action)
            if action.order:
                self.told(action.order)

    async def looking(self) -> None:
        plant = self.sim.plant
        while True:
            await asyncio.sleep(LOOK_S)
            self.daemon.wand.catch_up()
            self.watch.look()
            truth = plant.truth()
            dt_s, self._seen_s = self.sim.time_s - self._seen_s, self.sim.time_s
            if truth.contact and truth.plate_degc < COLD_DEGC:
                self.cold_contact_s += dt_s
            self._see_lockout()

    def _see_lockout(self) -> None:
        """Note a lockout that is gone though nobody cleared it."""
        lockout = self.loop._core.lockout
        if self._locked is not None and lockout is None and not self._may_free:
            self.freed.append(f"{self.now_s:.1f} s: {self._locked.cause}")
        self._locked, self._may_free = lockout, self._may_free and lockout is None

    async def sleep_until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self.now_s))
        self.daemon.wand.catch_up()

    def guard(self) -> Guard:
        """What is known of the daemon."""
        acted, ended = [], ""
        for numbered in self.daemon.happened.drain():
            event = numbered.event
            if event.kind is EventKind.INTERLOCK_ACTIVE and event.evidence.get("action") != "warn":
                acted.append(str(event.evidence["interlock"]))
            elif event.kind is EventKind.SESSION_ENDED:
                ended = str(event.evidence["why"])
        return Guard("daemon", tuple(dict.fromkeys(acted)), ended)


class _Gate:
    """The connection, which may be made to hang."""

    def __init__(self, connection: Any, round_trip: Callable[[Order | None], Awaitable[Any]]) -> None:
        self._connection = connection
        self.round_trip = round_trip

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def treatment_of(scenario: Scenario) -> Treatment:
    """The treatment a scenario asks for; one contact at the host's setpoint where it names none."""
    steps = tuple(
        Step(Zone(step.zone), step.plate_degc, step.hold_s, step.rewarm_s, glide=step.glide) for step in scenario.steps
    )
    alone = Step(Zone(scenario.wand.zone), scenario.host.setpoint_degc, 20.0, 5.0)
    return Treatment(scenario.name, steps or (alone,))


OVER = {SessionState.COMPLETE, SessionState.STOPPED, SessionState.LOCKED}
AFTER_S = 3.0
"""A case that ends early is looked at for so long after its session."""


def lived(
    bed_of: Callable[[], Bed], hand: Callable[[Bed], Awaitable[None]] | None = None, *, early: bool = False
) -> Bed:
    """Live through a scenario in virtual time; a ``hand`` acts beside its timeline. ``early``: until its session ends."""

    async def story() -> Bed:
        bed = bed_of()
        running = asyncio.create_task(bed.loop.run(), name="loop")
        beside = [
            asyncio.create_task(bed.timeline(), name="timeline"),
            asyncio.create_task(bed.looking(), name="looks"),
        ]
        if hand is not None:
            beside.append(asyncio.create_task(hand(bed), name="hand"))
        while early and bed.now_s < bed.scenario.duration_s - AFTER_S and bed.state not in OVER:
            await asyncio.sleep(1.0)
        await asyncio.sleep(AFTER_S if early else bed.scenario.duration_s)
        bed.daemon.wand.catch_up()
        bed.watch.look()
        for task in (*beside, *bed._wants):
            task.cancel()
        for done in await asyncio.gather(*beside, return_exceptions=True):
            if isinstance(done, Exception):
                raise done
        bed._may_talk.set()
        bed.loop.stop_running("the end")
        await running
        return bed

    return virtual(story)


def refuse_unknown_interlocks(scenario: Scenario) -> None:
    """The simulator knows no interlock by name; here, where there are some, one that does not exist is an error.

    Raises:
        ScenarioError: An expectation names no interlock of the table; says which are near.
    """
    known = [interlock.id for interlock in TABLE]
    for each in scenario.expectations:
        if each.name == "interlock" and each.value not in known:
            near = ", ".join(get_close_matches(str(each.value), known)) or "'cryodevice interlocks' prints them"
            raise ScenarioError(f"{scenario.source}:{each.line}: interlock: there is no {each.value!r}; {near}")


def run(scenario: Scenario, seed: int | None = None, line: str = "serial") -> Result:
    """A scenario under the daemon, judged by what the file expects.

    Raises:
        ScenarioError: It names an interlock that does not exist.
    """
    refuse_unknown_interlocks(scenario)
    chosen = scenario.seed if seed is None else seed
    bed = lived(lambda: Bed(scenario, chosen, line))
    answers: tuple[Judged, ...] = judged(scenario, bed.watch, bed.guard())
    digest = bed.daemon.trace.digest
    return Result(scenario, chosen, "daemon", answers, bed.watch, digest, bed.loop.ticks, bed.loop.misses)
