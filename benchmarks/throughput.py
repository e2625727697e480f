"""Requests per second and latency: of a static asset, and of a request that Label Studio computes."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support.label_studio import BareLabelStudio

from .bench import Bench, NotPossible, alternate, alternate_possible, measures
from .results import Compare, Row, Sample, Table, number
from .servers import Chain, Nginx, PlainProxy, Way, way_to

LOAD = Path(__file__).with_name("load.py")
CONNECTIONS = 4
PACKED = {"Accept-Encoding": "br, gzip"}
# Label Studio's front end requests it on every page.
DYNAMIC = "api/projects/?page=1&page_size=30"
TILE, ALONE, SAME = (
    "through the tile",
    "Label Studio alone",
    "the same Label Studio, asked directly",
)
PLAIN, NGINX = "jupyter-server-proxy alone in front of it", "nginx in front of it"


@dataclass(frozen=True)
class Load:
    """The results of the load generator."""

    per_second: float
    median: float  # seconds
    slow: float  # seconds; 95 % of the requests took less


def load(way: Way, path: str, connections: int, seconds: int) -> Load:
    spec = {
        "url": way.address(path),
        "socket": way.socket,
        "headers": dict(way.headers),
        "connections": connections,
        "seconds": seconds,
    }
    done = subprocess.run(
        [sys.executable, LOAD, json.dumps(spec)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise NotPossible((done.stderr.strip().splitlines() or ["failed"])[-1][:200])
    told = json.loads(done.stdout)
    times = sorted(told["times"])
    slow = times[int(0.95 * (len(times) - 1))]
    return Load(told["per_second"], statistics.median(times), slow)


def wrk(way: Way, path: str, headers: Mapping[str, str], seconds: int, *, closing: bool) -> float:
    """Return requests per second over kept connections.

    `closing`: the server closes the connection after each response, as Django's development
    server does; wrk counts that as an error.
    """
    if shutil.which("wrk") is None:
        raise NotPossible("wrk is not installed")
    fields = [f"--header={name}: {value}" for name, value in {**way.headers, **headers}.items()]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *fields, way.address(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found, said
    told = re.sub(r"read \d+", "read 0", said) if closing else said
    if errors := re.search(r"Non-2xx.*|Socket errors.* [1-9].*", told):
        raise NotPossible(errors[0])
    return float(found[1])


Samples = dict[str, Sample | str]


def samples(found: Mapping[str, list[float] | str]) -> Samples:
    return {
        name: values if isinstance(values, str) else Sample.of(values)
        for name, values in found.items()
    }


def take(runs: Samples, name: str) -> Sample:
    """Remove and return a sample. Raises NotPossible if it could not be measured."""
    found = runs.pop(name)
    if isinstance(found, str):
        raise NotPossible(f"{name}: {found}")
    return found


def others(bench: Bench, bare: BareLabelStudio) -> dict[str, Way]:
    """Return nginx and jupyter-server-proxy, both in front of Label Studio."""
    ways = {PLAIN: bench.keep(PlainProxy(bare)).way}
    try:
        ways[NGINX] = bench.keep(Nginx(bare)).way
    except NotPossible as error:
        bench.say(str(error))
    return ways


@measures("static")
def static(bench: Bench) -> list[Row | Table]:
    """The largest asset, which every page needs, and a small one."""
    chain = Chain(bench, bench.started_data_dir())
    bare = bench.keep(BareLabelStudio(bench.started_data_dir()))
    ways = {TILE: chain.whole, ALONE: way_to(bare), **others(bench, bare)}
    page = bare.get("projects/").text
    found = {}
    for key, pattern in (
        ("large", r'src="/(react-app/main\.js[^"]*)"'),
        ("small", r'href="/(static/images/favicon[^"]*)"'),
    ):
        match = re.search(pattern, page)
        assert match, f"no {pattern} in Label Studio's page"
        found[key] = match[1]
    rows: list[Row | Table] = []
    for key, path in found.items():
        runs = samples(
            alternate_possible(
                bench.times(5),
                {
                    name: partial(
                        wrk, ways[name], path, PACKED, bench.seconds(4), closing=name == ALONE
                    )
                    for name in ways
                },
            )
        )
        name = path.partition("?")[0].rpartition("/")[2]
        size = len(bare.get(path, headers={"Accept-Encoding": "identity"}).content)
        rows.append(
            Row(
                key=f"static-{key}",
                what=f"Static asset: {name} ({size / 1000:,.0f} kB unpacked)",
                unit="requests/s",
                compare=Compare.RATIO,
                target=5,
                at_least=True,
                ours=take(runs, TILE),
                against=take(runs, ALONE),
                against_name=ALONE,
                others=runs,
            )
        )
    return rows


@measures("dynamic")
def dynamic(bench: Bench) -> list[Row | Table]:
    chain = Chain(bench, bench.started_data_dir())
    seconds = bench.seconds(5)

    def measured(ways: Mapping[str, Way]) -> tuple[Samples, Samples]:
        """Return the medians (ms) and the requests per second."""
        found = alternate_possible(
            bench.times(5),
            {n: partial(load, way, DYNAMIC, CONNECTIONS, seconds) for n, way in ways.items()},
        )
        times: Samples = {}
        rates: Samples = {}
        for name, loads in found.items():
            if isinstance(loads, str):
                times[name] = rates[name] = loads
            else:
                times[name] = Sample.of([1000 * each.median for each in loads])
                rates[name] = Sample.of([each.per_second for each in loads])
        return times, rates

    inside = "the gateway, asked directly"
    times, rates = measured({TILE: chain.whole, SAME: chain.label_studio, inside: chain.gateway})
    # These run on Django's development server, so compare them only with each other.
    bare = bench.keep(BareLabelStudio(bench.started_data_dir()))
    more_times, more_rates = measured({ALONE: way_to(bare), **others(bench, bare)})
    latency = Row(
        key="dynamic-median",
        what="Dynamic request: median at 4 connections",
        unit="ms",
        compare=Compare.ADDED,
        target=4.0,
        ours=take(times, TILE),
        against=take(times, SAME),
        against_name=SAME,
        others={**times, **more_times},
    )
    throughput = Row(
        key="dynamic-throughput",
        what="Dynamic request: throughput at 4 connections",
        unit="requests/s",
        compare=Compare.RATIO,
        target=0.95,
        at_least=True,
        ours=take(rates, TILE),
        against=take(rates, SAME),
        against_name=SAME,
        others={**rates, **more_rates},
    )
    return [latency, throughput, _one_request(bench, chain)]


def _one_request(bench: Bench, chain: Chain) -> Table:
    """Where the time of a single request goes."""
    ways = {
        "Label Studio": chain.label_studio,
        "the gateway": chain.gateway,
        "Jupyter": chain.whole,
    }
    found = alternate(
        bench.times(5),
        {name: partial(load, way, DYNAMIC, 1, bench.seconds(3)) for name, way in ways.items()},
    )
    lines, before = [], 0.0
    for name, loads in found.items():
        reached = statistics.median(1000 * each.median for each in loads)
        lines.append((name, number(reached - before), number(reached)))
        before = reached
    return Table(
        "dynamic-request",
        "Where the time of a dynamic request goes (one connection)",
        ("added by", "ms (median)", "answered from here, ms"),
        tuple(lines),
    )
