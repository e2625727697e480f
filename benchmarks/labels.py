"""Labels into a DataFrame, against the export of Label Studio's SDK."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from support.kernel import Kernel
from support.label_studio import BareLabelStudio

from .bench import OWNER, PASSWORD, TEXT_CONFIG, Bench, alternate, measures
from .results import Compare, Row, Sample, Table, number
from .servers import Chain

LABELS = (1_000, 10_000, 100_000)
COMPARED = 10_000
FRAME, EXPORT = "a DataFrame", "the SDK's export as JSON"
SETUP = """
import time
import labelstudio_proxy as lsp
sdk = lsp.connect()

def seconds(action):
    begin = time.perf_counter()
    found = action()
    assert len(found) == count, len(found)
    return time.perf_counter() - begin
"""
CODE = {
    FRAME: "seconds(lsp.project({project}).to_dataframe)",
    EXPORT: "seconds(lambda: sdk.projects.exports.as_json({project}))",
}


@measures("labels")
def labels(bench: Bench) -> list[Row | Table]:
    data_dir = bench.started_data_dir()
    counts = [bench.size(count) for count in LABELS]
    filling = BareLabelStudio(data_dir, email=OWNER, env={"LABEL_STUDIO_PASSWORD": PASSWORD})
    try:
        projects = {count: _fill(bench, filling, count) for count in counts}
    finally:
        filling.stop()
    chain = Chain(bench, data_dir)
    with Kernel(chain.jupyter) as kernel:
        kernel.run(SETUP)

        def measure(count: int, way: str) -> float:
            kernel.run(f"count = {count}")
            found: float = kernel.json(CODE[way].format(project=projects[count]))
            return found

        compared = bench.size(COMPARED)
        for way in CODE:  # imports
            measure(counts[0], way)
        runs = alternate(bench.times(3), {way: partial(measure, compared, way) for way in CODE})
        lines = []
        for count in counts:
            sample = Sample.of([measure(count, FRAME) for _ in range(bench.times(3))])
            each = 1e6 * sample.median / count
            lines.append((f"{count:,}", number(sample.median), number(each)))
    row = Row(
        key="labels",
        what=f"{compared:,} labels into a DataFrame",
        unit="s",
        compare=Compare.RATIO,
        target=1 / 15,
        ours=Sample.of(runs[FRAME]),
        against=Sample.of(runs[EXPORT]),
        against_name=EXPORT,
    )
    columns = ("labels", "s", "µs per label")
    return [row, Table("labels", "Labels into a DataFrame", columns, tuple(lines))]


def _fill(bench: Bench, asked: BareLabelStudio, count: int) -> int:
    """Make a project with so many labelled texts; return its number."""
    bench.say(f"a project with {count} labels")
    begin = time.monotonic()
    made = asked.post(
        "api/projects", json={"title": f"{count} labels", "label_config": TEXT_CONFIG}
    )
    project: int = made.json()["id"]
    for first in range(0, count, 1000):
        tasks = [_labelled(n) for n in range(first, min(first + 1000, count))]
        answer = asked.post(f"api/projects/{project}/import", json=tasks, timeout=600)
        assert answer.status_code == 201, answer.text[:1000]
    bench.say(f"filled in {time.monotonic() - begin:.0f} s")
    return project


def _labelled(n: int) -> dict[str, Any]:
    result = {
        "id": f"{n:010}",
        "from_name": "choice",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": ["No" if n % 3 else "Yes"]},
    }
    text = f"Text number {n}. " + "It is as long as a sentence in a review. " * 3
    return {"data": {"text": text}, "annotations": [{"result": [result], "lead_time": 2.5}]}
