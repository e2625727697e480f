"""The owner's e-mail address."""

from __future__ import annotations

import pytest

from labelstudio_proxy.config.owner_email import email_of


@pytest.mark.parametrize("user", ["ada@example.org", "a.b+c@mail.example.co", "o-b@x.org"])
def test_an_address_stays(user: str) -> None:
    assert email_of(user) == user


@pytest.mark.parametrize(
    ("user", "email"),
    [
        ("ada", "ada@localhost"),
        ("o.brien-x", "o.brien-x@localhost"),
        ("o'brien", "o-brien@localhost"),
        ("ada o'neil@example.org", "ada-o-neil@localhost"),
        ("ada@host", "ada@localhost"),
        (".ada..l.", "ada.l@localhost"),
        ("jürgen", "xn--jrgen-kva@localhost"),
        ("名前", "xn--ldr85b@localhost"),
        ("...", "jupyter@localhost"),
    ],
)
def test_a_name_becomes_an_address_that_label_studio_accepts(user: str, email: str) -> None:
    assert email_of(user) == email


def test_two_names_have_two_addresses() -> None:
    names = ["jürgen", "jörgen", "j-rgen", "名前", "中田"]
    assert len({email_of(name) for name in names}) == len(names)
