"""The doctor's looks at MQTT, on a real Mosquitto with real certificates, and on what is no broker at all."""

import asyncio
import os
import shutil
import socket
import subprocess
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cryodevice.cli import doctor_broker, doctor_certificate
from cryodevice.cli.doctor_case import Case
from cryodevice.cli.doctor_checks import State
from cryodevice.settings import load_settings
from tests.system.processes import until, write_settings

OK, WARN, FAIL, SKIP = State.OK, State.WARN, State.FAIL, State.SKIP
SBIN = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
NOW = datetime.now(UTC)
DATES = {
    "good": (NOW - timedelta(days=1), NOW + timedelta(days=90)),
    "soon": (NOW - timedelta(days=1), NOW + timedelta(days=10)),
    "expired": (NOW - timedelta(days=90), NOW - timedelta(days=2)),
    "future": (NOW + timedelta(days=2), NOW + timedelta(days=90)),
}


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path_factory.mktemp("ca") / "ca.pem"))
    return authority


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory, authority):
    """One Mosquitto with a TLS listener for each certificate, and one that asks for a password; their ports by name."""
    folder = tmp_path_factory.mktemp("mosquitto")
    ports = dict(zip((*DATES, "password"), free_ports(len(DATES) + 1), strict=True))
    lines = ["per_listener_settings true", *(["user root"] if os.geteuid() == 0 else [])]
    for name, (begins, ends) in DATES.items():
        leaf = authority.issue_cert("127.0.0.1", "localhost", not_before=begins, not_after=ends)
        leaf.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        for index, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(str(folder / f"{name}.pem"), append=index > 0)
        lines += [f"listener {ports[name]} 127.0.0.1", "allow_anonymous true"]
        lines += [f"certfile {folder / name}.pem", f"keyfile {folder / name}.key"]
    subprocess.run(["mosquitto_passwd", "-b", "-c", folder / "accounts", "anna", "open sesame"], check=True)
    lines += [
        f"listener {ports['password']} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {folder / 'accounts'}",
    ]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    program = shutil.which("mosquitto", path=SBIN)
    assert program, "install mosquitto"
    with (folder / "said").open("w") as said:
        process = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stdout=said, stderr=said)
    try:
        until(lambda: all(map(listens, ports.values())), 10, "Mosquitto listens", (folder / "said").read_text)
        yield ports
    finally:
        process.terminate()
        process.wait(5)


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.fixture
def case(tmp_path, authority):
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))

    def make(port: int, *, tls: bool = True, **mqtt) -> Case:
        mqtt = {"mode": "broker", "host": "127.0.0.1", "port": port, "tls": tls, "connect_timeout_s": 2.0} | mqtt
        if tls:
            mqtt.setdefault("ca_file", str(ca_file))
        config = write_settings(tmp_path / "c.toml", "/nowhere", tmp_path / "state", mqtt=mqtt)
        return Case(str(config), load_settings(config))

    return make


async def test_a_good_broker_with_a_good_certificate(mosquitto, case):
    examined = case(mosquitto["good"])
    found = await doctor_broker.broker(examined)
    assert (found.state, found.evidence["protocol"]) == (OK, "5"), found
    assert "TLS" in found.message
    found = await doctor_broker.certificate(examined)
    assert (found.state, round(found.evidence["days_left"])) == (OK, 90)


async def test_a_certificate_that_runs_out_soon_is_a_warning(mosquitto, case):
    examined = case(mosquitto["soon"])
    assert (await doctor_broker.broker(examined)).state is OK
    found = await doctor_broker.certificate(examined)
    assert (found.state, round(found.evidence["days_left"])) == (WARN, 10)


@pytest.mark.parametrize(("name", "says"), [("expired", "expired on"), ("future", "is valid from")])
async def test_a_certificate_that_is_not_valid_now_is_a_failure_twice_told(mosquitto, case, name, says):
    examined = case(mosquitto[name])
    found = await doctor_broker.broker(examined)
    assert found.state is FAIL
    assert "certificate" in found.message
    assert "issued anew" in found.todo
    found = await doctor_broker.certificate(examined)
    assert found.state is FAIL
    assert says in found.message


async def test_a_broker_of_another_authority_or_without_tls(mosquitto, case, tmp_path):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    found = await doctor_broker.broker(case(mosquitto["good"], ca_file=str(tmp_path / "other.pem")))
    assert (found.state, "mqtt.ca_file" in found.todo) == (FAIL, True), found
    found = await doctor_broker.broker(case(mosquitto["password"]))
    assert (found.state, "mqtt.tls" in found.todo) == (FAIL, True), found
    examined = case(mosquitto["password"])
    assert (await doctor_broker.certificate(examined)).state is SKIP


async def test_an_account_is_really_tried(mosquitto, case, tmp_path):
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text("open sesame\n")
    account = {"tls": False, "username": "anna", "password_file": str(password)}
    found = await doctor_broker.broker(case(mosquitto["password"], **account))
    assert found.state is OK, found
    assert "as anna" in found.message
    password.write_text("wrong\n")
    found = await doctor_broker.broker(case(mosquitto["password"], **account))
    assert (found.state, "mqtt.password_file" in found.todo) == (FAIL, True), found
    assert "wrong" not in found.message


async def test_a_broker_that_is_not_there_or_none_at_all(case):
    found = await doctor_broker.broker(case(free_ports(1)[0], tls=False))
    assert (found.state, "is the broker running" in found.todo) == (FAIL, True), found
    found = await doctor_broker.broker(case(1883, tls=False, host="no-such-host.invalid"))
    assert (found.state, "mqtt.host" in found.todo) == (FAIL, True), found

    async def hang_up(_reader, writer):
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await doctor_broker.broker(case(port, tls=False))
        assert (found.state, "MQTT broker" in found.todo) == (FAIL, True), found
        found = await doctor_broker.certificate(case(port))
        assert found.state is SKIP


async def test_without_any_broker_to_embed_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("cryodevice.telemetry.broker_plan.find_mosquitto", lambda: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    found = await doctor_broker.embedded()
    assert (found.state, "install" in found.message) == (FAIL, True), found


def test_the_dates_of_certificates_are_those_another_reader_finds(authority):
    for begins, ends in [
        *DATES.values(),
        (datetime(1999, 5, 4, tzinfo=UTC), datetime(2061, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ]:
        leaf = authority.issue_cert("localhost", not_before=begins, not_after=ends)
        certificate = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
        der = certificate.public_bytes(Encoding.DER)
        assert doctor_certificate.dates(der) == (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        for cut in range(len(der) // 4):
            with suppress(ValueError):
                doctor_certificate.dates(der[:cut])


def test_what_is_no_certificate_is_refused():
    for nonsense in (b"", b"0", b"hello world", bytes(300), b"\x30\x82\x01\x00" + bytes(20)):
        with pytest.raises(ValueError, match="certificate"):
            doctor_certificate.dates(nonsense)
