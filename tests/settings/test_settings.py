"""Rows C01 to C09 of the fault matrix: what is wrong with a settings file is said, whole, before anything is opened."""

import hashlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from cryodevice.errors import ExitCode, SettingsError
from cryodevice.safety.limits import ENVELOPE, ORDERED, Tighter
from cryodevice.settings import default_settings, load_settings, settings_as_dict
from cryodevice.settings.rules import exchange_bytes
from cryodevice.settings.sections import File
from cryodevice.settings.source import MAX_BYTES

EXAMPLE = Path(__file__).parents[2] / "config" / "cryodevice.toml"
_NOBODY = 65534


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cryodevice.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str) -> list[dict[str, object]]:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text))
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.evidence["problems"]  # type: ignore[return-value]


def test_the_annotated_file_says_the_defaults_and_every_key() -> None:
    loaded = load_settings(EXAMPLE)
    mine, builtin = settings_as_dict(loaded), settings_as_dict(default_settings())
    for told in (mine, builtin):
        del told["source"], told["sha256"]
    assert mine == builtin
    text = EXAMPLE.read_text(encoding="utf-8")
    section = ""
    seen = set()
    for line in text.splitlines():
        if match := re.match(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.match(r"(?:# )?(\w+) = ", line):
            seen.add((section, match[1]))
    keys = {(name, key) for name, field in File.model_fields.items() for key in field.annotation.model_fields}
    assert seen == keys


def test_every_number_in_the_annotated_file_has_its_unit_and_range() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for name, field in File.model_fields.items():
        for key, about in field.annotation.model_fields.items():
            unit = (about.json_schema_extra or {}).get("unit")
            if unit and name != "limits":
                at = next(number for number, line in enumerate(lines) if line.startswith(f"{key} = "))
                bounds = [bound.rstrip("0").rstrip(".") for bound in map(str, _bounds(about))]
                assert unit in lines[at - 1], key
                assert all(bound in lines[at - 1] for bound in bounds), key


def _bounds(about: FieldInfo) -> tuple[float, float]:
    low = next(item.ge for item in about.metadata if hasattr(item, "ge"))
    high = next(item.le for item in about.metadata if hasattr(item, "le"))
    return low, high


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    loaded = load_settings(write(tmp_path, ""))
    assert loaded.limits == default_settings().limits
    assert loaded.sha256 == default_settings().sha256


def test_the_hash_is_of_the_bytes_of_the_file(tmp_path: Path) -> None:
    loaded = load_settings(write(tmp_path, "# one\n"))
    assert loaded.sha256 == hashlib.sha256(b"# one\n").hexdigest()
    assert loaded.source.endswith("cryodevice.toml")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[link\nbaud = 5\n", ":1:6:"),
        ("[link]\nbaud = \n", ":2:8:"),
        ("[link]\nbaud = 1\nbaud = 2\n", ":3:9:"),
        ("a = {", ":1:"),
        ("x = " + "[" * 5000, ": not settings:"),
        ("x = 1" + "0" * 5000, ": not settings:"),
    ],
)
def test_c01_bad_toml_names_line_and_column(tmp_path: Path, text: str, where: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert f"{path}{where}" in str(caught.value)


@pytest.mark.parametrize(
    "literal", ["nan", "-nan", "inf", "-inf", "1e400", "true", "false", '"5.0"', "[5.0]", "1" + "0" * 400]
)
def test_c02_what_is_no_finite_number_is_refused_for_every_limit(tmp_path: Path, literal: str) -> None:
    for name in ENVELOPE:
        (problem,) = problems(tmp_path, f"[limits]\n{name} = {literal}\n")
        assert problem["key"] == f"limits.{name}"
        assert problem["line"] == 2
        assert ENVELOPE[name].unit in problem["allowed"]


@pytest.mark.req("R-H11-1")
@pytest.mark.parametrize("name", ENVELOPE)
def test_c03_one_ulp_past_the_envelope_is_refused_and_the_edge_is_kept(tmp_path: Path, name: str) -> None:
    bound = ENVELOPE[name]
    for edge, away in ((bound.low, -math.inf), (bound.high, math.inf)):
        found = problems(tmp_path, f"[limits]\n{name} = {math.nextafter(edge, away)!r}\n")
        assert [(one["key"], one["message"]) for one in found] == [(f"limits.{name}", "outside its range")]
    assert (
        getattr(load_settings(write(tmp_path, f"[limits]\n{name} = {bound.widest!r}\n")).limits, name) == bound.widest
    )


def test_a_limit_may_be_tightened_and_whole_numbers_are_numbers(tmp_path: Path) -> None:
    loaded = load_settings(write(tmp_path, "[limits]\nplate_floor_degc = 7\nstatic_hold_s = 20.5\n"))
    assert (loaded.limits.plate_floor_degc, loaded.limits.static_hold_s) == (7.0, 20.5)
    assert isinstance(loaded.limits.plate_floor_degc, float)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("[mqtt]\nhots = 'x'", "did you mean mqtt.host?"),
        ("[limits]\nplate_flor_degc = 5", "did you mean limits.plate_floor_degc?"),
        ("[limit]\nplate_floor_degc = 5", "did you mean [limits]?"),
        ("rate_hz = 20", "rate_hz belongs under [control]"),
        ("[control]\nbaud = 9600", "did you mean link.baud?"),
        ("[records]\nzzz = 1", "keys of [records] are state_dir"),
        ("zzz = 1", "sections are device, link"),
        ('["quoted section"]\nx = 1', "sections are"),
    ],
)
def test_c04_an_unknown_key_comes_with_a_suggestion_and_its_line(tmp_path: Path, text: str, suggestion: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert suggestion in problem["message"]
    assert problem["line"] == text.count("\n") + (0 if text.startswith('["') or "[limit]" in text else 1)


def test_c06_a_file_everyone_may_write_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    path.chmod(0o646)
    with pytest.raises(SettingsError, match="everyone may write"):
        load_settings(path)


def test_c06_a_directory_everyone_may_write_is_refused_unless_sticky(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    path = write(folder, "")
    folder.chmod(0o1777)
    load_settings(path)
    folder.chmod(0o777)
    with pytest.raises(SettingsError, match="everyone may replace"):
        load_settings(path)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    with pytest.raises(SettingsError, match="everyone may replace"):
        load_settings(link)


POSSIBLE = [(low, high) for low, high in ORDERED if ENVELOPE[low].high >= ENVELOPE[high].low]


@pytest.mark.parametrize(("low", "high"), POSSIBLE)
def test_c07_limits_in_the_wrong_order_or_equal_are_refused(tmp_path: Path, low: str, high: str) -> None:
    lowest, highest = ENVELOPE[high].low, min(ENVELOPE[low].high, ENVELOPE[high].high)
    for below, above in ((ENVELOPE[low].high, lowest), (highest, highest)):
        (problem,) = [
            one
            for one in problems(tmp_path, f"[limits]\n{high} = {above!r}\n{low} = {below!r}\n")
            if one["key"] == f"limits.{low}"
        ]
        assert problem["message"] == "limits in the wrong order"
        assert problem["line"] == 3
        assert problem["allowed"].startswith(f"below limits.{high} ({above!r} ")


def test_c07_the_pairs_the_envelope_cannot_put_right_are_all_tried() -> None:
    assert set(ORDERED) - set(POSSIBLE) == {("plate_floor_degc", "plate_warn_degc")}


def test_c07_a_limit_against_the_default_of_another(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "[limits]\n\nplate_ceiling_degc = 37\n")
    assert (problem["key"], problem["line"]) == ("limits.plate_ceiling_degc", 3)
    assert "38.0 degC, the default" in problem["allowed"]


def test_a_limit_already_refused_is_not_blamed_for_order_too(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "[limits]\nplate_ceiling_degc = 41\nplate_warn_degc = 30\n")) == 1


@pytest.mark.parametrize("value", ["0", "-1", "-0.5"])
@pytest.mark.parametrize("key", ["control.lease_ms", "control.rate_hz", "mqtt.keepalive_s", "mqtt.connect_timeout_s"])
def test_c07_times_of_zero_or_less_are_refused(tmp_path: Path, key: str, value: str) -> None:
    section, name = key.split(".")
    (problem,) = problems(tmp_path, f"[{section}]\n{name} = {value}\n")
    assert problem["key"] == key


def test_c08_no_secret_is_ever_shown(tmp_path: Path) -> None:
    secret = "hunter2-hunter2"  # noqa: S105  # a made-up one, to look for
    path = write(
        tmp_path,
        f'{secret} = 1\n[mqtt]\npassword = "{secret}"\nhost = "user:{secret}@broker"\nusername = 5\n'
        f'password_file = ["{secret}"]\n[link]\nhost = "{secret}@"\n',
    )
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    shown = str(caught.value).replace(f"{secret}: no such section", "")
    assert secret not in shown
    assert secret not in repr([problem["value"] for problem in caught.value.evidence["problems"]])
    assert "named by mqtt.password_file" in shown


def test_c08_repr_and_dump_hold_no_password(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hunter2", encoding="utf-8")
    password.chmod(0o600)
    text = f'[mqtt]\nmode = "broker"\nusername = "me"\npassword_file = "{password}"\n'
    loaded = load_settings(write(tmp_path, text))
    assert "hunter2" not in json.dumps(settings_as_dict(loaded)) + repr(loaded)
    assert "me'" not in repr(loaded.mqtt)
    for mode, match in ((0o644, "everyone may read"), (0o602, "everyone may write")):
        password.chmod(mode)
        with pytest.raises(SettingsError, match=match):
            load_settings(write(tmp_path, text))
    password.unlink()
    with pytest.raises(SettingsError, match=r"password_file .*: No such file"):
        load_settings(write(tmp_path, text))


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "[control]\nrate_hz = 500\n\n[limits]\nskin_stop_degc = nan\n[link]\nkind = 'usb'\nbaud = 9600.5\n"
        "[log]\nlevel = 5\n",
    )
    assert [(one["line"], one["key"]) for one in found] == [
        (2, "control.rate_hz"),
        (5, "limits.skin_stop_degc"),
        (7, "link.kind"),
        (8, "link.baud"),
        (10, "log.level"),
    ]
    assert found[0]["allowed"] == "5.0 to 50.0 Hz"
    assert found[2]["allowed"] == "'serial', 'tcp', 'modbus-rtu', 'modbus-tcp'"


@pytest.mark.parametrize("kind", ["serial", "modbus-rtu"])
@pytest.mark.parametrize(
    ("rate", "baud", "good"),
    [
        (20, 38400, False),
        (20, 57600, True),
        (10, 19200, False),
        (10, 38400, True),
        (50, 115200, False),
        (50, 230400, True),
        (5, 9600, False),
    ],
)
def test_a_line_too_slow_for_the_rate_is_refused(tmp_path: Path, rate: int, baud: int, good: bool, kind: str) -> None:
    text = f"[control]\nrate_hz = {rate}\n[link]\nbaud = {baud}\n"
    carried = text + 'kind = "tcp"\n'
    text += f'kind = "{kind}"\n'
    if good:
        assert load_settings(write(tmp_path, text)).link.baud == baud
    else:
        (problem,) = problems(tmp_path, text)
        assert (problem["key"], problem["line"]) == ("link.baud", 4)
        assert "at least" in problem["allowed"]
    for other in ("tcp", "modbus-tcp"):
        assert load_settings(write(tmp_path, carried.replace("tcp", other))).link.kind == other


@pytest.mark.parametrize("rate", [10.0, 20.0, 33.0, 50.0])
@pytest.mark.parametrize("kind", ["serial", "modbus-rtu"])
def test_the_rate_said_to_be_enough_is_enough_and_one_less_is_not(tmp_path: Path, rate: float, kind: str) -> None:
    text = f'[control]\nrate_hz = {rate}\n[link]\nkind = "{kind}"\nbaud = '
    (problem,) = problems(tmp_path, text + "9600\n")
    least = int(str(problem["allowed"]).split()[2])
    assert load_settings(write(tmp_path, text + f"{least + 1}\n")).link.baud == least + 1
    assert problems(tmp_path, text + f"{least - 1}\n")[0]["key"] == "link.baud"


def test_one_modbus_exchange_is_98_bytes_and_a_silence(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, '[link]\nkind = "modbus-rtu"\nbaud = 38400\n')
    assert "980 bits" in str(problem["message"])
    assert "29.3 ms" in str(problem["message"])  # 980 / 38400 s, 1.75 ms of silence, 2 ms to answer


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ('kind = "tcp"', 4357),
        ('kind = "modbus-tcp"', 1502),
        ('kind = "modbus-tcp"\ntcp_port = 502', 502),
        ('kind = "serial"', 4357),
        ('kind = "modbus-rtu"', 4357),
    ],
)
def test_the_tcp_port_left_out_is_that_of_the_kind(tmp_path: Path, text: str, port: int) -> None:
    assert load_settings(write(tmp_path, f"[link]\n{text}\n")).link.tcp_port == port


