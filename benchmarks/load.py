"""A load generator, run as a separate program: `load.py SPEC` prints its results as JSON.

`SPEC` is JSON: url, socket (empty: TCP), headers, connections, seconds. Each connection sends its
next request as soon as it has the response. Unlike wrk, it reaches unix sockets and reports each latency.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
from yarl import URL

WARM_UP_SECONDS = 0.5


async def run(spec: dict[str, Any]) -> dict[str, Any]:
    connector = (
        aiohttp.UnixConnector(spec["socket"], limit=0)
        if spec["socket"]
        else aiohttp.TCPConnector(limit=0)
    )
    url = URL(spec["url"], encoded=True)
    times: list[float] = []
    async with aiohttp.ClientSession(
        connector=connector, headers=spec["headers"], cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        begin = time.perf_counter() + WARM_UP_SECONDS
        end = begin + spec["seconds"]

        async def connection() -> None:
            while (asked := time.perf_counter()) < end:
                async with session.get(url, allow_redirects=False) as answer:
                    body = await answer.read()
                    if answer.status != 200:
                        sys.exit(f"{answer.status}: {body[:500]!r}")
                if asked >= begin:
                    times.append(time.perf_counter() - asked)

        await asyncio.gather(*(connection() for _ in range(spec["connections"])))
        took = time.perf_counter() - begin
    return {"times": times, "per_second": len(times) / took}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
