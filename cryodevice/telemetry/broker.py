"""A broker of our own on loopback, as a child process: Mosquitto where it is installed, else iotcore.

Never inside this process and never beyond loopback. It holds nothing that must survive: what is retained is published
again on every connection. It dies with this process, and is started again when it dies alone.
"""

import asyncio
import contextlib
from collections import deque
from pathlib import Path

import structlog

from cryodevice.errors import BrokerError
from cryodevice.telemetry.broker_plan import HOST, BrokerKind, Plan, make_plan
from cryodevice.telemetry.pacing import Backoff

START_S = 10.0
"""Longest wait for a broker to listen; Mosquitto takes 10 ms and iotcore 0.2 s here (engineering default)."""
STOP_S = 2.0
_LOOK_S = 0.02
_log = structlog.get_logger(__name__)


class RunningBroker:
    """A broker that runs until ``stop``.

    Args:
        plan: What to start.

    Attributes:
        kind: "mosquitto" or "iotcore".
        host: Always loopback.
        port: Speaks MQTT 5 (Mosquitto: 3.1.1 as well).
        port_v311: Speaks MQTT 3.1.1; the same as ``port`` on Mosquitto.
        restarts: How often it has died alone and been started again.
    """

    def __init__(self, plan: Plan) -> None:
        self.kind = plan.kind
        self.host = HOST
        self.port, self.port_v311 = plan.ports[0], plan.ports[-1]
        self.restarts = 0
        self._plan = plan
        self._process: asyncio.subprocess.Process | None = None
        self._said: deque[str] = deque(maxlen=20)
        self._listener: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Process id of the broker now, 0 while it is being started again."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    async def stop(self) -> None:
        """End the broker; killed when it does not end by itself. Safe to call twice."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        await self._end()

    async def start(self, *, keep: bool) -> None:
        """Start it and wait until it listens; with ``keep``, start it again whenever it dies.

        Raises:
            BrokerError: It ended or did not listen in time; carries what it said.
        """
        await self._begin()
        if keep:
            self._keeper = asyncio.create_task(self._keep(), name="broker-keeper")

    async def _begin(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._plan.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the daemon, which says goodbye before it ends the broker
        )
        self._listener = asyncio.create_task(self._listen(self._process), name="broker-stderr")
        try:
            await asyncio.wait_for(self._wait_for(self._process, self._listener), START_S)
        except TimeoutError:
            await self._end()
            raise self._failure(f"did not listen within {START_S:g} s") from None
        except BaseException:
            await self._end()
            raise

    async def _wait_for(self, process: asyncio.subprocess.Process, listener: asyncio.Task[None]) -> None:
        while not await self._listens():
            if process.returncode is not None:
                await asyncio.wait({listener}, timeout=1.0)
                raise self._failure(f"ended with status {process.returncode} at its start")
            await asyncio.sleep(_LOOK_S)

    async def _listens(self) -> bool:
        for port in self._plan.ports:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                return False
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return self.pid != 0

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Read what the broker says, so that it never blocks on a full pipe."""
        if process.stderr is not None:
            with contextlib.suppress(ValueError):  # a line longer than the buffer
                async for line in process.stderr:
                    self._said.append(line.decode(errors="replace").rstrip())

    async def _keep(self) -> None:
        backoff = Backoff()
        while True:
            if self._process is not None:
                status = await self._process.wait()
                _log.warning("embedded broker died", kind=self.kind, status=status, said=list(self._said)[-3:])
            await asyncio.sleep(backoff.next(0.0))
            try:
                await self._begin()
            except (BrokerError, OSError) as problem:
                _log.warning("embedded broker does not start", kind=self.kind, problem=str(problem))
                continue
            self.restarts += 1
            backoff.reset()

    async def _end(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._listener is not None:
            await asyncio.wait({self._listener}, timeout=STOP_S)
            self._listener.cancel()

    def _failure(self, what: str) -> BrokerError:
        said = "; ".join(self._said) or "nothing"
        return BrokerError(f"the embedded broker ({self.kind}) {what}; it said: {said}", argv=self._plan.argv)


async def start_broker(
    state_dir: Path, *, port: int = 1883, kind: BrokerKind = "auto", keep: bool = True
) -> RunningBroker:
    """Start a broker on loopback and wait until it listens.

    Args:
        state_dir: Gets a ``broker`` directory with the generated configuration.
        port: The port to prefer; another free one is taken when it is in use, or when it is 0.
        kind: Which broker; "auto" takes Mosquitto where it is installed.
        keep: Whether to start it again when it dies.

    Raises:
        BrokerError: No broker is installed, or it does not start.
    """
    last: BrokerError | None = None
    for _ in range(3):  # a port seen free can be taken before the broker listens on it
        broker = RunningBroker(make_plan(state_dir, port, kind))
        try:
            await broker.start(keep=keep)
        except BrokerError as problem:
            last, port = problem, 0
        else:
            return broker
    raise last or BrokerError("the embedded broker did not start")
