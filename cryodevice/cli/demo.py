"""``cryodevice demo``: one simulated treatment from start to end, with everything real but the wand."""

import argparse
import asyncio
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cryodevice.errors import ExitCode, SettingsError
from cryodevice.safety.limits import Zone
from cryodevice.safety.phases import SessionState
from cryodevice.settings import (
    TCP_PORTS,
    DeviceSettings,
    LinkSettings,
    MqttSettings,
    RecordsSettings,
    Settings,
    default_settings,
)
from cryodevice.treatment.program import Step, Treatment

if TYPE_CHECKING:
    from cryodevice.app import Daemon
    from cryodevice.treatment.core import Start

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

SHORTEST_S, LONGEST_S = 20.0, 600.0
PRECOOL_S = 14.0
"""What connecting, the proof and pulling the plate down take of the demo, s."""
ZONE = Zone.LEFT_CHEEK
PLATE_DEGC = 8.0
DEVICE = "demo"
ENDPOINTS = {"serial": "serial", "tcp": "serial_tcp", "modbus-rtu": "modbus_rtu", "modbus-tcp": "modbus_tcp"}
"""Where the simulator's first line says it listens, by kind of link."""


def main(options: argparse.Namespace) -> ExitCode:
    """Check the arguments, then run."""
    if not SHORTEST_S <= options.duration <= LONGEST_S:
        raise SettingsError(f"--duration is {options.duration:g}; it may be {SHORTEST_S:g} to {LONGEST_S:g} seconds")
    broker = _broker(options.broker) if options.broker else None
    with tempfile.TemporaryDirectory(prefix="cryodevice-demo-") as state_dir:
        return asyncio.run(_demo(options, Path(state_dir), broker))


def treatment_of(duration_s: float) -> Treatment:
    """Contact at 8 degC, then rewarming, so that all of it takes about ``duration_s``."""
    hold = min(30.0, 0.5 * (duration_s - PRECOOL_S))
    rewarm = max(1.0, min(300.0, duration_s - PRECOOL_S - hold))
    return Treatment("demo", (Step(ZONE, PLATE_DEGC, round(hold, 1), round(rewarm, 1)),))


def _broker(url: str) -> tuple[str, int]:
    form = f"--broker {url!r} is not of the form mqtt://HOST[:PORT]"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 1883
    except ValueError as error:
        raise SettingsError(f"{form}: {error}") from error
    if parts.scheme != "mqtt" or not host or parts.username or parts.path not in {"", "/"}:
        raise SettingsError(form)
    return host, port


async def _demo(options: argparse.Namespace, state_dir: Path, broker: tuple[str, int] | None) -> ExitCode:
    from cryodevice.app import assemble, picture_of, put_away, serve, wand_url  # noqa: PLC0415  # arguments first
    from cryodevice.cli import live  # noqa: PLC0415
    from cryodevice.cli.simulated_hand import start_wand, treat  # noqa: PLC0415
    from cryodevice.runtime.logs import configure_logging  # noqa: PLC0415
    from cryodevice.treatment.core import Start  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        wand = await start_wand(options.link, options.seed)
        stack.push_async_callback(wand.stop)
        settings = _settings(state_dir, options.link, wand.endpoints, broker)
        log = stack.enter_context((state_dir / "log.jsonl").open("w", encoding="utf-8"))
        sink = configure_logging("json", "info", log)
        stack.callback(sink.close)
        daemon = await assemble(settings)
        stack.push_async_callback(put_away, daemon)
        ended: list[str] = []

        async def session() -> None:
            ended.append(
                await _one_session(daemon, Start(secrets.token_hex(4), treatment_of(options.duration), "demo"))
            )
            daemon.loop.stop_running("demo")
            await asyncio.Event().wait()

        address = f"{settings.mqtt.host}:{settings.mqtt.port}"
        if daemon.broker is not None:
            address = f"{daemon.broker.host}:{daemon.broker.port}"
        host, port = address.rsplit(":", 1)
        five = " -V mqttv5" if daemon.broker is not None and daemon.broker.kind == "iotcore" else ""
        header = f"mosquitto_sub{five} -h {host} -p {port} -v -t 'cryodevice/{DEVICE}/#'"
        view = live.live_view if live.on_a_terminal() and not options.plain else live.plain_view
        daemon.extra = {
            "hand": lambda: treat(wand, ZONE.value, daemon.loop.snapshots),
            "session": session,
            "view": lambda: view(header, lambda: picture_of(daemon), daemon.loop.events),
        }
        print(f"SIMULATED wand on {wand_url(settings)} ({options.link})", flush=True)
        whose = "" if broker is None else " (not connected yet)"
        print(f"broker {address}{whose}; to watch:  {header}", flush=True)
        code = await serve(daemon)
        return _summary(ended, code, daemon)


async def _one_session(daemon: "Daemon", start: "Start") -> str:
    """Start the session when the wand is ready, and wait for its end; returns why it ended, empty when complete."""
    loop = daemon.loop
    snapshots = loop.snapshots.subscribe(1)
    asked_at = -1.0
    try:
        async for snapshot in snapshots:
            session = snapshot.session
            ours = session.session_id == start.session_id
            if ours and session.state is SessionState.COMPLETE:
                return ""
            if ours and session.state in (SessionState.STOPPED, SessionState.LOCKED):
                return session.ended_why
            if not ours and snapshot.permit and snapshot.at_s - asked_at > 1.0:
                asked_at = snapshot.at_s
                loop.command(start)
            if not ours and asked_at < 0.0 and loop.ticks > 20 * 15:
                return "the wand did not get ready: " + (
                    snapshot.link_why or ", ".join(f.id for f in snapshot.findings)
                )
    finally:
        snapshots.close()
    return "no snapshots"


def _settings(state_dir: Path, kind: str, endpoints: Mapping[str, Any], broker: tuple[str, int] | None) -> Settings:
    """The built-in defaults, pointed at the simulated wand."""
    defaults = default_settings()
    link: dict[str, object] = {"kind": kind}
    if kind in TCP_PORTS:
        host, port = str(endpoints[ENDPOINTS[kind]]).rsplit(":", 1)
        link |= {"host": host, "tcp_port": int(port)}
    else:
        link["port"] = endpoints[ENDPOINTS[kind]]
    mqtt = MqttSettings(mode="embedded", port=0)
    if broker is not None:
        mqtt = MqttSettings(mode="broker", host=broker[0], port=broker[1])
    return replace(
        defaults,
        device=DeviceSettings(id=DEVICE, allow_simulated=True),
        link=LinkSettings.model_validate(link),
        mqtt=mqtt,
        records=RecordsSettings(state_dir=str(state_dir)),
        source="the demo",
    )


def _summary(ended: list[str], code: ExitCode, daemon: "Daemon") -> ExitCode:
    telemetry = daemon.publisher.health if daemon.publisher is not None else None
    unpublished = telemetry is not None and not telemetry.published
    if telemetry is not None and unpublished:
        why = telemetry.last_error or "no answer"
        print(f"the broker at {telemetry.broker} was never reached ({why}): nothing was published")
    elif telemetry is not None and telemetry.queue_depth:
        print(f"the broker at {telemetry.broker} was lost: {telemetry.queue_depth} events were not published")
    if ended != [""]:
        print(f"SIMULATED treatment ended early: {ended[0] if ended else 'interrupted'}")
        return ExitCode.FAILED
    print("SIMULATED treatment complete: precooled, applied, rewarmed; the wand is safe.")
    return ExitCode.FAILED if unpublished else code