@pytest.mark.parametrize("unit", ["0", "248", "-1", "1.0", "true", "'1'"])
def test_a_unit_that_no_slave_has_is_refused(tmp_path: Path, unit: str) -> None:
    (problem,) = problems(tmp_path, f'[link]\nkind = "modbus-rtu"\nunit = {unit}\n')
    assert (problem["key"], problem["line"], problem["allowed"]) == ("link.unit", 3, "1 to 247")


@pytest.mark.parametrize("link", ["link = 7", "[link]\nkind = []", "[link]\nkind = 'modbus'"])
def test_a_link_that_is_none_is_told_as_any_other(tmp_path: Path, link: str) -> None:
    assert str(problems(tmp_path, f"{link}\n")[0]["key"]).startswith("link")


def test_one_exchange_is_22_and_70_bytes_and_a_resynchronising_zero() -> None:
    assert exchange_bytes() == 1 + (1 + 1 + 1 + 16 + 2 + 1) + (1 + 1 + 1 + 64 + 2 + 1)


def test_a_lease_that_one_miss_would_end_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "[control]\nrate_hz = 10\nlease_ms = 339\n")
    assert problem["allowed"].startswith("at least 340 ms")
    assert load_settings(write(tmp_path, "[control]\nrate_hz = 10\nlease_ms = 340\n")).control.lease_ms == 340
    slow = load_settings(write(tmp_path, "[control]\nrate_hz = 9.5\nlease_ms = 200\n")).control
    assert slow.monitoring_only


