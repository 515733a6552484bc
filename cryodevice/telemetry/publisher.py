"""The one task that publishes: from the buses of the loop to the broker, for as long as the daemon runs.

Reconnects for ever, holds at most one message in flight, never raises, and never makes the loop wait: it reads bounded
subscriptions that drop their oldest. MQTT is no path to the wand and no part of any interlock.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import aiomqtt
import structlog

from cryodevice.runtime.bus import Bus
from cryodevice.runtime.clock import Clock
from cryodevice.runtime.failpoints import failpoint
from cryodevice.runtime.snapshot import NumberedEvent, Snapshot
from cryodevice.settings import MqttSettings
from cryodevice.telemetry.compose import Composer
from cryodevice.telemetry.connection import Connection, NoAnswerError, VersionRefusedError
from cryodevice.telemetry.feed import Feed, Message
from cryodevice.telemetry.pacing import LONGEST_DELAY_S, Backoff, Rivalry, VersionChoice
from cryodevice.telemetry.payloads import PublisherStatistics
from cryodevice.telemetry.topics import BASE, DELIVERY, DOWN, OFFLINE, Topic, full_topic

SEND_TIMEOUT_S = 5.0
"""A publish not acknowledged by then is a broken connection (engineering default)."""
FAREWELL_S = 1.0
"""Longest time the end of the daemon waits for the broker (engineering default)."""
STEADY_S = 5.0
"""A connection that lived this long was a good one: the next attempt starts from the shortest delay."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublisherHealth:
    """How publishing goes.

    Args:
        connected: Whether a broker takes our messages now.
        broker: host:port.
        protocol: MQTT version spoken, "5" or "3.1.1"; empty while not connected.
        reconnects: Connections after the first.
        published: Messages sent, and acknowledged where QoS 1.
        queue_depth: Events waiting.
        dropped: Events lost to MQTT because more than a thousand waited.
        refused: Messages the broker took and refused (MQTT 5 tells; 3.1.1 does not).
        failed: Payloads that could not be made.
        last_error: The last trouble, empty when there has been none.
    """

    connected: bool
    broker: str
    protocol: str
    reconnects: int
    published: int
    queue_depth: int
    dropped: int
    refused: int
    failed: int
    last_error: str


def longest_wait_s(settings: MqttSettings) -> float:
    """The longest a publisher that works ever waits for its broker in one place, s."""
    return max(2.0 * settings.connect_timeout_s, SEND_TIMEOUT_S, LONGEST_DELAY_S)


