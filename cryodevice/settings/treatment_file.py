"""A treatment from data: a TOML file or a request. Says what is wrong with it, with the step; runs nothing."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cryodevice.errors import SettingsError
from cryodevice.safety.limits import Zone
from cryodevice.treatment.program import MOST_STEPS, Step, Treatment

MAX_BYTES = 65_536


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class _Step(_Model):
    zone: Annotated[Zone, Field(strict=False)]
    plate_degc: float = Field(ge=0.0, le=40.0)
    hold_s: float = Field(ge=1.0, le=600.0)
    rewarm_s: float = Field(ge=0.0, le=600.0)
    glide: bool = False


class _Treatment(_Model):
    name: str = Field(min_length=1, max_length=64)
    step: list[_Step] = Field(min_length=1, max_length=MOST_STEPS)


def treatment_from(data: object, source: str) -> Treatment:
    """A treatment from parsed data; whether the limits allow it is for ``treatment.program.objections``.

    Raises:
        SettingsError: Something is missing, misspelt or of the wrong kind; names every such thing.
    """
    try:
        model = _Treatment.model_validate(data)
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}" for found in error.errors()]
        raise SettingsError(f"{source} is no treatment: " + "; ".join(problems), problems=problems) from error
    steps = tuple(Step(step.zone, step.plate_degc, step.hold_s, step.rewarm_s, step.glide) for step in model.step)
    return Treatment(model.name, steps)


def load_treatment(path: Path) -> Treatment:
    """A treatment from a TOML file.

    Raises:
        SettingsError: It cannot be read, is not TOML, or is no treatment.
    """
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise SettingsError(f"{path} is larger than {MAX_BYTES} bytes: this is no treatment", path=str(path))
        return treatment_from(tomllib.loads(data.decode("utf-8")), str(path))
    except (OSError, ValueError) as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"cannot read {path}: {error}", path=str(path)) from error
