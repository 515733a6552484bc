"""Program files: what is refused is named by file, line, key and range."""

import pytest

from cryodevice.errors import SettingsError
from cryodevice.safety.limits import Zone
from cryodevice.settings.program_file import load_program, named, program_from, shipped

GOOD = """name = "x"
goal = "none"

[[step]]
zone = "nose"
plate_degc = 10.0
hold_s = 5
rewarm_s = 1.0

[[step]]
zones = ["left_cheek", "neck"]
plate_degc = 8.0
hold_s = 5.0
rewarm_s = 40.0
cycles = 3
glide = true
"""


def written(tmp_path, text: str | bytes):
    path = tmp_path / "p.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_program_is_read_with_the_lines_of_its_steps(tmp_path):
    filed = load_program(written(tmp_path, GOOD))
    first, second = filed.program.steps
    assert (first.zones, first.cycles, first.glide, first.hold_s) == ((Zone.NOSE,), 1, False, 5.0)
    assert (second.zones, second.cycles, second.glide) == ((Zone.LEFT_CHEEK, Zone.NECK), 3, True)
    assert (filed.line(1), filed.line(2), filed.line(3)) == (4, 10, 0)
    assert program_from(filed.tree, "the request") == filed.program


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("hold_s = 5.0", "hold_s = 601.0", "line 13: step 2.hold_s = 601.0: outside its range; allowed: 1 to 600 s"),
        (
            "plate_degc = 8.0",
            "plate_degc = nan",
            "line 12: step 2.plate_degc = nan: not a finite number; allowed: 0 to 40 degC",
        ),
        ("plate_degc = 8.0", 'plate_degc = "8"', "line 12: step 2.plate_degc = '8': must be a number"),
        ("plate_degc = 8.0", "plate_degc = true", "a truth value is not what this key takes"),
        ("cycles = 3", "cycles = 0", "line 15: step 2.cycles = 0: outside its range; allowed: 1 to 20"),
        ("cycles = 3", "cycles = 2.5", "must be a whole number"),
        ("cycles = 3", "cicles = 3", "line 15: step 2.cicles: no such key; did you mean cycles?"),
        ("cycles = 3", "colour = 3", "no such key; keys are zone, zones, plate_degc"),
        ("rewarm_s = 40.0\n", "", "line 10: step 2.rewarm_s: is missing; allowed: 0 to 600 s"),
        ('"neck"', '"lips"', "line 11: step 2.zones = 'lips': not one of the choices; allowed: forehead, left_cheek"),
        ('"neck"', '"left_cheek"', "line 11: step 2.zones: one zone, or a list of different ones"),
        ('["left_cheek", "neck"]', "[]", "line 11: step 2.zones: one zone, or a list of different ones"),
        ('zone = "nose"', "", "line 4: step 1.zones: one zone, or a list of different ones"),
        ("glide = true", 'zone = "nose"', "line 11: step 2.zones: one zone, or a list of different ones"),
        ("glide = true", "glide = 1", "step 2.glide = 1: must be true or false; allowed: true or false"),
        ('name = "x"', 'name = ""', "line 1: name"),
        ('name = "x"', 'nome = "x"', "line 1: nome: no such key; did you mean name?"),
        (GOOD, 'name = "x"\nstep = 3\n', "line 2: step"),
        (GOOD, 'name = "x"\nstep = [1]\n', "step.0"),
        (GOOD, "", "name: is missing"),
        (GOOD, "name = ", "cannot read"),
        (GOOD, b"\xff\xfe", "cannot read"),
        (GOOD, "#" * 70_000, "larger than 65536 bytes"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, says):
    text = new if old is GOOD else GOOD.replace(old, new)
    assert text != GOOD
    with pytest.raises(SettingsError) as refused:
        load_program(written(tmp_path, text))
    assert "p.toml" in refused.value.message
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("path", "says"),
    [("/dev/zero", "larger than 65536 bytes"), ("/nowhere/p.toml", "cannot read /nowhere/p.toml: No such file")],
)
def test_a_file_that_never_ends_or_is_not_there_is_named_once(path, says):
    with pytest.raises(SettingsError) as refused:
        load_program(named(path))
    assert says in refused.value.message
    assert "Errno" not in refused.value.message


@pytest.mark.parametrize("data", [None, 3, [], "x", {"name": "x", "step": [None]}, {"name": "x", "step": {}}])
def test_a_request_that_is_no_program_is_refused_in_words(data):
    with pytest.raises(SettingsError, match="the request is no program"):
        program_from(data, "the request")


def test_a_name_stands_for_a_shipped_program_and_a_path_for_itself():
    assert named("relax") == shipped() / "relax.toml"
    assert str(named("./x.toml")) == "x.toml"
    assert str(named("some/where")) == "some/where"
    with pytest.raises(SettingsError, match="did you mean relax"):
        named("relacks")
    with pytest.raises(SettingsError, match="there are both-cheeks, calm"):
        named("zzz")