class Publisher:
    """Publishes one device's telemetry; make it before the loop starts, then ``run`` it as a task of its own.

    Args:
        settings: ``host`` and ``port`` are used as they stand; see ``MqttSettings.at`` for an embedded broker.
        device_id: Second level of every topic.
        snapshots: Ticks of the loop.
        events: Events of the loop.
        clock: Paces ``health`` and tells how long a connection lived.
        send_timeout_s: Longest wait for an acknowledgement, s.
        on_turn: Called between any two waits for the broker, for liveness.
    """

    def __init__(
        self,
        settings: MqttSettings,
        device_id: str,
        snapshots: Bus[Snapshot],
        events: Bus[NumberedEvent],
        clock: Clock,
        *,
        send_timeout_s: float = SEND_TIMEOUT_S,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._device_id = device_id
        self._clock = clock
        self._send_timeout_s = send_timeout_s
        self._on_turn = on_turn
        composer = Composer(device_id, secrets.token_hex(4))
        self._feed = Feed(
            composer, snapshots, events, clock, telemetry_hz=settings.telemetry_hz, statistics=self._statistics
        )
        self._choice = VersionChoice()
        self._backoff = Backoff()
        self._rivalry = Rivalry()
        self._stay_away_s = 0.0
        self._connected = False
        self._connections = self._published = self._refused = 0
        self._last_error = ""

    @property
    def health(self) -> PublisherHealth:
        """How publishing goes now."""
        return PublisherHealth(
            connected=self._connected,
            broker=f"{self._settings.host}:{self._settings.port}",
            protocol=self._choice.version if self._connected else "",
            reconnects=max(0, self._connections - 1),
            published=self._published,
            queue_depth=len(self._feed.events),
            dropped=self._feed.events.dropped,
            refused=self._refused,
            failed=self._feed.failed,
            last_error=self._last_error or self._feed.last_failure,
        )

    async def run(self) -> None:
        """Publish until cancelled; then say ``offline`` and goodbye, within one second."""
        try:
            while True:
                self._on_turn()
                opened_s = self._clock.monotonic()
                await self._attempt()
                self._on_turn()
                _heed_cancellation()
                if self._clock.monotonic() - opened_s >= STEADY_S:
                    self._backoff.reset()
                pause_s, self._stay_away_s = self._stay_away_s, 0.0
                await asyncio.sleep(pause_s or self._backoff.next(secrets.randbelow(1001) / 1000.0))
        finally:
            self._feed.close()

    async def _attempt(self) -> None:
        will = aiomqtt.Will(full_topic(self._device_id, Topic.STATUS), OFFLINE, qos=1, retain=True)
        connection = Connection(self._settings, self._choice.version, f"{BASE}-{self._device_id}", will)
        try:
            await self._open(connection)
            stood_s = self._clock.monotonic()
            try:
                await self._publish(connection)
            finally:
                self._parted(connection, self._clock.monotonic() - stood_s)
        except aiomqtt.MqttError as problem:
            self._note(problem)
        except Exception as problem:  # noqa: BLE001  # what watches must not end what acts
            self._note(problem)
        finally:
            await connection.abandon()
            self._connected = False

    def _parted(self, connection: Connection, lived_s: float) -> None:
        """A connection that stood has ended: perhaps because another daemon has our name."""
        self._stay_away_s = self._rivalry.ended(lived_s, taken_over=connection.taken_over)
        if self._stay_away_s:
            self._last_error = f"another client has the id {BASE}-{self._device_id}: two daemons with one device.id?"
            _log.error(
                "another client took our place at the broker",
                broker=self.health.broker,
                hint=f"give each daemon its own device.id; this one is {self._device_id!r}",
                stays_away_s=self._stay_away_s,
            )

    async def _open(self, connection: Connection) -> None:
        try:
            await connection.open()
        except VersionRefusedError:
            self._choice.refused()
            raise
        except NoAnswerError:
            self._choice.silent()
            raise
        self._choice.worked()

    async def _publish(self, connection: Connection) -> None:
        send = partial(self._send, connection)
        turn: asyncio.Future[None] | None = None
        try:
            await self._feed.birth(send)
            self._connections += 1
            self._connected = True
            _log.info("mqtt connected", broker=self.health.broker, protocol=self._choice.version)
            while not connection.lost:
                _heed_cancellation()
                self._on_turn()
                turn = asyncio.ensure_future(self._feed.round(send))
                await asyncio.shield(turn)
        except asyncio.CancelledError:
            await self._farewell(connection, turn)
            raise
        raise aiomqtt.MqttError(f"the broker closed the connection: {connection.why_lost}")

    async def _send(self, connection: Connection, message: Message) -> None:
        self._on_turn()
        failpoint("publisher.before_send")
        refusal = await connection.send(
            full_topic(self._device_id, message.topic),
            message.content,
            DELIVERY[message.topic],
            timeout_s=self._send_timeout_s,
            user=("schema", message.schema) if message.schema else None,
        )
        self._published += 1
        if refusal:
            self._refused += 1
            self._note(aiomqtt.MqttError(f"{message.topic}: {refusal}"))

    async def _farewell(self, connection: Connection, turn: "asyncio.Future[None] | None") -> None:
        """Last events, link down, ``offline``, goodbye. Too slow a broker publishes the last will: the same word."""

        async def say() -> None:
            with contextlib.suppress(aiomqtt.MqttError):
                if turn is not None:
                    await turn  # what is on its way is not sent a second time
                await self._feed.backlog(partial(self._send, connection))
                await self._send(connection, Message(Topic.LINK, DOWN.encode()))
                await self._send(connection, Message(Topic.STATUS, OFFLINE.encode()))
                await connection.close()

        goodbye = asyncio.ensure_future(say())
        await asyncio.wait({goodbye}, timeout=FAREWELL_S)
        goodbye.cancel()
        await asyncio.gather(goodbye, *filter(None, (turn,)), return_exceptions=True)

    def _note(self, problem: Exception) -> None:
        if self._stay_away_s:
            return  # a rival has been named; that the line ended is no news
        said = f"{type(problem).__name__}: {problem}"
        if said != self._last_error:
            _log.warning("mqtt trouble", broker=self.health.broker, problem=said)
        self._last_error = said

    def _statistics(self) -> PublisherStatistics:
        health = self.health
        return PublisherStatistics(
            protocol=health.protocol,
            reconnects=health.reconnects,
            published=health.published,
            queue_depth=health.queue_depth,
            dropped=health.dropped,
            refused=health.refused,
            failed=health.failed,
            last_error=health.last_error[:500],
        )


def _heed_cancellation() -> None:
    """End here when told to, also where the telling was swallowed.

    ``asyncio.wait_for``, here and in aiomqtt, loses a cancellation that comes together with what it waits for; the
    daemon would then wait for this task for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
