"""The composition root: the only place that names a concrete driver, link or store, and puts the daemon together."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import structlog

from cryodevice import __version__
from cryodevice.console.local_socket import SOCKET_NAME, LocalSocket
from cryodevice.device import Wand
from cryodevice.device.serial_wand import SerialWand
from cryodevice.errors import ExitCode, StoreError
from cryodevice.quantities import Seconds, wire_day
from cryodevice.records import FlightRecorder, SqliteAlarmLog, SqliteExposureStore
from cryodevice.runtime.alarm_desk import AlarmDesk
from cryodevice.runtime.bus import Bus, Subscription
from cryodevice.runtime.clock import Clock, SystemClock
from cryodevice.runtime.connection import Connection
from cryodevice.runtime.control_loop import ControlLoop
from cryodevice.runtime.failpoints import arm, failpoint
from cryodevice.runtime.liveness import LoopWatch, freeze_gc, share_interpreter
from cryodevice.runtime.picture import Plain, status
from cryodevice.runtime.pulse import ANSWER_LIMIT_S, Pings
from cryodevice.runtime.service_manager import LOOK_EVERY_S, Notifier, ServiceManager, of_this_process
from cryodevice.runtime.snapshot import NumberedEvent, Snapshot
from cryodevice.runtime.supervisor import Service, supervise
from cryodevice.runtime.surroundings import watch_surroundings
from cryodevice.runtime.wall_trust import synchronised
from cryodevice.safety.events import EventKind
from cryodevice.settings import TCP_PORTS, Settings
from cryodevice.telemetry.broker import RunningBroker, start_broker
from cryodevice.telemetry.publisher import Publisher, longest_wait_s
from cryodevice.transport import open_link
from cryodevice.treatment.core import Config
from cryodevice.wire.modbus import silence_s

_log = structlog.get_logger("cryodevice")
_WARNINGS = frozenset(
    {
        EventKind.LINK_DOWN,
        EventKind.WAND_MONITORED_ONLY,
        EventKind.SESSION_REFUSED,
        EventKind.PROOF_FAILED,
        EventKind.PERMIT_WITHDRAWN,
        EventKind.RESET_REFUSED,
        EventKind.ORDER_REFUSED,
        EventKind.LOOP_STALLED,
        EventKind.ALARM_RAISED,
    }
)

STORE_NAME = "exposure.db"
ALARM_LOG_NAME = "alarms.db"
TRIPS_NAME = "trips"
CLOCK_LOOK_S = 5.0
"""How often a wall clock that nobody keeps is looked at again, s (engineering default)."""


@dataclass(slots=True)
class Daemon:
    """A daemon put together and not yet running.

    Args:
        settings: As loaded.
        loop: The control loop.
        store: Durable exposure.
        alarm_log: Durable alarms.
        recorder: The flight recorder.
        broker: The embedded broker, if one was started.
        publisher: Telemetry, if it is on.
        notifier: The service manager that started this process, taken from the environment before any child is.
        pings: Asks each service whether it still comes round.
        extra: More services.
    """

    settings: Settings
    loop: ControlLoop
    store: SqliteExposureStore
    alarm_log: SqliteAlarmLog
    recorder: FlightRecorder
    broker: RunningBroker | None = None
    publisher: Publisher | None = None
    notifier: Notifier = field(default_factory=of_this_process)
    pings: Pings = field(default_factory=Pings)
    extra: dict[str, Service] = field(default_factory=dict)

    @property
    def socket_path(self) -> Path:
        """Where ``status``, ``stop`` and the others find this daemon."""
        return self.settings.state_dir / SOCKET_NAME


def picture_of(daemon: Daemon) -> Plain | None:
    """What ``status`` and ``watch`` show: the newest tick, and how telemetry goes; None before the first tick."""
    latest = daemon.loop.latest
    if latest is None:
        return None
    now_s = daemon.loop.clock.monotonic()
    latest = replace(latest, alarms=daemon.loop.alarms.view(now_s))  # a command is seen at once, and without a tick
    return {**status(latest, now_s), "mqtt": asdict(daemon.publisher.health) if daemon.publisher is not None else None}


def wand_url(settings: Settings) -> str:
    """Where the wand is, as the transport reads it."""
    link = settings.link
    host = f"[{link.host}]" if ":" in link.host else link.host
    return f"socket://{host}:{link.tcp_port}" if link.kind in TCP_PORTS else link.port


def wand_of(settings: Settings, clock: Clock) -> Wand:
    """The driver for the wand of these settings. Opens nothing."""
    link = settings.link
    line = open_link(wand_url(settings), baud=link.baud)
    if link.kind in {"serial", "tcp"}:
        return SerialWand(line, clock.monotonic)
    from cryodevice.device.modbus_framing import RtuFraming, TcpFraming  # noqa: PLC0415  # pymodbus only where spoken
    from cryodevice.device.modbus_wand import ModbusWand  # noqa: PLC0415

    tcp = link.kind == "modbus-tcp"
    framing = TcpFraming(link.unit) if tcp else RtuFraming(link.unit, silence_s(link.baud))
    return ModbusWand(line, framing, clock.monotonic)


async def assemble(settings: Settings) -> Daemon:
    """Put a daemon together: opens the store, starts the embedded broker; touches no wand.

    Raises:
        SettingsError: A failpoint is set for a daemon that may drive a real wand.
        StoreError: Another daemon holds the state directory, or it cannot be made.
        NewerStateError: A newer program wrote the state directory.
        BrokerError: The embedded broker does not start.
    """
    arm(os.environ, simulated=settings.device.allow_simulated)
    clock = SystemClock()
    state_dir = settings.state_dir
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the state directory {state_dir}: {error}; set records.state_dir to one this user may write",
            path=str(state_dir),
        ) from error
    store = SqliteExposureStore(state_dir / STORE_NAME, clock.wall)
    failpoint("start.before_ledger")
    ledger = await asyncio.to_thread(store.load)
    failpoint("start.after_ledger")
    if store.upgraded_from is not None:
        _log.warning("records brought to the present schema", copy=str(store.upgraded_from))
    alarm_log = SqliteAlarmLog(state_dir / ALARM_LOG_NAME)
    desk = AlarmDesk(alarm_log, await asyncio.to_thread(alarm_log.load))
    snapshots: Bus[Snapshot] = Bus()
    events: Bus[NumberedEvent] = Bus()
    config = Config(
        limits=settings.limits,
        allow_simulated=settings.device.allow_simulated,
        lease_ms=settings.control.lease_ms,
        monitor_only=settings.control.monitoring_only,
    )
    recorder = FlightRecorder(state_dir / TRIPS_NAME, config, settings.sha256, clock.wall)
    await asyncio.to_thread(recorder.open)
    loop = ControlLoop(
        connection=Connection(wand_of(settings, clock), clock, Seconds(settings.control.exchange_deadline_s)),
        store=store,
        config=config,
        ledger=ledger,
        clock=clock,
        period_s=settings.control.period_s,
        snapshots=snapshots,
        events=events,
        epoch=secrets.token_hex(4),
        alarms=desk,
        recorder=recorder,
    )
    daemon = Daemon(settings, loop, store, alarm_log, recorder)
    try:
        await _telemetry(daemon)
    except BaseException:
        recorder.close()
        store.close()
        alarm_log.close()
        raise
    if not ledger.known:
        _log.error("exposure unknown: the wand stays locked", why=ledger.why_unknown)
    return daemon


async def _telemetry(daemon: Daemon) -> None:
    mqtt = daemon.settings.mqtt
    if mqtt.mode == "off":
        return
    if mqtt.mode == "embedded":
        daemon.broker = await start_broker(daemon.settings.state_dir, port=mqtt.port)
        mqtt = mqtt.at(daemon.broker.host, daemon.broker.port)
        _log.info("embedded broker", kind=daemon.broker.kind, host=mqtt.host, port=mqtt.port)
    loop = daemon.loop
    daemon.publisher = Publisher(
        mqtt,
        daemon.settings.device.id,
        loop.snapshots,
        loop.events,
        loop.clock,
        on_turn=daemon.pings.of("publisher", longest_wait_s(mqtt) + ANSWER_LIMIT_S),
    )


async def serve(daemon: Daemon) -> ExitCode:
    """Run until a signal or a failure, then make safe and put everything away.

    Returns:
        FINE when the wand showed that it is safe or none was connected; FAILED otherwise.
    """
    loop = daemon.loop
    _log.info(
        "watching",
        version=__version__,
        wand=wand_url(daemon.settings),
        link=daemon.settings.link.kind,
        device=daemon.settings.device.id,
        state=str(daemon.settings.state_dir),
        settings=daemon.settings.source,
        settings_sha256=daemon.settings.sha256[:12],
    )
    running = asyncio.get_running_loop()

    def stalled(lag_s: float, stack: str) -> None:
        _log.error("the control loop stands still", lag_s=round(lag_s, 3), stack=stack)
        running.call_soon_threadsafe(loop.note, EventKind.LOOP_STALLED, "the control loop stood still")

    def recovered(total_s: float) -> None:
        _log.warning("the control loop turns again", stood_s=round(total_s, 3))

    watch = LoopWatch(on_stall=stalled, on_recovered=recovered)
    loop.on_tick = watch.beat
    happened = loop.events.subscribe(1000)  # before the loop runs: its first events tell what a restart found
    turns = {name: daemon.pings.of(name) for name in ("clock watch", "event log", "local socket", "surroundings")}
    local = LocalSocket(
        daemon.socket_path, loop.command, lambda: picture_of(daemon), loop.events, turns["local socket"]
    )
    services: dict[str, Service] = {
        "surroundings": lambda: watch_surroundings(
            loop.alarms, loop.clock, daemon.settings.state_dir, lambda: _unreached(daemon), turns["surroundings"]
        ),
        "clock watch": lambda: _watch_clock(daemon, turns["clock watch"]),
        "event log": lambda: _log_events(happened, turns["event log"]),
        "local socket": local.serve,
        "service manager": ServiceManager(daemon.notifier, loop, daemon.pings).run,
        **daemon.extra,
    }
    if daemon.publisher is not None:
        services["publisher"] = daemon.publisher.run
    freeze_gc()
    share_interpreter()
    watch.start()
    try:
        failpoint("start.before_loop")
        safe = await supervise(loop, services)
    except BaseExceptionGroup as group:
        wand = "was made safe" if loop.shown_safe else "did not show that it is safe"
        for error in _leaves(group):
            _log.error(f"failed; the wand {wand}", error=str(error), kind=type(error).__name__, exc_info=error)
        return ExitCode.FAILED
    finally:
        watch.stop()
        _log_rest(happened)
        failpoint("end.before_store_closes")
        await put_away(daemon)
    if safe or not loop.ever_claimed:
        return ExitCode.FINE
    _log.error("the wand did not show that it is safe: its lease ends by itself within", lease_ms=loop.config.lease_ms)
    return ExitCode.FAILED


async def _watch_clock(daemon: Daemon, on_turn: Callable[[], None]) -> None:
    """Once the wall clock is kept, earlier sessions of another boot get the age they have, and the date is believed."""
    kept = synchronised()
    if not kept:
        _log.warning("wall clock not synchronised", hint="sessions before this boot do not age until it is: set up NTP")
    look_at = daemon.loop.clock.monotonic() + CLOCK_LOOK_S
    while not kept:
        on_turn()
        await asyncio.sleep(LOOK_EVERY_S)
        if daemon.loop.clock.monotonic() >= look_at:
            look_at, kept = daemon.loop.clock.monotonic() + CLOCK_LOOK_S, synchronised()
    known = daemon.store.aged_again()
    daemon.loop.age(known)
    _log.info("wall clock synchronised", aged_sessions=len(known))
    while True:
        on_turn()
        daemon.loop.today_day = wire_day(daemon.loop.clock.wall())
        await asyncio.sleep(LOOK_EVERY_S)


def _unreached(daemon: Daemon) -> str:
    """Why telemetry does not reach its broker; empty while it does, or is off."""
    if daemon.publisher is None or (health := daemon.publisher.health).connected:
        return ""
    return f"{health.broker}: {health.last_error or 'no answer yet'}"


async def put_away(daemon: Daemon) -> None:
    """Close what is written to and end the embedded broker, also of a daemon that never ran; harmless again."""
    for kept in (daemon.store, daemon.alarm_log, daemon.recorder):
        await asyncio.to_thread(kept.close)
    if daemon.broker is not None:
        await daemon.broker.stop()


async def _log_events(happened: Subscription[NumberedEvent], on_turn: Callable[[], None]) -> None:
    while True:
        on_turn()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                _log_event(await happened.get())


def _log_rest(happened: Subscription[NumberedEvent]) -> None:
    """What happened after the event log had ended: after a failure, how wand and session were ended."""
    for numbered in happened.drain():
        _log_event(numbered)
    happened.close()


def _log_event(numbered: NumberedEvent) -> None:
    event = numbered.event
    level = "warning" if event.kind in _WARNINGS else "error" if event.kind is EventKind.LOCKOUT else "info"
    getattr(_log, level)(event.kind.value, message=event.message, seq=numbered.seq, **_named(event.evidence))


def _named(evidence: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in evidence.items() if name not in {"message", "seq", "event", "level"}}


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
