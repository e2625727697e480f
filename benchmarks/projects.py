"""A folder of pictures to a project that people can label."""

from __future__ import annotations

import time
from pathlib import Path

from support.kernel import Kernel
from support.media import png

from .bench import Bench, NotPossible, measures
from .page import WAIT_MS, failed, open_browser, profile
from .results import Compare, Row, Sample, Table, number
from .servers import Chain

PICTURES, MANY = 10_000, 100_000
SETUP = """
import json, time
import labelstudio_proxy as lsp
lsp.projects()

def label(folder, title):
    begin = time.perf_counter()
    project = lsp.label(folder, labels=["Yes", "No"], title=title)
    return time.perf_counter() - begin, project.url
"""
SHOWN = """() => [...document.querySelectorAll("img")].some(
    (image) => image.src && image.complete && image.naturalWidth > 0)"""


@measures("project")
def project(bench: Bench) -> list[Row | Table]:
    count, many = bench.size(PICTURES), bench.size(MANY)
    what = f"Folder of {count:,} pictures to a project whose first picture shows"
    try:
        browser = open_browser(bench)
    except NotPossible as error:
        return [failed("project", what, "s", 5, error)]
    root = bench.folder()
    for number_of in (count, many):
        _fill(root / str(number_of), number_of)
    chain = Chain(bench, bench.started_data_dir(), root_dir=root)
    chain.wait_for_compression()
    jupyter = chain.jupyter
    login = f"{jupyter.url}login?token={jupyter.token}"
    made, shown, again, of_many = [], [], [], []
    with Kernel(jupyter) as kernel, profile(browser, chain.whole, login) as context:
        kernel.run(SETUP)

        def label(pictures: int, title: str) -> tuple[float, str]:
            seconds, url = kernel.json(f"label({str(pictures)!r}, {title!r})")
            return seconds, url

        context.new_page().goto(chain.whole.url, timeout=WAIT_MS)  # scripts come from the cache
        for turn in range(bench.times(3)):
            title = f"Round {turn}"
            seconds, url = label(count, title)
            page = context.new_page()
            begin = time.perf_counter()
            page.goto(f"{jupyter.origin}{url}", wait_until="commit", timeout=WAIT_MS)
            page.wait_for_function(SHOWN, timeout=WAIT_MS)
            made.append(seconds)
            shown.append(seconds + time.perf_counter() - begin)
            page.close()
            again.append(label(count, title)[0])
            if turn < 2:
                of_many.append(label(many, f"Many {turn}")[0])
    rows = [
        Row("project", what, "s", Compare.ALONE, 5, Sample.of(shown)),
        Row(
            key="project-again",
            what=f"`label` once more for these {count:,} pictures",
            unit="s",
            compare=Compare.ALONE,
            target=1,
            ours=Sample.of(again),
        ),
        Row(
            key="project-many",
            what=f"{many:,} pictures to a project",
            unit="s",
            compare=Compare.RATIO,
            target=1.25,
            ours=Sample.of(of_many),
            against=Sample.of([each * many / count for each in made]),
            against_name=f"{many // count} times the time of {count:,}",
        ),
    ]
    lines = [
        (f"{n:,}", number(Sample.of(values).median), number(1e6 * Sample.of(values).median / n))
        for n, values in ((count, made), (many, of_many))
    ]
    columns = ("pictures", "s", "µs per picture")
    return [*rows, Table("project", "`label` by the number of pictures", columns, tuple(lines))]


def _fill(folder: Path, count: int) -> None:
    """Write so many small pictures."""
    folder.mkdir()
    content = png()
    for number_of in range(count):
        (folder / f"{number_of}.png").write_bytes(content)
