"""What settings must be to one another: a line that carries the rate, a lease that outlasts a miss, limits in order.

Sees only values that are each in their own range.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryodevice.safety.limits import ENVELOPE, ORDERED
from cryodevice.settings.sections import ControlSettings, LinkSettings, MqttSettings, RecordsSettings
from cryodevice.wire.frame import Frame, FrameType, encode_frame
from cryodevice.wire.modbus import QUIET_S, RTU_REPLY_BYTES, RTU_REQUEST_BYTES, silence_s
from cryodevice.wire.registers import ORDER_COUNT, STATUS_COUNT

BITS_PER_BYTE = 10
"""8N1: a start bit, eight data bits, a stop bit."""
RESYNC_BYTES = 1
"""The 0x00 the host sends before a frame after a time-out (docs/wire.md)."""
ANSWER_S = 0.002
"""Time the wand is given to answer once it has the request, s (engineering default)."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A rule that does not hold: the key to change, its value, what it may be, and why."""

    key: tuple[str, str]
    value: object
    allowed: str
    why: str


def exchange_bytes() -> int:
    """Bytes on the line for one exchange of frames: order out, status back, at their longest."""
    request = encode_frame(Frame(FrameType.EXCHANGE, 0xFF, b"\xff" * 2 * ORDER_COUNT))
    reply = encode_frame(Frame(FrameType.EXCHANGE | 0x80, 0xFF, b"\xff" * 2 * STATUS_COUNT))
    return RESYNC_BYTES + len(request) + len(reply)


def link_rules(link: LinkSettings, control: ControlSettings) -> Iterator[Clash]:
    """A serial line must carry one exchange, and its answer time, inside the exchange deadline."""
    if link.kind not in ("serial", "modbus-rtu"):
        return
    modbus = link.kind == "modbus-rtu"
    bits = (RTU_REQUEST_BYTES + RTU_REPLY_BYTES if modbus else exchange_bytes()) * BITS_PER_BYTE
    # On RTU the wand knows only by the silence after it that a request has ended.
    answer_s = ANSWER_S + (silence_s(link.baud) if modbus else 0.0)
    deadline_s = control.exchange_deadline_s
    takes_s = bits / link.baud + answer_s
    if not takes_s <= deadline_s:
        # Every rate that could do lies above 19200, where the silence is fixed.
        least = bits / (deadline_s - ANSWER_S - (silence_s(115_200) if modbus else 0.0))
        yield Clash(
            ("link", "baud"),
            link.baud,
            f"at least {least:.0f} bit/s for control.rate_hz = {control.rate_hz:g}",
            f"one exchange is {bits} bits on the line and takes {takes_s * 1e3:.1f} ms with the wand's answer time;"
            f" it may take {deadline_s * 1e3:.1f} ms (40 ms or half a period, whichever is less)",
        )


def control_rules(control: ControlSettings, link: LinkSettings) -> Iterator[Clash]:
    """One missed exchange must not end the lease.

    An order echoes a status up to one period old; the order after a miss comes two periods later, on Modbus RTU with
    the first tick after the line's silence.
    """
    lost_ticks = 1
    if link.kind == "modbus-rtu":
        lost_ticks = math.ceil((control.exchange_deadline_s + QUIET_S) / control.period_s)
    least_ms = ((2.0 + lost_ticks) * control.period_s + control.exchange_deadline_s) * 1e3
    if not control.monitoring_only and not control.lease_ms >= least_ms:
        yield Clash(
            ("control", "lease_ms"),
            control.lease_ms,
            f"at least {least_ms:.0f} ms for control.rate_hz = {control.rate_hz:g}"
            + (" on modbus-rtu" if link.kind == "modbus-rtu" else ""),
            "a shorter lease would end on one missed exchange",
        )


def mqtt_rules(mqtt: MqttSettings) -> Iterator[Clash]:
    """Accounts, TLS and a fixed port belong to a broker that is there."""
    if mqtt.mode == "broker":
        if mqtt.port == 0:
            yield Clash(("mqtt", "port"), mqtt.port, "1 to 65535 for mode broker", "a broker has a port")
        if mqtt.password_file is not None and mqtt.username is None:
            yield Clash(("mqtt", "password_file"), None, "only with mqtt.username", "a password needs an account")
        if mqtt.ca_file is not None and not mqtt.tls:
            yield Clash(("mqtt", "ca_file"), None, "only with mqtt.tls = true", "without TLS nothing would be checked")
        return
    for key in ("tls", "ca_file", "username", "password_file"):
        if getattr(mqtt, key):
            yield Clash(("mqtt", key), None, 'only with mqtt.mode = "broker"', f"it means nothing in mode {mqtt.mode}")


def records_rules(records: RecordsSettings) -> Iterator[Clash]:
    """One file means one ledger, wherever the daemon is started."""
    given = records.state_dir
    if given is not None and not given.startswith(("/", "~/")):
        yield Clash(
            ("records", "state_dir"),
            given,
            "an absolute path such as /var/lib/cryodevice/wand-1, or one that begins with ~/",
            "a relative path is another ledger from every working directory, and a forgotten dose",
        )


def limit_order_rules(limits: Mapping[str, float], given: frozenset[str]) -> Iterator[Clash]:
    """The lower of each ordered pair must lie below the higher; ``given`` are the names the file sets."""
    for low, high in ORDERED:
        if low in limits and high in limits and not limits[low] < limits[high]:
            blamed, other, relation = (low, high, "below") if low in given else (high, low, "above")
            default = "" if other in given else ", the default"
            yield Clash(
                ("limits", blamed),
                limits[blamed],
                f"{relation} limits.{other} ({limits[other]!r} {ENVELOPE[other].unit}{default})",
                "limits in the wrong order",
            )
