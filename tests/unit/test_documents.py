"""The documents name files, tests and commands that exist."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelstudio_proxy.cli.main import commands
from labelstudio_proxy.config.settings import LabelStudioProxy

CHECKOUT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/labelstudio-proxy/labelstudio-proxy/blob/main/"
RAW = "https://raw.githubusercontent.com/labelstudio-proxy/labelstudio-proxy/main/"
DOCUMENTS = [*sorted(CHECKOUT.glob("*.md")), *sorted((CHECKOUT / "docs").rglob("*.md"))]
FOLDERS = "labelstudio_proxy|tests|docs|binder|examples|scripts|benchmarks|jupyter-config|labextension|\\.github|\\.ci"

document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[path.relative_to(CHECKOUT).as_posix() for path in DOCUMENTS]
)


def prose(document: Path) -> str:
    """The text without the measured results, which a program writes."""
    text = document.read_text()
    return re.sub(r"<!-- results: begin -->.*<!-- results: end -->", "", text, flags=re.DOTALL)


def links(document: Path) -> Iterator[str]:
    """The targets of all links, images and reference definitions, without #anchors."""
    text = re.sub(r"`[^`\n]*`", "", prose(document))
    for found in re.findall(
        r"\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)|src(?:set)?=\"([^\"]+)\"", text, re.MULTILINE
    ):
        target = "".join(found).partition("#")[0]
        if target:
            yield target


def local(target: str) -> str | None:
    """The path in the checkout that an absolute link leads to; None for other sites."""
    for prefix in (REPOSITORY, RAW):
        if target.startswith(prefix):
            return target.removeprefix(prefix)
    return None


def test_links_of_the_readme_work_on_a_package_index() -> None:
    relative = [target for target in links(CHECKOUT / "README.md") if "://" not in target]
    assert not relative


@document
def test_links_lead_to_files_that_exist(document: Path) -> None:
    for target in links(document):
        if "://" in target:
            path = local(target)
            assert path is None or (CHECKOUT / path).exists(), target
        else:
            assert (document.parent / target).exists(), target


@document
def test_paths_in_code_spans_exist(document: Path) -> None:
    for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]*)(?:::[^`]*)?`", prose(document)):
        assert (CHECKOUT / path).exists(), path


@document
def test_names_are_in_the_files_that_are_named_for_them(document: Path) -> None:
    for name, path in re.findall(rf"`(\w+)` in `((?:{FOLDERS})/[\w./-]+)`", prose(document)):
        assert re.search(rf"\b{name}\b", (CHECKOUT / path).read_text()), f"{name} in {path}"


@document
def test_named_tests_exist(document: Path) -> None:
    for path, test in re.findall(r"`(tests/[\w./-]+\.py)::(\w+)[^`]*`", prose(document)):
        assert test in functions(CHECKOUT / path), f"{path}::{test}"


@document
def test_named_make_targets_exist(document: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+):(?!=)", makefile, re.MULTILINE))
    for named in re.findall(r"(?:`|^    )make ([a-z][\w-]*)", prose(document), re.MULTILINE):
        assert named in targets, f"make {named}"


@document
def test_named_commands_and_their_options_exist(document: Path) -> None:
    text = document.read_text()
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"(?:`|^    )labelstudio-proxy ([a-z]+)([^`\n]*)", text, re.MULTILINE)
    lines += re.findall(r"^labelstudio-proxy ([a-z]+)(.*)$", blocks, re.MULTILINE)
    for name, rest in lines:
        assert name in commands.commands, f"labelstudio-proxy {name}"
        options = {each for option in commands.commands[name].params for each in option.opts}
        named = set(re.findall(r"[ \[](--?[a-z][a-z-]*)", rest.partition("#")[0]))
        assert named <= options, f"labelstudio-proxy {name}"


@document
def test_named_settings_exist(document: Path) -> None:
    named = set(re.findall(r"LabelStudioProxy\.([a-z]\w*)", document.read_text()))
    assert named <= set(LabelStudioProxy.class_trait_names(config=True))


def test_messages_in_the_headings_of_troubleshooting_exist() -> None:
    page = (CHECKOUT / "docs" / "troubleshooting.md").read_text()
    messages = re.findall(r"^### (\*.+\*)$", page, re.MULTILINE)
    assert len(messages) > 20
    for fragment in re.findall(r"[^*…|]{8,}", " ".join(messages).replace("*, *", "*…*")):
        text = fragment.strip(' "')
        assert any(text in shown for shown in texts_for_people()), text


def test_the_index_of_decisions_is_complete() -> None:
    folder = CHECKOUT / "docs" / "decisions"
    index = set(links(folder / "README.md"))
    assert index == {path.name for path in folder.glob("*.md") if path.name != "README.md"}


@functools.cache
def texts_for_people() -> list[str]:
    """Every string in the package's Python files, and its scripts and templates."""
    package = CHECKOUT / "labelstudio_proxy"
    texts = [path.read_text() for suffix in ("js", "html") for path in package.rglob(f"*.{suffix}")]
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


def functions(path: Path) -> set[str]:
    """The names of all functions of a test file, methods included."""
    tree = ast.parse(path.read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
