"""Which interpreter an executable starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labelstudio_proxy.backends.process.launcher import command_of

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
# Prints the path of its interpreter, as Python sees it.
CODE = "import sys\nprint(sys.executable)\n"


def environment(folder: Path) -> Path:
    """Make a folder with an interpreter; return the interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "python3"
    python.symlink_to(sys.executable)
    return python


def launcher(path: Path, head: str) -> Path:
    path.write_text(head + CODE)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "head",
    [
        "#!{python}\n",
        "#!{python} -u\n",
        "#! {python}\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' '{python}' \"$0\" \"$@\"\n' '''\n",
        # uv: for a path that is long or has a space, and for an environment that may move
        "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python3' \"$0\" \"$@\"\n' '''\n",
        '#!/bin/sh\n\'\'\'exec\' "$(dirname "$(readlink -f "$0")")/python3" "$0" "$@"\n\' \'\'\'\n',
        '#!/bin/sh\n"exec" "$(dirname $(readlink -f $0))/python3" "$0" "$@"\n',
        '#!/bin/sh\n"exec" "`dirname $(readlink -f $0)`/python3" "$0" "$@"\n',
        '#!/usr/bin/env bash\n\'\'\'exec\' "$(cd "$(dirname "$0")" && pwd)/python3" "$0" "$@"\n\' \'\'\'\n',
        '#!/bin/sh\n\'\'\'\'true\nexec "$(dirname "$0")/python3" "$0" "$@"\n\'\'\'\n',
        (
            "#!/bin/sh\n\"true\" ''''\n# exec starts Python\n"
            '"exec" "$(dirname "$(readlink -f "$0")")/python3" "$0" "$@"\n\' \'\'\'\n'
        ),
        (
            "#!/bin/sh\n''':'\nhere=${{0%/*}}\nif [ -x \"$here/python3\" ]; then\n"
            '  exec "$here/python3" "$0" "$@"\nelse\n  exec /nowhere/python3 "$0"\nfi\n\'\'\'\n'
        ),
    ],
)
def test_the_interpreter_of_a_launcher_is_the_one_that_it_starts(tmp_path: Path, head: str) -> None:
    folder = tmp_path / ("an environment" if "'{" in head or '"{' in head else "environment")
    python = environment(folder)
    script = launcher(folder / "label-studio", head.format(python=python))
    assert command_of(script, ENVIRONMENT) == [str(python)]
    if " " not in str(folder) or "sh\n" in head:
        ran = subprocess.run([script], capture_output=True, text=True, check=True, env=ENVIRONMENT)
        assert ran.stdout.strip() == str(python)


def test_a_launcher_behind_a_link_finds_its_environment(tmp_path: Path) -> None:
    """`uv tool install` and pipx link to it from a folder on PATH."""
    python = environment(tmp_path / "tools" / "bin")
    head = "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python3' \"$0\" \"$@\"\n' '''\n"
    launcher(python.with_name("label-studio"), head)
    link = tmp_path / "label-studio"
    link.symlink_to(python.with_name("label-studio"))
    assert command_of(link, ENVIRONMENT) == [str(python)]


def test_a_path_longer_than_any_first_line_may_be_is_read(tmp_path: Path) -> None:
    folder = tmp_path
    while len(str(folder)) < 1500:
        folder /= "x" * 200
    python = environment(folder)
    head = f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
    script = launcher(tmp_path / "label-studio", head)
    assert command_of(script, ENVIRONMENT) == [str(python)]


@pytest.mark.parametrize("line", ["#!/usr/bin/env python3", "#!/usr/bin/env -S python3 -u"])
def test_conda_names_only_python_and_means_the_one_beside_the_script(
    tmp_path: Path, line: str
) -> None:
    python = environment(tmp_path)
    script = launcher(tmp_path / "label-studio", f"{line}\n")
    assert command_of(script, ENVIRONMENT) == [str(python)]


def test_a_name_alone_is_found_on_path(tmp_path: Path) -> None:
    python = environment(tmp_path / "bin")
    script = launcher(tmp_path / "label-studio", "#!/usr/bin/env python3\n")
    assert command_of(script, {"PATH": str(python.parent)}) == [str(python)]


@pytest.mark.parametrize("folder", ["trampoline_configuration", "trampoline"])
def test_binary_of_a_global_tool_leads_to_its_environment(tmp_path: Path, folder: str) -> None:
    """As `pixi global` and `conda global` make it."""
    python = environment(tmp_path / "envs")
    target = launcher(python.with_name("label-studio"), f"#!{python}\n")
    binary = tmp_path / "label-studio"
    binary.write_bytes(b"\x7fELF")
    (tmp_path / folder).mkdir()
    description = {"exe": str(target), "path_diff": "", "env": {}}
    (tmp_path / folder / "label-studio.json").write_text(json.dumps(description))
    assert command_of(binary, ENVIRONMENT) == [str(python)]


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("#!{python} -sP\n", ["-sP"]),
        ("#!{python} -I\n", ["-I"]),
        ("#!/bin/sh\n'''exec' {python} -s -u \"$0\" \"$@\"\n' '''\n", ["-s"]),
    ],
)
def test_options_that_decide_what_python_finds_are_kept(
    tmp_path: Path, head: str, options: list[str]
) -> None:
    python = environment(tmp_path)
    script = launcher(tmp_path / "label-studio", head.format(python=python))
    assert command_of(script, ENVIRONMENT) == [str(python), *options]


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nexec conda run label-studio\n",
        "#!/bin/sh\ntouch {touched}\nexec /usr/bin/python3 label-studio\n",
        "#!/bin/sh\n'''exec' /nowhere/python3 \"$0\"\n' '''\nimport sys\n",
        "#!/bin/sh\n'''exec' /bin/cat \"$0\"\n' '''\nimport sys\n",
        "#!/nowhere/python3\n",
        "#!/usr/bin/env\n",
        "#!\n",
        "\x7fELF\n",
        "",
    ],
)
def test_other_programs_have_none_and_do_not_run(tmp_path: Path, text: str) -> None:
    script = tmp_path / "label-studio"
    script.write_text(text.format(touched=tmp_path / "touched"))
    assert command_of(script, ENVIRONMENT) == []
    assert not (tmp_path / "touched").exists()
