"""The tool for mutants of tables: it finds what it should, changes one thing, and tells a kill from none."""

import ast

import pytest

from tests.campaign import mutants, table_mutants
from tests.campaign.mutation_page import page, share
from tests.campaign.table_mutants import BUILDS_A_TABLE, changed, modules, parsed


def names(module: str) -> list[str]:
    return [each.what for each in table_mutants.mutants(module)]


def test_every_module_of_the_core_is_looked_at():
    assert set(modules()) >= {"cryodevice/safety/limits.py", BUILDS_A_TABLE, "cryodevice/treatment/session.py"}
    assert len(list(modules())) == len(set(modules()))


def test_each_row_limit_dwell_action_and_way_to_clear_of_the_interlocks_has_its_mutants():
    found = names(BUILDS_A_TABLE)
    assert any(name.endswith("LOCKOUT as WARN") and name.startswith("plate_jump") for name in found)
    assert "plate_jump: SENSOR as HOLD" in found
    assert "plate_jump: ACKNOWLEDGE as SERVICE" in found
    assert "plate_jump: ALWAYS as TREATING" in found
    assert sum("without Interlock(" in name for name in found) == len(
        [node for node in ast.walk(parsed(BUILDS_A_TABLE)) if isinstance(node, ast.Call) and _is_row(node)]
    )


def _is_row(node: ast.Call) -> bool:
    return getattr(node.func, "id", "") == "Interlock"


def test_numbers_go_both_ways_and_rows_of_a_mapping_go():
    found = names("cryodevice/safety/limits.py")
    assert any("2 as 2.02" in name for name in found)
    assert any("2 as 1.98" in name for name in found)
    assert any("without 'plate_floor_degc'" in name for name in found)


@pytest.mark.parametrize("module", ["cryodevice/safety/limits.py", BUILDS_A_TABLE, "cryodevice/treatment/session.py"])
def test_a_mutant_is_one_change_and_has_a_name_of_its_own(module):
    found = table_mutants.mutants(module)
    assert len({each.name for each in found}) == len(found)
    original = ast.dump(parsed(module))
    for each in found[:: max(1, len(found) // 10)]:
        mutant = ast.dump(changed(each))
        assert mutant != original
        assert abs(len(mutant) - len(original)) < 3000


def test_the_page_counts_what_was_killed_and_says_what_was_not_run():
    functions = {
        "cryodevice.safety.judge.x_judge__mutmut_1": "killed",
        "cryodevice.safety.judge.x_judge__mutmut_2": "not run",
    }
    tables = {("cryodevice/safety/limits.py", "a"): "behaviour", ("cryodevice/safety/limits.py", "b"): "survived"}
    text = page(functions, tables)
    assert "| `cryodevice/safety/judge.py` | 2 | 1 | 0 | 1 | 100.0 |" in text
    assert "| `cryodevice/safety/limits.py` | 2 | 1 | 0 | 1 | 0 | 50.0 |" in text
    assert "No reason yet" in text
    assert share(["killed", "survived", "not run"]) == "3 mutants, 2 run, 1 killed (50.0 % of those run), 1 survived"


def test_names_of_mutants_are_read():
    assert mutants.module_of("cryodevice.safety.judge.x_judge__mutmut_12") == "cryodevice/safety/judge.py"
    assert mutants.function_of("cryodevice.safety.judge.x__applicable__mutmut_1") == "_applicable"
    assert mutants.function_of("cryodevice.safety.exposure.xǁDoseǁday__mutmut_3") == "Dose.day"
