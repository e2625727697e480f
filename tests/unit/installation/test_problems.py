"""Why an installation failed: the texts are what pip and uv have printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_proxy.installation.problems import WrongPython, explain

RETRY = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object "
    "at 0x7f27c0d5a3d0>: Failed to establish a new connection: [Errno -2] Name or service not "
    "known')': /simple/label-studio/"
)
PRINTED = {
    "uv: no network": (
        "uv",
        (
            "error: Request failed after 1 retry in 1.4s\n"
            "  cause: Failed to fetch: https://no-such-host.invalid/simple/label-studio/\n"
            "  cause: error sending request for url (https://no-such-host.invalid/simple/label-studio/)\n"
            "  cause: client error (Connect)\n  cause: dns error\n  cause: error resolving DNS\n"
            "  cause: failed to lookup address information: Name or service not known"
        ),
        "The package index cannot be reached.",
        "Name or service not known",
    ),
    "pip: no network": (
        "pip",
        (
            f"{RETRY}\n"
            "ERROR: Could not find a version that satisfies the requirement label-studio==1.23.2 (from "
            "versions: none)\nERROR: No matching distribution found for label-studio==1.23.2"
        ),
        "The package index cannot be reached.",
        "[Errno -2] Name or service not known",
    ),
    "uv: no space": (
        "uv",
        (
            "error: Failed to install: label_studio-3.0-py3-none-any.whl (label-studio==3.0)\n"
            "  cause: Failed to copy to `/small/env/lib/python3.11/site-packages/label_studio/big.bin`\n"
            "  cause: failed to copy file from /cache/big.bin to /small/.tmpwvJRJS: No space left on "
            "device (os error 28)"
        ),
        "There is not enough space for Label Studio.",
        "install_dir",
    ),
    "pip: no space": (
        "pip",
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "There is not enough space for Label Studio.",
        "1 GB",
    ),
    "pip: quota": (
        "pip",
        "ERROR: Could not install packages due to an OSError: [Errno 122] Disk quota exceeded",
        "There is not enough space for Label Studio.",
        "1 GB",
    ),
    "uv: no compiler": (
        "uv",
        (
            "error: Failed to build `needs-compiler==1.0`\n  cause: The build backend returned an error\n"
            "  cause: Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)\n\n"
            "         [stderr]\n         error: [Errno 2] No such file or directory: 'gcc'"
        ),
        "needs-compiler could not be compiled.",
        "uv says: [Errno 2] No such file or directory: 'gcc'.",
    ),
    "pip: no compiler": (
        "pip",
        (
            "  error: subprocess-exited-with-error\n"
            "      error: command 'gcc' failed: No such file or directory\n      [end of output]\n"
            "  ERROR: Failed building wheel for needs-compiler\nFailed to build needs-compiler"
        ),
        "needs-compiler could not be compiled.",
        "pip says: command 'gcc' failed: No such file or directory.",
    ),
    "uv: no compiler, from an index": (
        "uv",
        (
            "error: Failed to download and build `needs-compiler==1.0`\n"
            "  cause: The build backend returned an error\n"
            "  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)"
        ),
        "needs-compiler could not be compiled.",
        "--python 3.12",
    ),
    "uv: no setuptools": (
        "uv",
        (
            "error: Failed to download and build `needs-tools==1.0`\n"
            "  cause: Failed to resolve requirements from `build-system.requires`\n"
            "  cause: No solution found when resolving: `setuptools`\n"
            "  cause: Because setuptools was not found in the provided package locations and you require "
            "setuptools, we can conclude that your requirements are unsatisfiable."
        ),
        "The package index has no setuptools.",
        "global.index-url",
    ),
    "pip 26: no setuptools": (
        "pip",
        (
            "  × installing build dependencies for needs-tools did not run successfully.\n"  # noqa: RUF001 - uv prints it so
            "      ERROR: Could not find a version that satisfies the requirement setuptools (from "
            "versions: none)\n      ERROR: No matching distribution found for setuptools\n"
            "ERROR: Failed to build 'needs-tools' when installing build dependencies for needs-tools"
        ),
        "The package index has no setuptools.",
        "global.index-url",
    ),
    "uv: other Python": (
        "uv",
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because label-studio==1.0 requires Python >=3.99 and you require "
            "label-studio==1.0, we can conclude that your requirements are unsatisfiable."
        ),
        "Label Studio 1.23.2 does not support Python 3.11.7.",
        "requires Python >=3.99",
    ),
    "pip: other Python": (
        "pip",
        "ERROR: Package 'label-studio' requires a different Python: 3.11.7 not in '>=3.99'",
        "Label Studio 1.23.2 does not support Python 3.11.7.",
        "3.11.7 not in '>=3.99'",
    ),
    "uv: no such version": (
        "uv",
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because there is no version of label-studio==99.9 and you require "
            "label-studio==99.9, we can conclude that your requirements are unsatisfiable."
        ),
        "The package index has no Label Studio 1.23.2.",
        "install --version",
    ),
    "pip: no such version": (
        "pip",
        (
            "ERROR: Could not find a version that satisfies the requirement label-studio==99.9 (from "
            "versions: 0.4.1, 1.23.1, 1.23.2)\nERROR: No matching distribution found for "
            "label-studio==99.9"
        ),
        "The package index has no Label Studio 1.23.2.",
        "index-url",
    ),
    "uv: proxy": (
        "uv",
        (
            "error: Failed to fetch: https://index.example/simple/label-studio/\n"
            "  cause: client error (Connect)\n"
            "  cause: tunnel error: failed to create underlying connection\n  cause: tcp connect error\n"
            "  cause: Connection refused (os error 111)"
        ),
        "The proxy to the package index cannot be used.",
        "Connection refused",
    ),
    "pip 26: proxy": (
        "pip",
        (
            "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
            "connection broken by 'NewConnectionError(\"HTTPSConnection(host='127.0.0.1', port=34433): "
            "Failed to establish a new connection: [Errno 111] Connection refused\")': "
            "/simple/label-studio/\n"
            "ERROR: Could not find a version that satisfies the requirement label-studio==1.23.2 (from "
            "versions: none)\nERROR: No matching distribution found for label-studio==1.23.2"
        ),
        "The package index cannot be reached.",
        "host='127.0.0.1', port=34433",
    ),
    "uv: refused by the proxy": (
        "uv",
        (
            "error: Request failed after 3 retries in 7.4s\n"
            "  cause: Failed to fetch: https://index.example/simple/label-studio/\n"
            "  cause: error sending request for url (https://index.example/simple/label-studio/)\n"
            "  cause: client error (Connect)\n  cause: tunnel error: unsuccessful"
        ),
        "The proxy to the package index cannot be used.",
        "global.proxy",
    ),
    "pip 26: refused by the proxy": (
        "pip",
        (
            "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
            "connection broken by 'OSError('Tunnel connection failed: 403 Forbidden')': "
            "/simple/label-studio/\n"
            "ERROR: Could not find a version that satisfies the requirement label-studio==1.23.2 (from "
            "versions: none)"
        ),
        "The proxy to the package index cannot be used.",
        "pip says: 'OSError('Tunnel connection failed: 403 Forbidden')",
    ),
    "pip 26: password wanted by the proxy": (
        "pip",
        (
            "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
            "connection broken by 'OSError('Tunnel connection failed: 407 Proxy Authentication Required')'"
            ": /simple/label-studio/\n"
            "ERROR: Could not find a version that satisfies the requirement label-studio==1.23.2 (from "
            "versions: none)"
        ),
        "The proxy wants a user name and a password.",
        "USER:PASSWORD@HOST:PORT",
    ),
    "pip: a package that is blocked": (
        "pip",
        (
            "  ERROR: HTTP error 403 while getting https://index.example/files/redis-1.whl\n"
            "ERROR: Could not install requirement redis==1 from https://index.example/files/redis-1.whl "
            "because of HTTP error 403 Client Error: Forbidden for url: "
            "https://index.example/files/redis-1.whl"
        ),
        "The package index refuses access.",
        "redis-1.whl",
    ),
    "uv: a package that is missing": (
        "uv",
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because redis was not found in the package registry and label-studio==1.23.2 "
            "depends on redis, we can conclude that label-studio==1.23.2 cannot be used."
        ),
        "The package index has no redis.",
        "global.index-url",
    ),
    "pip 26: broken off": (
        "pip",
        (
            "  WARNING: Connection interrupted while downloading.\nerror: incomplete-download\n\n"
            "× Download failed after 6 attempts because not enough bytes were received (75 kB/151 kB)\n"  # noqa: RUF001 - uv prints it so
            "╰─> URL: https://index.example/files/label_studio-1.0-py3-none-any.whl\n\n"
            "note: This is an issue with network connectivity, not pip."
        ),
        "A package did not arrive whole.",
        "pip says: Download failed after 6 attempts",
    ),
    "pip 23: broken off": (
        "pip",
        (
            "ERROR: Exception:\nConnectionResetError: [Errno 104] Connection reset by peer\n"
            'pip._vendor.urllib3.exceptions.ProtocolError: ("Connection broken: ConnectionResetError(104, '
            "'Connection reset by peer')\", ConnectionResetError(104, 'Connection reset by peer'))"
        ),
        "A package did not arrive whole.",
        "Connection reset by peer",
    ),
    "uv: broken off": (
        "uv",
        (
            "error: Failed to download `label-studio==1.0`\n"
            "  cause: Failed to write to the distribution cache\n  cause: error decoding response body\n"
            "  cause: request or response body error\n  cause: error reading a body from connection\n"
            "  cause: end of file before message length reached"
        ),
        "A package did not arrive whole.",
        "end of file before message length reached",
    ),
    "uv: stalled": (
        "uv",
        (
            "error: Failed to download `label-studio==1.0`\n"
            "  cause: Failed to extract archive: label_studio-1.0-py3-none-any.whl\n"
            "  cause: I/O operation failed during extraction\n  cause: Failed to download distribution "
            "due to network timeout. Try increasing UV_HTTP_TIMEOUT (current value: 2s)."
        ),
        "A package did not arrive whole.",
        "UV_HTTP_TIMEOUT",
    ),
    "anything else": (
        "uv",
        "Resolved 158 packages in 32.44s\nerror: something new",
        "Label Studio could not be installed.",
        "something new",
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_the_page_says_what_to_do(name: str) -> None:
    tool, printed, what, part = PRINTED[name]
    problem = explain(printed.splitlines(), tool, "1.23.2", "Python 3.11.7", Path("/folder"))
    assert problem.what == what
    assert part in f"{problem.why} {problem.remedy}"


def test_the_index_says_which_python_may_help() -> None:
    for name in ("uv: other Python", "pip: other Python"):
        tool, printed, _, _ = PRINTED[name]
        problem = explain(printed.splitlines(), tool, "1.23.2", "Python 3.11.7", Path("/folder"))
        assert isinstance(problem, WrongPython)
        assert problem.versions == ">=3.99"


def test_nothing_printed_is_explained_too() -> None:
    assert "nothing" in explain([], "pip", "1.23.2", "Python 3.11.7", Path("/folder")).why
