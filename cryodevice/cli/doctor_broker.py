"""The doctor's looks at MQTT: does the broker take our connection, and until when is its certificate valid?

Publishes nothing, and under a name of its own: the name of a running daemon would throw that daemon out.
"""

import asyncio
import secrets
import socket
import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt

from cryodevice.cli import doctor_checks as judged
from cryodevice.cli.doctor_case import Case
from cryodevice.cli.doctor_certificate import dates
from cryodevice.cli.doctor_checks import Result, fail, ok, skip, warn
from cryodevice.errors import BrokerError
from cryodevice.settings import MqttSettings
from cryodevice.telemetry.broker import start_broker
from cryodevice.telemetry.connection import Connection, NoAnswerError, VersionRefusedError
from cryodevice.telemetry.pacing import VersionChoice

_HINTS = (
    ("refused", "is the broker running, and do mqtt.host and mqtt.port name it?"),
    ("not known", "is mqtt.host spelt right, and does name resolution work?"),
    ("Name or service", "is mqtt.host spelt right, and does name resolution work?"),
    ("no line within", "is the broker's host up, and a firewall in between?"),
    ("certificate has expired", "have the broker's certificate issued anew"),
    ("not yet valid", "set the clock of this computer, or have the broker's certificate issued anew"),
    ("certificate", "do mqtt.ca_file and mqtt.host belong to the broker's certificate?"),
    ("SSL", "does the broker speak TLS on this port, as mqtt.tls says?"),
    ("reset by peer", "is it an MQTT broker, and does mqtt.tls say what it speaks?"),
    ("without an answer", "is it an MQTT broker, and does mqtt.tls say what it speaks?"),
    ("uthor", "are mqtt.username and mqtt.password_file those of an account at the broker?"),
    ("user name", "are mqtt.username and mqtt.password_file those of an account at the broker?"),
)


async def broker(case: Case) -> Result:
    """Does a broker take our connection?"""
    mqtt = case.settings.mqtt
    if mqtt.mode == "off":
        return skip('mqtt.mode = "off"')
    if mqtt.mode == "embedded":
        return await embedded()
    where = f"{mqtt.host}:{mqtt.port}"
    try:
        version = await _connect(mqtt)
    except aiomqtt.MqttError as error:
        return _unreachable(where, str(error))
    account = f", as {mqtt.username}" if mqtt.username else ""
    return ok(f"{where} took a connection, MQTT {version}{', TLS' if mqtt.tls else ''}{account}", protocol=version)


async def embedded() -> Result:
    """Is there a broker to embed, and does it start?"""
    with tempfile.TemporaryDirectory(prefix="cryodevice-doctor-") as folder:
        try:
            running = await start_broker(Path(folder), port=0, keep=False)
        except BrokerError as error:
            return fail(error.message, 'apt install mosquitto, or set mqtt.mode to "broker" or "off"')
        try:
            version = await _connect(MqttSettings(mode="broker").at(running.host, running.port))
        except aiomqtt.MqttError as error:
            return fail(f"the embedded {running.kind} starts and takes no connection: {error}", "have it looked at")
        finally:
            await running.stop()
    return ok(f"the embedded broker, {running.kind}, starts and took a connection, MQTT {version}", kind=running.kind)


async def _connect(mqtt: MqttSettings) -> str:
    """Connect and say goodbye; the version of MQTT that was spoken.

    Raises:
        aiomqtt.MqttError: Neither version got through.
    """
    choice = VersionChoice()
    problem = aiomqtt.MqttError("not tried")
    for _ in range(2):
        connection = Connection(mqtt, choice.version, f"cryodevice-doctor-{secrets.token_hex(3)}", None)
        try:
            await connection.open()
            await connection.close()
        except VersionRefusedError as error:
            choice.refused()
            problem = error
        except NoAnswerError as error:
            choice.silent()
            problem = error
        else:
            return choice.version
        finally:
            await connection.abandon()
    raise problem


def _unreachable(where: str, why: str) -> Result:
    todo = next((hint for word, hint in _HINTS if word in why), "see the broker's log")
    return fail(f"{where} took no connection: {why}", todo)


async def certificate(case: Case) -> Result:
    """Until when is the broker's certificate valid, and that of the authority it is checked against?"""
    mqtt = case.settings.mqtt
    if not (mqtt.mode == "broker" and mqtt.tls):
        return skip("no TLS")
    where = f"{mqtt.host}:{mqtt.port}"
    try:
        der = await asyncio.to_thread(_shown, mqtt.host, mqtt.port, mqtt.connect_timeout_s)
    except (OSError, ValueError) as error:
        return skip(f"{where} showed none: {error}")
    now = datetime.now(UTC)
    try:
        found = [judged.certificate(f"the certificate of {where}", *dates(der), now)]
        found += [judged.certificate(f"an authority in {mqtt.ca_file}", *dates(one), now) for one in _authorities(mqtt)]
    except ValueError as error:
        return warn(f"{where} showed a certificate that cannot be read: {error}", "look at it with openssl s_client")
    except OSError as error:
        return fail(f"mqtt.ca_file {mqtt.ca_file}: {error.strerror}", "put the authority's PEM file there")
    order = [judged.State.FAIL, judged.State.WARN, judged.State.OK]
    return min(found, key=lambda result: order.index(result.state))


def _shown(host: str, port: int, within_s: float) -> bytes:
    """The certificate a server shows, good or bad: it is looked at here, never trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), timeout=within_s) as line,
        context.wrap_socket(line, server_hostname=host) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def _authorities(mqtt: MqttSettings) -> list[bytes]:
    if mqtt.ca_file is None:
        return []
    text = Path(mqtt.ca_file).expanduser().read_text(encoding="ascii", errors="replace")
    end = "-----END CERTIFICATE-----"
    return [
        ssl.PEM_cert_to_DER_cert(f"-----BEGIN CERTIFICATE-----{part}{end}\n")
        for part in (piece.partition("-----BEGIN CERTIFICATE-----")[2] for piece in text.split(end)[:-1])
        if part
    ]