@pytest.mark.parametrize(("rate", "least"), [(20, 325), (10, 440), (50, 210), (12, 457)])
def test_on_modbus_rtu_the_lease_outlasts_a_miss_and_the_silence_after_it(
    tmp_path: Path, rate: int, least: int
) -> None:
    text = f'[link]\nkind = "modbus-rtu"\nbaud = 460800\n[control]\nrate_hz = {rate}\nlease_ms = '
    assert load_settings(write(tmp_path, text + f"{least + 1}\n")).control.lease_ms == least + 1
    (problem,) = problems(tmp_path, text + f"{least - 1}\n")
    assert problem["key"] == "control.lease_ms"
    assert "on modbus-rtu" in str(problem["allowed"])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("tls = true", "mqtt.tls"),
        ("username = 'x'", "mqtt.username"),
        ("mode = 'broker'\nport = 0", "mqtt.port"),
        ("mode = 'broker'\npassword_file = 'x'", "mqtt.password_file"),
        ("mode = 'broker'\nca_file = 'x'", "mqtt.ca_file"),
    ],
)
def test_mqtt_keys_that_do_not_go_together_are_refused(tmp_path: Path, text: str, key: str) -> None:
    (problem,) = problems(tmp_path, f"[mqtt]\n{text}\n")
    assert problem["key"] == key


