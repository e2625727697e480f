"""Access tokens as PyJWT, which Label Studio uses, reads them."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import jwt
import pytest

from labelstudio_proxy.label_studio.access_token import (
    access_token,
    clock_lead,
    explain_refused_token,
)

GATEWAYS_MODULES = """
import sys
import labelstudio_proxy.cli.main, labelstudio_proxy.gateway.server
print(*sys.modules)
"""


@pytest.mark.parametrize("key", ["k" * 32, "0x" + "f" * 64, "schlüssel-" * 5])
def test_the_token_names_the_account_and_expires(key: str) -> None:
    token = access_token(key, 7, seconds=90)
    claims = jwt.decode(token, key, algorithms=["HS256"])
    assert (claims["token_type"], claims["user_id"]) == ("access", "7")
    assert "iat" not in claims  # a clock that is behind would reject the token
    assert claims["exp"] == pytest.approx(time.time() + 90, abs=5)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, "another-key" * 4, algorithms=["HS256"])


@pytest.mark.parametrize("lead", [540, -172800])
def test_the_date_of_a_response_tells_label_studios_clock(lead: float) -> None:
    date = datetime.now(timezone.utc) + timedelta(seconds=lead)
    assert clock_lead({"Date": format_datetime(date, usegmt=True)}) == pytest.approx(lead, abs=30)


@pytest.mark.parametrize("headers", [{"Date": "yesterday"}, {"Date": ""}, {}])
def test_without_a_date_the_clocks_agree(headers: dict[str, str]) -> None:
    assert clock_lead(headers) == 0


@pytest.mark.parametrize(
    ("authorization", "says"),
    [
        ("", "This request has no token."),
        ("Basic", "This request has no token."),
        ("token 5f2c", "This token was not accepted."),
        (f"token {'5f2c' * 12}", "This token was not accepted."),  # one of Jupyter's
        (f"Token {'5f2c' * 10}", "This is one of Label Studio's own tokens"),
        (f"token  {'5f2c' * 10} ", "This is one of Label Studio's own tokens"),
        ("Bearer eyJhbGci.eyJ1c2Vy.w-4_x", "This is one of Label Studio's own tokens"),
    ],
)
def test_a_refused_program_learns_which_token_to_send(authorization: str, says: str) -> None:
    message = explain_refused_token(authorization)
    assert message.startswith(says)
    assert "Jupyter's token" in message


def test_the_gateway_loads_no_large_library_for_it() -> None:
    run = subprocess.run(
        [sys.executable, "-c", GATEWAYS_MODULES], capture_output=True, text=True, check=True
    )
    assert not {"jwt", "cryptography", "docker", "requests"} & set(run.stdout.split())
