"""Whose treatment it is: one client however the name is spelt, and nobody is the shared anonymous one."""

import pytest

from cryodevice.errors import SettingsError
from cryodevice.settings.treatment_file import treatment_from

STEP = {"zone": "nose", "plate_degc": 10.0, "hold_s": 5.0, "rewarm_s": 5.0}


def client_of(**given) -> str:
    return treatment_from({"name": "t", "step": [STEP], **given}, "the request").client


def test_one_client_is_one_however_the_name_is_spelt():
    assert client_of() == "anonymous"
    assert client_of(client="Anna  B.") == client_of(client=" anna b. ") == "anna b."
    assert client_of(client="17") == "17"


@pytest.mark.parametrize("client", ["", "  ", "a\x00b", "x" * 65, 17, None])
def test_what_is_no_name_is_refused(client):
    with pytest.raises(SettingsError, match="client"):
        client_of(client=client)
