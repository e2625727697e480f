"""How costs grow with the tasks of a project, and with simultaneous tabs."""

from __future__ import annotations

from functools import partial

from support.label_studio import BareLabelStudio

from .bench import OWNER, PASSWORD, TEXT_CONFIG, Bench, add_tasks, alternate, measures
from .results import Row, Sample, Table, number
from .servers import Chain
from .throughput import DYNAMIC, SAME, TILE, Load, load

TASKS = (10, 1_000, 10_000)
TABS = (1, 4, 16)
# the request of the data manager
MANAGER = "api/tasks?project={project}&page=1&page_size=30"


def median_of(loads: list[Load]) -> tuple[float, float, float]:
    """Return the median (ms), the 95th centile (ms), and the requests per second."""
    return (
        1000 * Sample.of([each.median for each in loads]).median,
        1000 * Sample.of([each.slow for each in loads]).median,
        Sample.of([each.per_second for each in loads]).median,
    )


@measures("tasks")
def tasks(bench: Bench) -> list[Row | Table]:
    data_dir = bench.started_data_dir()
    counts = TASKS[:2] if bench.small else TASKS
    filling = BareLabelStudio(data_dir, email=OWNER, env={"LABEL_STUDIO_PASSWORD": PASSWORD})
    projects = {}
    try:
        for count in counts:
            bench.say(f"a project with {count} tasks")
            made = filling.post(
                "api/projects", json={"title": f"{count} tasks", "label_config": TEXT_CONFIG}
            )
            projects[count] = made.json()["id"]
            add_tasks(filling, projects[count], count)
    finally:
        filling.stop()
    chain = Chain(bench, data_dir)
    lines = []
    for count, project in projects.items():
        path = MANAGER.format(project=project)
        runs = alternate(
            bench.times(3),
            {
                name: partial(load, way, path, 1, bench.seconds(4))
                for name, way in ((SAME, chain.label_studio), (TILE, chain.whole))
            },
        )
        direct, ours = (median_of(runs[name])[0] for name in (SAME, TILE))
        lines.append((f"{count:,}", number(direct), number(ours), f"{ours - direct:+.1f}"))
    columns = ("tasks in the project", f"{SAME}, ms", f"{TILE}, ms", "added, ms")
    title = "A page of the data manager (30 tasks), by the size of the project"
    return [Table("tasks", title, columns, tuple(lines))]


@measures("tabs")
def tabs(bench: Bench) -> list[Row | Table]:
    chain = Chain(bench, bench.started_data_dir())
    lines = []
    for count in TABS:
        runs = alternate(
            bench.times(3),
            {
                name: partial(load, way, DYNAMIC, count, bench.seconds(5))
                for name, way in ((SAME, chain.label_studio), (TILE, chain.whole))
            },
        )
        cells = [str(count)]
        for name in (SAME, TILE):
            middle, slow, rate = median_of(runs[name])
            cells.append(f"{number(middle)} / {number(slow)} ms, {number(rate)} per second")
        lines.append(tuple(cells))
    columns = ("connections", SAME, TILE)
    title = "A dynamic request (the list of projects), by the number of connections: median / 95th centile"
    return [Table("tabs", title, columns, tuple(lines))]
