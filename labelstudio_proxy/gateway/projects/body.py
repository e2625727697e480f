"""The JSON object in a request, with the types that the handlers expect; else a Problem names the field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from ...problem import Problem

# Of a table that becomes a project.
BODY_BYTES = 1 << 30

Check = Callable[[Any], bool]


async def body_of(request: web.BaseRequest) -> dict[str, Any]:
    """Return the JSON object in a request; raises Problem."""
    request._client_max_size = BODY_BYTES
    try:
        return checked(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise Problem(
            f"The request has more than {BODY_BYTES >> 20} MiB.", "", "Send it in parts."
        ) from None


def checked(data: bytes) -> dict[str, Any]:
    """Return the JSON object in `data`; raises Problem."""
    try:
        body = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Problem("The request is no JSON object.", "", "Send one, as docs/projects.md shows.")
    _check(body, _FIELDS, "")
    source = body.get("source")
    if source is not None:
        _check(source, {"kind": _FIELDS["task"]}, "source.")
        _check(source, _SOURCES.get(source.get("kind"), {}), "source.")
        if source.get("kind") == "table":
            _check_table(source)
    return body


def _refuse(name: str) -> None:
    raise ValueError(name)


def _check(body: Mapping[str, Any], fields: Mapping[str, tuple[Check, str]], where: str) -> None:
    for name, (check, wanted) in fields.items():
        if not check(body.get(name)):
            value = body.get(name)
            raise Problem(f"`{where}{name}` is {value!r:.200}.", "", f"Send {wanted}.")


def _check_table(source: Mapping[str, Any]) -> None:
    missing = [name for name in ("columns", "index", "rows") if source.get(name) is None]
    if missing:
        raise Problem(f"`source.{missing[0]}` is missing.", "", "Send it.")
    columns, index, rows = source["columns"], source["index"], source["rows"]
    if len(set(columns)) < len(columns):
        raise Problem("Two columns of the table have the same name.", "", "Rename one of them.")
    if len(index) != len(rows) or any(len(row) != len(columns) for row in rows):
        raise Problem(
            "The table is not rectangular.",
            f"It has {len(columns)} columns, {len(index)} labels of rows and {len(rows)} rows.",
            "Send a value for each column in each row.",
        )


def is_text(value: object) -> bool:
    """Return True for a text that is a path or a name: it has no NUL, and can be encoded."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode(errors="surrogateescape")  # paths that are not UTF-8, too
    except UnicodeEncodeError:
        return False
    return True


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is(kind: type) -> Check:
    return lambda value: isinstance(value, kind)


_TEXT = _optional(is_text), "a text without NUL"
_FLAG = _optional(_is(bool)), "`true` or `false`"
_FIELDS: Mapping[str, tuple[Check, str]] = {
    **dict.fromkeys(("base", "title", "task", "config", "column", "score"), _TEXT),
    "labels": (
        _optional(lambda value: is_text(value) or _list_of(is_text)(value)),
        "a list of texts",
    ),
    "keep": (
        _optional(lambda value: isinstance(value, bool) or is_text(value)),
        "the name of a file, or `false`",
    ),
    "source": (_optional(_is(dict)), "an object"),
    "path": _TEXT,
    "paths": (_optional(_list_of(is_text)), "a list of paths"),
}
_TEXTS = _list_of(is_text), "a list of texts without NUL"
_SOURCES: Mapping[Any, Mapping[str, tuple[Check, str]]] = {
    "path": {"path": (is_text, "a path"), "recursive": _FLAG},
    "s3": {"url": (is_text, "a URL"), "recursive": _FLAG},
    "list": {"values": _TEXTS},
    "table": {
        "column": _TEXT,
        "columns": _TEXTS,
        "index": (_is(list), "a list"),
        "rows": (_list_of(_is(list)), "a list of lists"),
        "index_names": (_optional(_list_of(_optional(is_text))), "a list of texts"),
    },
}
