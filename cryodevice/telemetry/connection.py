"""One connection to a broker, used once: opens without holding up the process, publishes one message, lets go.

aiomqtt does the MQTT; this adds what it leaves open (docs/decisions/0004-mqtt-client-and-broker.md): a blocking
connect that cannot delay the end of the process, a lost line noticed while a publish waits, the broker's verdict on a
publish, and a socket that is surely closed. Does not reconnect; ``publisher`` makes a fresh one for each attempt.
"""

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path
from typing import Any

import aiomqtt
from aiomqtt.client import ProtocolVersion
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import DisconnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cryodevice.settings import MqttSettings
from cryodevice.telemetry.pacing import Version
from cryodevice.telemetry.topics import Delivery

_PROTOCOLS = {"5": ProtocolVersion.V5, "3.1.1": ProtocolVersion.V311}
_VERSION_REFUSED = {1, 132}
"""CONNACK 'unacceptable protocol version' of MQTT 3.1.1 and 'unsupported protocol version' of MQTT 5."""
_TAKEN_OVER = 142
"""DISCONNECT 'session taken over' of MQTT 5: another client came with our client id."""
_LONGEST_PASSWORD = 1024


class VersionRefusedError(aiomqtt.MqttError):
    """The broker does not speak this version of MQTT."""


class NoAnswerError(aiomqtt.MqttError):
    """The line opened and the broker did not answer."""


class _TlsSocket(ssl.SSLSocket):
    """Closed when its handshake fails, which paho leaves open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  # as the library spells it
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class Connection(aiomqtt.Client):
    """A client for one attempt. Call ``open``, then ``send``; then ``close`` or ``abandon``, ``abandon`` at last."""

    def __init__(self, settings: MqttSettings, version: Version, identifier: str, will: aiomqtt.Will | None) -> None:
        super().__init__(
            settings.host,
            settings.port,
            identifier=identifier,
            protocol=_PROTOCOLS[version],
            will=will,
            timeout=settings.connect_timeout_s,
            keepalive=settings.keepalive_s,
        )
        self._client.connect_timeout = settings.connect_timeout_s
        self._settings = settings
        self._version = version
        self._verdict: ReasonCode | None = None
        self.taken_over = False

    @property
    def lost(self) -> bool:
        """Whether the line is known to be gone."""
        return self._disconnected.done()

    @property
    def why_lost(self) -> str:
        """What ended the line, as far as known."""
        problem = self._disconnected.exception() if self._disconnected.done() else None
        return str(problem) if problem is not None else "no reason given"

    async def open(self) -> None:
        """Connect and wait for the broker's answer, together at most twice the connect timeout.

        Raises:
            VersionRefusedError: The broker does not speak this version.
            NoAnswerError: Connected, and no answer came.
            aiomqtt.MqttError: Anything else that stands in the way.
        """
        dialled: asyncio.Future[None] = self._loop.create_future()
        # Not the loop's executor: asyncio and the interpreter wait for its threads at the end, however long one dials.
        threading.Thread(target=self._dial, args=(dialled,), name="mqtt-dial", daemon=True).start()
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await dialled
        except TimeoutError:
            raise aiomqtt.MqttError(f"no line within {self._settings.connect_timeout_s:g} s") from None
        except (OSError, ValueError) as problem:
            raise aiomqtt.MqttError(str(problem)) from None
        try:
            await super().__aenter__()
        except aiomqtt.exceptions.MqttConnectError as refusal:
            code = refusal.rc.value if isinstance(refusal.rc, ReasonCode) else refusal.rc
            if code in _VERSION_REFUSED:
                raise VersionRefusedError(f"the broker does not speak MQTT {self._version}") from None
            raise
        except aiomqtt.MqttError as problem:
            raise NoAnswerError(str(problem)) from None

    async def send(
        self, topic: str, content: bytes, delivery: Delivery, *, timeout_s: float, user: tuple[str, str] | None = None
    ) -> str:
        """Publish one message and wait until it is out (QoS 0) or acknowledged (QoS 1).

        Returns:
            Empty, or the broker's reason for not taking it (MQTT 5 only).

        Raises:
            aiomqtt.MqttError: Not known to have arrived. It still may: send it again with the same id.
        """
        self._verdict = None
        publish = asyncio.ensure_future(
            self.publish(
                topic, content, delivery.qos, delivery.retain, self._properties_of(delivery, user), timeout=timeout_s
            )
        )
        try:
            await asyncio.wait({publish, self._disconnected}, return_when=asyncio.FIRST_COMPLETED)
            if not publish.done():
                raise aiomqtt.MqttError("the line was lost before the broker acknowledged")
            publish.result()
        finally:
            publish.cancel()
        return self._refusal()

    async def close(self) -> None:
        """Say goodbye, so that the broker does not publish the last will.

        Raises:
            aiomqtt.MqttError: The broker did not let go in time.
        """
        await super().__aexit__(None, None, None)

    async def abandon(self) -> None:
        """Close the socket, whatever state it is in. Never fails; harmless after ``close``."""
        # Registrations of the socket that are queued on the loop run first: its descriptor may be another's afterwards.
        await asyncio.sleep(0)
        self._let_go()

    def _let_go(self) -> None:
        self._client._sock_close()  # noqa: SLF001  # paho has no public way to close without a goodbye
        if self._misc_task is not None:
            self._misc_task.cancel()
        for future in (self._connected, self._disconnected):
            if future.done() and not future.cancelled():
                future.exception()  # seen, so that asyncio does not report it as forgotten

    def _refusal(self) -> str:
        return str(self._verdict) if self._verdict is not None and self._verdict.is_failure else ""

    def _dial(self, dialled: asyncio.Future[None]) -> None:
        problem: Exception | None = None
        try:
            if self._settings.tls:
                self._client.tls_set_context(_tls_context(self._settings.ca_file))
            if self._settings.username is not None:
                self._client.username_pw_set(self._settings.username, _password(self._settings.password_file))
            super()._client_connect()
        except Exception as caught:  # noqa: BLE001  # carried to the loop, which raises it
            problem = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile, and the process with it
            self._loop.call_soon_threadsafe(self._dialled, dialled, problem)

    def _dialled(self, dialled: asyncio.Future[None], problem: Exception | None) -> None:
        if dialled.done():  # nobody waits any more
            self._let_go()
        elif problem is not None:
            dialled.set_exception(problem)
        else:
            dialled.set_result(None)

    def _client_connect(self) -> None:
        """Nothing: ``open`` has connected before aiomqtt asks its executor to."""

    def _on_disconnect(
        self,
        client: PahoClient,
        userdata: Any,
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError("closed by the broker without an answer"))
            return
        self.taken_over = getattr(reason_code, "value", reason_code) == _TAKEN_OVER
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_publish(
        self, client: PahoClient, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        self._verdict = reason_code
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _properties_of(self, delivery: Delivery, user: tuple[str, str] | None) -> Properties | None:
        if self._version != "5":
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it bare
        if delivery.expiry_s is not None:
            properties.MessageExpiryInterval = delivery.expiry_s
        if user is not None:
            properties.ContentType = "application/json"
            properties.UserProperty = user
        return properties


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer; certificate and host name checked, always."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(Path(ca_file).expanduser()))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TlsSocket
    return context


def _password(file: str | None) -> str | None:
    if file is None:
        return None
    with Path(file).expanduser().open(encoding="utf-8") as stream:
        return stream.readline(_LONGEST_PASSWORD).rstrip("\r\n")
