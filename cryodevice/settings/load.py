"""Load settings: read the file, parse it, judge every key, then the keys together; all problems in one error.

Does no device or network I/O. Nothing is ever clamped to its range.
"""

import hashlib
import re
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cryodevice.errors import SettingsError
from cryodevice.safety.limits import ENVELOPE, check_limit, limits
from cryodevice.settings import rules
from cryodevice.settings.positions import key_lines
from cryodevice.settings.problems import Problem, from_pydantic, refuse, shown
from cryodevice.settings.sections import BUILT_IN, File, Settings
from cryodevice.settings.source import read_source, refuse_world_writable

_AT = re.compile(r"\(at line (\d+), column (\d+)\)")


def load_settings(path: Path) -> Settings:
    """Settings of a TOML file.

    Raises:
        SettingsError: Anything at all is wrong with the file; names every problem found, with line, key, value, range.
    """
    content = read_source(path)
    text, tree = _parse(path, content)
    lines = key_lines(text)
    file, problems = _sections(tree, lines)
    if file is None:
        raise refuse(str(path), problems)
    if file.mqtt.password_file is not None:
        _check_password_file(Path(file.mqtt.password_file).expanduser())
    return _settings(file, str(path), content)


def default_settings() -> Settings:
    """Settings of an empty file."""
    return _settings(File(), BUILT_IN, b"")


def settings_as_dict(settings: Settings) -> dict[str, Any]:
    """Settings as JSON-able values, for ``check --json`` and the record. Holds no password; only the file's name."""
    return {
        "source": settings.source,
        "sha256": settings.sha256,
        **{
            name: getattr(settings, name).model_dump()
            for name in ("device", "link", "control", "mqtt", "records", "log")
        },
        "limits": asdict(settings.limits),
        "state_dir": str(settings.state_dir),
    }


def _settings(file: File, source: str, content: bytes) -> Settings:
    given = file.limits.model_dump()
    for name, value in given.items():
        check_limit(name, value)
    return Settings(
        file.device,
        file.link,
        file.control,
        limits(given),
        file.mqtt,
        file.records,
        file.log,
        source,
        hashlib.sha256(content).hexdigest(),
    )


def _parse(path: Path, content: bytes) -> tuple[str, dict[str, Any]]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise SettingsError(f"{path}:{line}: not UTF-8 text; is it a settings file?", path=str(path)) from None
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        at = _AT.search(str(problem))
        where = f":{at[1]}:{at[2]}" if at else f":{len(text.splitlines())}"
        message = _AT.sub("", str(problem)).strip()
        raise SettingsError(f"{path}{where}: not TOML: {message}", path=str(path)) from None
    except (ValueError, RecursionError) as problem:  # thousands of digits, thousands of brackets
        raise SettingsError(f"{path}: not settings: {type(problem).__name__} while parsing", path=str(path)) from None


def _sections(tree: dict[str, Any], lines: dict[tuple[str, ...], int]) -> tuple[File | None, list[Problem]]:
    try:
        file: File | None = File.model_validate(tree)
        problems: list[Problem] = []
    except ValidationError as error:
        file, problems = None, from_pydantic(error.errors(include_url=False), lines)
    problems += [
        Problem(".".join(clash.key), clash.why, _line(clash.key, lines), _shown(clash), clash.allowed)
        for clash in _clashes(file, tree)
    ]
    return (None if problems else file), problems


def _clashes(file: File | None, tree: dict[str, Any]) -> list[rules.Clash]:
    given = _good_limits(tree)
    initial = {name: bound.initial for name, bound in ENVELOPE.items()}
    bad = frozenset(tree["limits"]) - given.keys() if isinstance(tree.get("limits"), dict) else frozenset()
    in_force = {name: value for name, value in (initial | given).items() if name not in bad}
    clashes = list(rules.limit_order_rules(in_force, frozenset(given)))
    if file is not None:
        clashes += rules.link_rules(file.link, file.control)
        clashes += rules.control_rules(file.control, file.link)
        clashes += rules.mqtt_rules(file.mqtt)
        clashes += rules.records_rules(file.records)
    return clashes


def _good_limits(tree: dict[str, Any]) -> dict[str, float]:
    section = tree.get("limits")
    good: dict[str, float] = {}
    for name, value in section.items() if isinstance(section, dict) else ():
        bound = ENVELOPE.get(name)
        if (
            bound
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and bound.low <= value <= bound.high
        ):
            good[name] = float(value)
    return good


def _line(key: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> int:
    return lines.get(key) or lines.get(key[:1], 0)


def _shown(clash: rules.Clash) -> str:
    return "" if clash.value is None else shown(clash.value)


def _check_password_file(path: Path) -> None:
    """Refuse a password that everyone may read or replace. Looks at the file's mode, never inside."""
    try:
        about = path.stat()
    except OSError as problem:
        raise SettingsError(f"mqtt.password_file {path}: {problem.strerror}", path=str(path)) from None
    refuse_world_writable(path, about.st_mode)
    if about.st_mode & 0o004:
        raise SettingsError(f"mqtt.password_file {path}: everyone may read it; chmod o-r {path}", path=str(path))