def test_lines_are_found_under_dotted_and_quoted_keys_and_after_long_strings(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'link.port = """\n[control]\nrate_hz = 5\n"""\n')
    assert problem["key"] == "link.port"
    found = problems(tmp_path, 'link.baud = 1\n"control"."rate_hz" = 1\n[[limits]]\nx = 1\n')
    assert [(one["line"], one["key"]) for one in found] == [(1, "link.baud"), (2, "control.rate_hz"), (3, "limits")]


def test_what_is_no_settings_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such settings file"):
        load_settings(tmp_path / "absent.toml")
    with pytest.raises(SettingsError, match="is a directory"):
        load_settings(tmp_path)
    with pytest.raises(SettingsError, match="no plain file"):
        load_settings(Path("/dev/zero"))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(SettingsError, match="no plain file"):
        load_settings(fifo)
    with pytest.raises(SettingsError, match="cannot read"):
        load_settings(Path("bad\0name"))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF\n\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"binary:2: not UTF-8"):
        load_settings(binary)
    with pytest.raises(SettingsError, match="bytes are more than"):
        load_settings(write(tmp_path, "#" * (MAX_BYTES + 1)))
    assert load_settings(write(tmp_path, "#" * MAX_BYTES)).limits == default_settings().limits


def test_an_unreadable_file_is_said_so() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "")
        path.chmod(0)
        Path(folder).chmod(0o755)
        user = os.geteuid()
        if user == 0:  # root may read everything
            os.seteuid(_NOBODY)
        try:
            with pytest.raises(SettingsError, match="Permission denied"):
                load_settings(path)
        finally:
            os.seteuid(user)


