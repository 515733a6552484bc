"""What to publish now: the newest tick and the waiting events, turned into messages for whatever line is open.

Knows topics and paces, not brokers: ``send`` is given to it and raises when the line is gone.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from cryodevice.runtime.bus import Bus
from cryodevice.runtime.clock import Clock
from cryodevice.runtime.snapshot import NumberedEvent, Snapshot
from cryodevice.telemetry.compose import Composer
from cryodevice.telemetry.event_queue import EventQueue
from cryodevice.telemetry.pacing import Decimator, info_key, state_key
from cryodevice.telemetry.payloads import Payload, PublisherStatistics, encode
from cryodevice.telemetry.topics import DOWN, ONLINE, UP, Topic

SNAPSHOTS_KEPT = 64
"""Ticks whose lateness is still counted after a stall of the broker; only the newest is published."""
EVENTS_A_ROUND = 50
"""Events sent between two looks at the newest tick, so that a backlog does not hold up what is live."""
HEALTH_EVERY_S = 5.0
STATE_EVERY_S = 1.0
"""``state`` in which nothing but numbers has changed is published at most this often."""
LOOK_EVERY_S = 0.25
"""How long to wait for a tick before looking at events and health anyway."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, not yet on its way. ``schema`` is empty for a plain word."""

    topic: Topic
    content: bytes
    schema: str = ""


@dataclass(slots=True)
class _Told:
    """What the broker has been told on this line, and when it is due again (monotonic seconds)."""

    link: str = ""
    info: object = None
    key: object = None
    state: dict[str, object] = field(default_factory=dict)
    state_due_s: float = 0.0
    health_due_s: float = 0.0


Send = Callable[[Message], Awaitable[None]]


class Feed:
    """The messages of one device.

    Args:
        composer: Makes the payloads.
        snapshots, events: Buses of the loop; subscribed at once, so that nothing is missed before the first line.
        clock: Paces ``health``.
        telemetry_hz: Readings published at most, Hz.
        statistics: How publishing goes, for ``health``.
    """

    def __init__(
        self,
        composer: Composer,
        snapshots: Bus[Snapshot],
        events: Bus[NumberedEvent],
        clock: Clock,
        *,
        telemetry_hz: float,
        statistics: Callable[[], PublisherStatistics],
    ) -> None:
        self.events = EventQueue(events)
        self.failed = 0
        self.last_failure = ""
        self._composer = composer
        self._snapshots = snapshots.subscribe(SNAPSHOTS_KEPT)
        self._clock = clock
        self._decimator = Decimator(telemetry_hz)
        self._statistics = statistics
        self._latest: Snapshot | None = None
        self._late_ms: list[float] = []
        self._told = _Told()

    def close(self) -> None:
        """Take no more ticks and events."""
        self._snapshots.close()
        self.events.close()

    async def birth(self, send: Send) -> None:
        """All that is retained, after a line has been opened: nothing told before counts any more."""
        self._told = _Told()
        self._look()
        await send(Message(Topic.STATUS, ONLINE.encode()))
        if self._latest is None:
            await send(Message(Topic.LINK, DOWN.encode()))
            self._told.link = DOWN
        else:
            await self._changes(send, self._latest)

    async def round(self, send: Send) -> None:
        """Wait for the next tick, not long, and publish what is due."""
        with contextlib.suppress(TimeoutError):
            if not self._look():
                # Not wait_for: before Python 3.12 it loses a cancellation that meets a tick, and with it the end.
                async with asyncio.timeout(LOOK_EVERY_S):
                    self._take(await self._snapshots.get())
        if (latest := self._latest) is not None:
            await self._changes(send, latest)
            if self._decimator.due(latest.at_s):
                await self._made(send, Topic.TELEMETRY, lambda: self._composer.telemetry(latest))
        await self.backlog(send)
        if latest is not None and self._clock.monotonic() >= self._told.health_due_s:
            self._told.health_due_s = self._clock.monotonic() + HEALTH_EVERY_S
            late_ms, self._late_ms = self._late_ms, []
            await self._made(send, Topic.HEALTH, lambda: self._composer.health(latest, late_ms, self._statistics()))

    async def backlog(self, send: Send) -> None:
        """Some of the waiting events, oldest first. One that cannot be made into a payload is counted and skipped."""
        for _ in range(EVENTS_A_ROUND):
            if (event := self.events.first()) is None:
                return
            await self._made(send, Topic.EVENT, partial(self._composer.event, event))
            self.events.done()

    async def _changes(self, send: Send, snapshot: Snapshot) -> None:
        link = UP if snapshot.link_up else DOWN
        if link != self._told.link:
            await send(Message(Topic.LINK, link.encode()))
            self._told.link = link
        if (info := info_key(snapshot)) != self._told.info:
            await self._made(send, Topic.INFO, lambda: self._composer.info(snapshot))
            self._told.info = info
        key = state_key(snapshot)
        if key != self._told.key or snapshot.at_s >= self._told.state_due_s:
            self._told.key, self._told.state_due_s = key, snapshot.at_s + STATE_EVERY_S
            await self._state(send, snapshot)

    async def _state(self, send: Send, snapshot: Snapshot) -> None:
        if (made := self._make(Topic.STATE, lambda: self._composer.state(snapshot))) is not None:
            payload, message = made
            content = payload.model_dump(exclude={"id", "time"})
            if content != self._told.state:
                await send(message)
                self._told.state = content

    async def _made(self, send: Send, topic: Topic, make: Callable[[], Payload]) -> None:
        if (made := self._make(topic, make)) is not None:
            await send(made[1])

    def _make(self, topic: Topic, make: Callable[[], Payload]) -> tuple[Payload, Message] | None:
        try:
            payload = make()
            content = encode(payload)
        except Exception as problem:  # noqa: BLE001  # one payload that cannot be made must not end the others
            self.failed += 1
            self.last_failure = f"{topic}: {type(problem).__name__}: {problem}"
            return None
        return payload, Message(topic, content, f"{payload.schema_.name}/{payload.schema_.version}")

    def _look(self) -> bool:
        waiting = self._snapshots.drain()
        for snapshot in waiting:
            self._take(snapshot)
        return bool(waiting)

    def _take(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        self._late_ms.append(snapshot.tick_late_ms)
