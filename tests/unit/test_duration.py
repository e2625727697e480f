"""Times as text."""

from __future__ import annotations

import pytest

from labelstudio_proxy.duration import duration


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (1.5, "1.5 seconds"),
        (119, "119 seconds"),
        (1800, "30 minutes"),
        (7200, "2 hours"),
    ],
)
def test_one_is_singular(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
