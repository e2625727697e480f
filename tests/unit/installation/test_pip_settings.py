"""The settings of pip, in uv's words."""

from __future__ import annotations

from pathlib import Path

from labelstudio_proxy.installation.pip_settings import for_uv, parse

# As pip 23 and 26 print them.
LISTED = """\
:env:.default-timeout='180'
:env:.extra-index-url='https://env.example/simple'
global.cert='/etc/ssl/ca.pem'
global.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'
global.index-url='https://ada:se cret@index.example/simple'
global.no-index=''
install.index-url='https://install.example/simple'
list.format='columns'
"""


def test_the_environment_overrides_install_and_install_overrides_global() -> None:
    assert parse(LISTED) == {
        "cert": "/etc/ssl/ca.pem",
        "default-timeout": "180",
        "extra-index-url": "https://env.example/simple",
        "index-url": "https://install.example/simple",
    }


def test_a_list_may_have_several_lines() -> None:
    listed = "".join(line for line in LISTED.splitlines(True) if ":env:" not in line)
    assert parse(listed)["extra-index-url"].split() == [
        "https://a.example/simple",
        "https://b.example/simple",
    ]


def test_uv_takes_the_index_the_certificate_and_the_proxy(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    options, variables = for_uv(
        {
            "index-url": "https://ada:secret@index.example/simple",
            "extra-index-url": f"https://a.example/simple\nfile://{tmp_path}/none",
            "find-links": f"{wheels} {tmp_path}/none https://b.example/wheels",
            "trusted-host": "a.example b.example",
            "cert": "/etc/ssl/ca.pem",
            "proxy": "proxy.example:3128",
            "no-index": "true",
            "timeout": "60",
        }
    ) or ([], {})
    assert variables == {
        "UV_INDEX_URL": "https://ada:secret@index.example/simple",
        # pip ignores a folder that is missing, and uv does not
        "UV_EXTRA_INDEX_URL": "https://a.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"{wheels},https://b.example/wheels",
        "UV_INSECURE_HOST": "a.example b.example",
        "SSL_CERT_FILE": "/etc/ssl/ca.pem",
        "HTTP_PROXY": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "ALL_PROXY": "http://proxy.example:3128",
    }
    # Any user of the machine can read a command line.
    assert options == ["--no-index"]


def test_pip_is_used_if_uv_does_not_know_a_setting() -> None:
    assert for_uv({"no-binary": "lxml"}) is None
    assert for_uv({"no-index": "false", "quiet": "1"}) == ([], {})
