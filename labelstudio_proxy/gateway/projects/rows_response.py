"""The response with the rows of a project: lines of JSON, which are sent while labels are read."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from ...labelling.interface import Interface
from ...labelling.rows import Labelled, PathOf, rows, tables
from .stream import begin, outcome, send_line

# Returns the labels in parts; with True also skipped ones, and tasks without any.
Read = Callable[[bool], AsyncGenerator[list[Labelled], None]]


async def send_rows(
    request: web.BaseRequest,
    interface: Interface,
    read: Read,
    path_of: PathOf,
    *,
    unlabelled: bool,
    source: Mapping[str, Any],
) -> web.StreamResponse:
    """Send tables as `{"columns": …, "rows": …}`, then `{"count": rows}`.

    Before them, `{"index_names": …, "index_types": …}` of the `source` in the project's record. A project without labels has one table without rows.
    """
    response = await begin(request)

    async def work() -> dict[str, Any]:
        index = {name: source.get(name, []) for name in ("index_names", "index_types")}
        await response.write(_line(index))
        count = 0
        async with contextlib.aclosing(read(unlabelled)) as parts:
            async for part in parts:
                sent, lines = await asyncio.to_thread(encoded, part)
                await response.write(lines)
                count += sent
        if not count:
            await response.write(await asyncio.to_thread(empty, await _first_task(read)))
        return {"count": count}

    def encoded(part: list[Labelled]) -> tuple[int, bytes]:
        found = list(tables(rows(part, interface, path_of), interface, unlabelled=unlabelled))
        lines = (_line({"columns": each.columns, "rows": each.rows}) for each in found)
        return sum(len(each.rows) for each in found), b"".join(lines)

    def empty(task: Sequence[Labelled]) -> bytes:
        like = next(rows(task, interface, path_of), {})
        (table,) = tables((), interface, unlabelled=unlabelled, like=like)
        return _line({"columns": table.columns, "rows": []})

    await send_line(response, await outcome(work()))
    with contextlib.suppress(ConnectionError):
        await response.write_eof()
    return response


async def _first_task(read: Read) -> list[Labelled]:
    async with contextlib.aclosing(read(True)) as parts:
        async for part in parts:
            return part[:1]
    return []


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
