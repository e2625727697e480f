"""From Submit to the next picture on the screen, against a bare Label Studio."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Page
from support.browser import rest
from support.http import Http
from support.label_studio import BareLabelStudio

from .bench import Bench, NotPossible, alternate, measures
from .page import WAIT_MS, failed, open_browser, profile
from .results import Compare, Row, Sample, Table, number
from .servers import Chain, Way, files
from .throughput import ALONE, TILE

WIDTH, HEIGHT = 1600, 1200
CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <Choices name="choice" toName="image"><Choice value="Yes"/><Choice value="No"/></Choices>
</View>
"""
# `shown()`: the picture that the page shows, "" if there is none. `next`: when it is another one, on the
# screen, in milliseconds since the keys were pressed.
WATCH = """([width, height]) => {
    const isShown = (image) => image.complete && image.naturalWidth === width
        && image.naturalHeight === height && image.getBoundingClientRect().width > 100;
    window.shown = () => [...document.querySelectorAll("img")].filter(isShown).at(-1)?.src ?? "";
    addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !event.ctrlKey) return;
        const before = window.shown();
        performance.clearResourceTimings();
        window.next = new Promise((done) => {
            const look = () => {
                const now = window.shown();
                // The frame after the one in which it is there has been painted.
                requestAnimationFrame(now && now !== before
                    ? () => requestAnimationFrame(() => done(performance.now() - event.timeStamp))
                    : look);
            };
            look();
        });
    }, true);
}"""
REQUESTS = """() => performance.getEntriesByType("resource")
    .filter((entry) => entry.name.startsWith("http"))
    .map((entry) => [new URL(entry.name).pathname, entry.duration])"""


@dataclass(frozen=True)
class Labelling:
    """A page that shows one picture after the other."""

    page: Page
    asked: Http
    project: int

    def submit(self) -> float:
        """Label the picture; return the milliseconds until the next one is there."""
        rest(self.page)
        self.page.bring_to_front()
        self.page.keyboard.press("1")
        self.page.locator("input:checked").wait_for(state="attached", timeout=WAIT_MS)
        self.page.keyboard.press("Control+Enter")
        found: float = self.page.evaluate("window.next")
        return found

    def requests(self) -> list[tuple[str, float]]:
        """Return the paths of the requests since then, and the milliseconds of each."""
        found: list[tuple[str, float]] = self.page.evaluate(REQUESTS)
        return found

    def labelled(self) -> int:
        """Return how many pictures Label Studio has labels for."""
        answer = self.asked.get(f"api/projects/{self.project}").json()
        number_labelled: int = answer["num_tasks_with_annotations"]
        return number_labelled


@measures("submit")
def submit(bench: Bench) -> list[Row | Table]:
    what = f"Submit to the next picture on the screen, {WIDTH} x {HEIGHT} pixels"
    try:
        browser = open_browser(bench)
    except NotPossible as error:
        return [failed("submit", what, "ms", 1.05, error)]
    rounds = bench.times(20)
    root = bench.folder()
    pictures = [_picture(root / "pictures" / f"{number}.jpg") for number in range(rounds + 3)]
    chain = Chain(bench, bench.started_data_dir(), root_dir=root)
    bare = bench.keep(BareLabelStudio(bench.started_data_dir(), env=files(root)))
    jupyter = chain.jupyter
    pages = {}
    for name, asked, login in (
        (TILE, chain.studio, f"{jupyter.url}login?token={jupyter.token}"),
        (ALONE, bare, ""),
    ):
        project = _project(asked, root, pictures)
        page = profile(browser, Way(asked.url), login).new_page()
        page.goto(f"{asked.url}projects/{project}/data?labeling=1")
        page.evaluate(WATCH, [WIDTH, HEIGHT])
        page.wait_for_function("window.shown()", timeout=WAIT_MS)
        pages[name] = Labelling(page, asked, project)
        pages[name].submit()  # the first one
    runs = alternate(rounds, {name: each.submit for name, each in pages.items()})
    lines = []
    for name, each in pages.items():
        rest(each.page)
        lines += [(name, path, number(spent)) for path, spent in each.requests()]
        assert each.labelled() == rounds + 1, f"{name}: {each.labelled()} labels"
    row = Row(
        key="submit",
        what=what,
        unit="ms",
        compare=Compare.RATIO,
        target=1.05,
        ours=Sample.of(runs[TILE]),
        against=Sample.of(runs[ALONE]),
        against_name=f"{ALONE}, signed in with a password",
    )
    columns = ("", "path", "ms")
    return [row, Table("submit", "The requests of one Submit", columns, tuple(lines))]


def _picture(path: Path) -> Path:
    """Write a picture with many details, about as large as a photo."""
    path.parent.mkdir(exist_ok=True)
    small = random.Random(path.name).randbytes(WIDTH * HEIGHT * 3 // 16)
    picture = Image.frombytes("RGB", (WIDTH // 4, HEIGHT // 4), small)
    picture.resize((WIDTH, HEIGHT)).save(path, quality=85)
    return path


def _project(asked: Http, root: Path, pictures: list[Path]) -> int:
    made = asked.post("api/projects", json={"title": "Pictures", "label_config": CONFIG})
    project: int = made.json()["id"]
    folder = {"path": str(root / "pictures"), "use_blob_urls": True}
    answer = asked.post("api/storages/localfiles", json={"project": project, **folder})
    assert answer.ok, answer.text
    tasks = [
        {"image": f"/data/local-files/?d={quote(str(path.relative_to(root)))}"} for path in pictures
    ]
    answer = asked.post(f"api/projects/{project}/import", json=tasks)
    assert answer.ok, json.dumps(answer.json())
    return project
