"""The memory of an idle gateway."""

from __future__ import annotations

import re
import time
from pathlib import Path

from .bench import Bench, measures
from .results import Compare, Row, Sample, Table
from .servers import Chain
from .throughput import DYNAMIC

SETTLE_SECONDS = 3


def resident(pid: int, name: str = "VmRSS") -> float:
    """Return the resident memory in MB; `VmHWM`: its peak."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


@measures("memory")
def idle_gateway(bench: Bench) -> list[Row | Table]:
    busy, fresh, used = [], [], []
    for _ in range(bench.times(3)):
        chain = Chain(bench, bench.started_data_dir())
        chain.wait_for_compression()
        busy.append(resident(chain.gateway_pid, "VmHWM"))
        time.sleep(SETTLE_SECONDS)
        fresh.append(resident(chain.gateway_pid))
        page = chain.studio.get("projects/1/data")
        # the assets of a first page, compressed and uncompressed
        for path in re.findall(r'(?:src|href)="[^"]*?((?:static|react-app)/[^"]+)"', page.text):
            for encoding in ("br, gzip", "identity"):
                chain.studio.get(path, headers={"Accept-Encoding": encoding})
        for _ in range(20):
            chain.studio.get(DYNAMIC)
        time.sleep(SETTLE_SECONDS)
        used.append(resident(chain.gateway_pid))
        chain.jupyter.stop()
    row = Row(
        key="memory",
        what="Memory of an idle gateway that has served a page",
        unit="MB",
        compare=Compare.ALONE,
        target=60,
        ours=Sample.of(used),
        others={
            "before the first request": Sample.of(fresh),
            "at most, while it compresses a new build's assets": Sample.of(busy),
        },
    )
    return [row]