def test_the_state_directory(tmp_path: Path) -> None:
    given_path = load_settings(write(tmp_path, f"[records]\nstate_dir = '{tmp_path}'\n"))
    assert given_path.state_dir == tmp_path
    default = default_settings().state_dir
    assert default.parts[-2:] == ("cryodevice", "wand-1")
    assert default.is_relative_to("/var/lib" if os.geteuid() == 0 else Path.home())


@pytest.mark.parametrize("given", ["state", "./state", "../state", "~", "~root/state", ""])
def test_a_relative_state_directory_is_refused(tmp_path: Path, given: str) -> None:
    path = write(tmp_path, f"[records]\nstate_dir = '{given}'\n")
    with pytest.raises(SettingsError, match=r"line 2: records\.state_dir"):
        load_settings(path)


def test_why_a_relative_state_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(write(tmp_path, "[records]\nstate_dir = 'state'\n"))
    for part in ("'state'", "another ledger from every working directory", "/var/lib/cryodevice/wand-1"):
        assert part in refused.value.message


def test_a_file_of_the_system_has_one_ledger_whoever_runs_it(tmp_path: Path, monkeypatch) -> None:
    path = write(tmp_path, "[device]\nid = 'left'\n")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/one")
    assert load_settings(path).state_dir == Path("/home/one/.local/state/cryodevice/left")
    monkeypatch.setattr("cryodevice.settings.sections.SYSTEM_DIRECTORY", tmp_path)
    assert load_settings(path).state_dir == Path("/var/lib/cryodevice/left")
    monkeypatch.chdir(tmp_path)
    assert load_settings(Path(path.name)).state_dir == Path("/var/lib/cryodevice/left")
    assert default_settings().state_dir == Path("/home/one/.local/state/cryodevice/wand-1")


def test_without_a_home_directory_the_state_directory_is_asked_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "nowhere")
    for settings in (default_settings(), load_settings(write(tmp_path, "[records]\nstate_dir = '~/state'\n"))):
        with pytest.raises(SettingsError, match=r"set records\.state_dir"):
            _ = settings.state_dir


def test_the_dump_is_json_and_settings_are_frozen() -> None:
    told = settings_as_dict(default_settings())
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["limits"]["plate_floor_degc"] == 5.0
    with pytest.raises(AttributeError):
        default_settings().limits = None
    with pytest.raises(ValueError, match="frozen"):
        default_settings().control.rate_hz = 1.0


VALUES = st.one_of(
    st.integers(),
    st.floats().map(repr),
    st.booleans().map(lambda value: str(value).lower()),
    st.sampled_from(['"x"', '""', "[]", "{}", "1979-05-27", "[1, 2]", "1e400", "-0.0", "0x10"]),
)
KEYS = st.sampled_from(
    [(name, key) for name, field in File.model_fields.items() for key in field.annotation.model_fields]
)


@hypothesis_settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=KEYS, value=VALUES)
def test_any_value_for_any_key_is_settings_inside_their_ranges_or_a_settings_error(
    tmp_path: Path, key: tuple[str, str], value: str
) -> None:
    section, name = key
    try:
        loaded = load_settings(write(tmp_path, f"[{section}]\n{name} = {value}\n"))
    except SettingsError:
        return
    for limit, bound in ENVELOPE.items():
        in_force = getattr(loaded.limits, limit)
        stricter = in_force >= bound.widest if bound.tighter is Tighter.HIGHER else in_force <= bound.widest
        assert stricter
    json.dumps(settings_as_dict(loaded), allow_nan=False)


WATCHED = """
import sys
from pathlib import Path
from cryodevice.settings import load_settings
seen = []
starts = ("socket.", "subprocess.", "os.fork", "os.exec")
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith(starts) else None)
load_settings(Path(sys.argv[1]))
sys.exit(f"loading settings did {seen}" if seen else 0)
"""


def test_loading_opens_no_socket_and_starts_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "[mqtt]\nmode = 'broker'\nhost = 'nowhere.invalid'\n")
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, path], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
