"""Every kind of medium loads, from local files and from uploads, in the editor and in the list.

Each test makes a project with one task, whose data name files as Label Studio itself does: under
`/data/`, without prefix and host. "Loaded" is what a person would see or hear: pixels, a waveform,
a sound with its length, text, drawn curves. A URL that is merely asked for proves nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Response, Route, expect
from support import media
from support.browser import (
    Exchange,
    Recorder,
    Tab,
    new_tab,
    save_screenshots,
    wait_for_colour,
)
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import wait_for

RESULTS = Path(__file__).parents[2] / "test-results"
TIMEOUT = 30_000  # ms; a page that loads alone takes one or two seconds
BASE_URL = "/user/a%40b.c/"

BLUE, ORANGE = (0, 120, 200), (220, 90, 0)
BLUE_PICTURE, ORANGE_PICTURE = media.png(64, 48, BLUE), media.png(80, 60, ORANGE)
SECONDS = 2  # of sound
VIDEO_SECONDS = 60
TEXT = "A text to label, naïve Ω.\nIts second line links to /data/upload/1/text.txt.\n"
HTML_TEXT = 'Not to be changed: /projects/, hostname: "", naïve Ω.'  # what `media.html` says


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], new_data_dir: Callable[[], Path]
) -> JupyterLab:
    return module_jupyter_lab(base_url=BASE_URL, config={"data_dir": str(new_data_dir())})


@pytest.fixture(scope="module")
def tab_in(request: pytest.FixtureRequest, jupyter: JupyterLab) -> Callable[[str], Tab]:
    """One tab for all: what Label Studio's pages consist of is fetched and compiled only once."""

    @functools.cache
    def tab_in(browser: str) -> Tab:
        login = f"{jupyter.url}login?token={jupyter.token}"
        return new_tab(request.getfixturevalue(browser), login)

    return tab_in


@pytest.fixture
def tab(tab_in: Callable[[str], Tab], kind: str) -> Tab:
    return tab_in("whole_chromium" if kind == "pdf" else "chromium")


@functools.cache
def video_bytes() -> bytes:
    """A frame for each second. Too large to be fetched at once: seeking asks for another part."""
    content: bytes = media.webm(VIDEO_SECONDS, rate=1, width=640, height=480, noise=True)
    return content


# ---- A project, and where its media are


@dataclass
class Project:
    """A project, and its folder in the notebook's files that it reads from."""

    label_studio: LabelStudioClient
    id: int
    folder: Path

    @classmethod
    def create(cls, label_studio: LabelStudioClient, root: Path, config: str) -> Project:
        answer = label_studio.post("api/projects/", json={"title": "Media", "label_config": config})
        assert answer.ok, answer.text
        id = answer.json()["id"]
        folder = root / f"media of {id}"  # with spaces, as people's folders are
        folder.mkdir()
        storage = {"project": id, "title": "Files", "path": str(folder), "use_blob_urls": True}
        answer = label_studio.post("api/storages/localfiles", json=storage)
        assert answer.ok, answer.text
        return cls(label_studio, id, folder)

    def local_file(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return "/data/local-files/?d=" + quote(f"{self.folder.name}/{name}")

    def upload(self, name: str, content: bytes) -> str:
        answer = self.label_studio.post(
            f"api/projects/{self.id}/import?commit_to_project=false",
            files={"file": (name, content)},
        )
        assert answer.ok, answer.text
        number = answer.json()["file_upload_ids"][0]
        uploaded = self.label_studio.get(f"api/import/file-upload/{number}")
        assert uploaded.ok, uploaded.text
        return f"/data/{uploaded.json()['file']}"

    def add_task(self, data: dict[str, Any]) -> int:
        answer = self.label_studio.post(
            f"api/projects/{self.id}/import?return_task_ids=true", json=[{"data": data}]
        )
        assert answer.ok, answer.text
        task: int = answer.json()["task_ids"][0]
        return task


Put = Callable[[str, bytes], str]  # keeps a file, and gives the URL for a task's data

ORIGINS: dict[str, Callable[[Project, str, bytes], str]] = {
    "local-files": Project.local_file,
    "uploads": Project.upload,
}


# ---- Ways to see


def assert_property(locator: Locator, name: str, value: object) -> None:
    expect(locator).to_have_js_property(name, value, timeout=TIMEOUT)


SEEN_SECOND = """
(video) => {
    const context = new OffscreenCanvas(video.videoWidth, 1).getContext("2d");
    context.drawImage(video, 0, 0);
    const { data } = context.getImageData(0, 0, video.videoWidth, 1);
    let [sum, count] = [0, 0];
    for (let x = 0; x < video.videoWidth; x++) {
        if (data[4 * x] > 128) [sum, count] = [sum + x, count + 1];
    }
    return (sum / count - 8) / (video.videoWidth - 16) * video.duration;
}
"""


def assert_seeks(video: Locator, seek_bar: Locator) -> None:
    """A click near the bar's end shows the frame of that time, as the place of its bar tells."""
    box = seek_bar.bounding_box()
    assert box
    seek_bar.click(position={"x": box["width"] * 0.8, "y": box["height"] / 2})

    def is_there() -> bool:
        state = "(video) => [video.currentTime, video.seeking, video.readyState]"
        time, seeking, ready_state = video.evaluate(state)
        if seeking or ready_state < 2 or not VIDEO_SECONDS * 0.7 < time < VIDEO_SECONDS * 0.9:
            return False
        seen: float = video.evaluate(SEEN_SECOND)
        return bool(abs(seen - time) < 1.5)

    wait_for(is_there, what=f"the frame at 80% of {video}", timeout=30)


# ---- The kinds: a label config, a task's data, and how to see it in the list and in the editor


@dataclass(frozen=True)
class Kind:
    config: str
    """Of the object tag, which is named `object`."""
    control: str
    """The tag that labels it, named `label`, with one label."""
    data: Callable[[Project, Put], dict[str, Any]]
    see_in_list: Callable[[Locator, dict[str, Any]], None]
    """With the row of the task, and the task's data."""
    see_in_editor: Callable[[Page], None]


def value_of(data: dict[str, Any]) -> str:
    value = next(iter(data.values()))
    return str(value[0] if isinstance(value, list) else value)


def see_value_in_list(row: Locator, data: dict[str, Any]) -> None:
    """The list shows what the task says, into which no prefix may get."""
    expect(row).to_contain_text(value_of(data)[:60], timeout=TIMEOUT)


def image(_: Project, put: Put) -> dict[str, Any]:
    return {"image": put("a picture.png", BLUE_PICTURE)}


def see_thumbnail(row: Locator, _: dict[str, Any]) -> None:
    thumbnail = row.get_by_alt_text("Data")
    assert_property(thumbnail, "naturalWidth", 64)
    wait_for_colour(thumbnail, BLUE, 0.8)


def see_image(page: Page) -> None:
    assert_property(page.get_by_alt_text("image", exact=True), "naturalWidth", 64)
    wait_for_colour(page.locator(".lsf-image"), BLUE, 0.8)


def images(_: Project, put: Put) -> dict[str, Any]:
    return {"images": [put("blue.png", BLUE_PICTURE), put("orange.png", ORANGE_PICTURE)]}


def see_images(page: Page) -> None:
    # back to the first, where that button takes no clicks
    page.locator(".lsf-pagination__btn_arrow-left").first.dispatch_event("click")
    see_image(page)
    page.locator(".lsf-pagination__btn_arrow-right").first.click()
    assert_property(page.get_by_alt_text("image", exact=True), "naturalWidth", 80)
    wait_for_colour(page.locator(".lsf-image"), ORANGE, 0.8)


def audio(_: Project, put: Put) -> dict[str, Any]:
    return {"audio": put("a sound.wav", media.wav(SECONDS))}


def play_audio_in_list(row: Locator, _: dict[str, Any]) -> None:
    row.get_by_text("Click to load").click()
    assert_property(row.locator("audio"), "duration", SECONDS)
    row.locator(".lsf-player__play").click()
    wait_for(
        lambda: row.locator("audio").evaluate("(audio) => audio.currentTime > 0"),
        what="the sound to play",
        timeout=30,
    )


def see_waveform(page: Page) -> None:
    assert_property(page.get_by_test_id("waveform-audio"), "duration", SECONDS)
    # The samples are decoded: in the middle, below the time scale, is a band of the sine's height.
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector("#waveform-layer-main");
            if (!canvas) return false;
            const [top, height] = [canvas.height / 3, canvas.height / 2].map(Math.floor);
            const column = canvas.getContext("2d").getImageData(canvas.width / 2, top, 1, height);
            const opaque = column.data.filter((value, n) => n % 4 === 3 && value > 128).length;
            return opaque > height / 2 && opaque < height;
        }""",
        timeout=TIMEOUT,
    )


def video(_: Project, put: Put) -> dict[str, Any]:
    return {"video": put("a video.webm", video_bytes())}


def seek_video_in_list(row: Locator, _: dict[str, Any]) -> None:
    def is_of_a_later_part(response: Response) -> bool:
        part = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
        return response.status == 206 and part is not None and int(part[1]) > 0

    row.get_by_text("Click to load").click()
    assert_property(row.locator("video"), "duration", VIDEO_SECONDS)
    with row.page.expect_response(is_of_a_later_part, timeout=TIMEOUT):
        assert_seeks(row.locator("video"), row.locator(".lsf-audio-seeker"))


def seek_video(page: Page) -> None:
    player = page.locator("video").last  # not that of the list beside it
    assert_property(player, "duration", VIDEO_SECONDS)
    assert_seeks(player, page.locator(".lsf-seeker"))


def text(_: Project, put: Put) -> dict[str, Any]:
    return {"text": put("a text.txt", TEXT.encode())}


def see_text(page: Page) -> None:
    expect(page.locator(".lsf-richtext__line")).to_have_text(TEXT.split("\n"), timeout=TIMEOUT)


def html(_: Project, put: Put) -> dict[str, Any]:
    pictures = put("blue.png", BLUE_PICTURE), put("orange.png", ORANGE_PICTURE)
    return {"html": media.html(*pictures).decode()}


def html_by_url(project: Project, put: Put) -> dict[str, Any]:
    """Wherever the page is, one of its pictures is a local file and one was uploaded."""
    pictures = (
        project.local_file("blue.png", BLUE_PICTURE),
        project.upload("orange.png", ORANGE_PICTURE),
    )
    return {"html": put("a page.html", media.html(*pictures))}


def see_inline(page: Page) -> None:
    see_html(page.locator(".lsf-richtext__container"))


def see_frame(page: Page) -> None:
    see_html(page.frame_locator("iframe.lsf-richtext__iframe").locator("body"))


def see_html(body: Locator) -> None:
    expect(body.locator("p")).to_have_text(HTML_TEXT, timeout=TIMEOUT)
    expect(body.locator("img")).to_have_count(2, timeout=TIMEOUT)
    assert_property(body.locator("img").nth(0), "naturalWidth", 64)
    assert_property(body.locator("img").nth(1), "naturalWidth", 80)


def time_series(_: Project, put: Put) -> dict[str, Any]:
    return {"csv": put("a series.csv", media.time_series_csv())}


def see_time_series(page: Page) -> None:
    page.wait_for_function(
        """() => {
            const curves = (drawing) => [...drawing.querySelectorAll("svg path")]
                .filter((path) => (path.getAttribute("d") ?? "").split(/[LC]/).length > 40);
            const channels = [...document.querySelectorAll(".htx-timeseries-channel")];
            return channels.length === 2 && channels.every((channel) => curves(channel).length);
        }""",
        timeout=TIMEOUT,
    )


def paragraphs(_: Project, put: Put) -> dict[str, Any]:
    sound = put("a sound.wav", media.wav(SECONDS))
    return {"dialogue": put("a dialogue.json", media.dialogue_json(sound)), "audio": sound}


def play_paragraphs(page: Page) -> None:
    for number, line in enumerate(media.dialogue()):
        phrase = page.get_by_test_id(f"phrase:{number}")
        expect(phrase).to_contain_text(line["text"], timeout=TIMEOUT)
    assert_property(page.locator("audio"), "duration", SECONDS)


def pdf(_: Project, put: Put) -> dict[str, Any]:
    return {"pdf": put("a page.pdf", media.pdf(colour=ORANGE))}


def see_pdf(page: Page) -> None:
    wait_for_colour(page.locator("embed"), ORANGE, 0.3)


CHOICES = '<Choices name="label" toName="object"><Choice value="Yes"/></Choices>'


def labels(tag: str) -> str:
    return f'<{tag} name="label" toName="object"><Label value="Yes"/></{tag}>'


KINDS = {
    "image": Kind(
        '<Image name="object" value="$image"/>', CHOICES, image, see_thumbnail, see_image
    ),
    # The list knows no thumbnails of these: Label Studio gives the column the type of a text.
    "image-list": Kind(
        '<Image name="object" valueList="$images"/>', CHOICES, images, see_value_in_list, see_images
    ),
    "audio": Kind(
        '<Audio name="object" value="$audio"/>',
        labels("Labels"),
        audio,
        play_audio_in_list,
        see_waveform,
    ),
    "video": Kind(
        '<Video name="object" value="$video"/>', CHOICES, video, seek_video_in_list, seek_video
    ),
    "text": Kind(
        '<Text name="object" value="$text" valueType="url"/>',
        labels("Labels"),
        text,
        see_value_in_list,
        see_text,
    ),
    "hypertext-inline": Kind(
        '<HyperText name="object" value="$html" inline="true"/>',
        labels("HyperTextLabels"),
        html,
        see_value_in_list,
        see_inline,
    ),
    "hypertext-in-its-frame": Kind(
        '<HyperText name="object" value="$html" clickableLinks="true"/>',
        labels("HyperTextLabels"),
        html,
        see_value_in_list,
        see_frame,
    ),
    "hypertext-by-url": Kind(
        '<HyperText name="object" value="$html" valueType="url"/>',
        labels("HyperTextLabels"),
        html_by_url,
        see_value_in_list,
        see_frame,
    ),
    "time-series": Kind(
        '<TimeSeries name="object" value="$csv" valueType="url" timeColumn="time">'
        '<Channel column="sine"/><Channel column="cosine"/></TimeSeries>',
        labels("TimeSeriesLabels"),
        time_series,
        see_value_in_list,
        see_time_series,
    ),
    "paragraphs-with-audio": Kind(
        '<Paragraphs name="object" value="$dialogue" valueType="url" audioUrl="$audio"'
        ' layout="dialogue"/>',
        labels("ParagraphLabels"),
        paragraphs,
        see_value_in_list,
        play_paragraphs,
    ),
    "pdf": Kind('<Pdf name="object" value="$pdf"/>', CHOICES, pdf, see_value_in_list, see_pdf),
}


# The pages load the other kinds in the same way as one of these, wherever the files are.
FROM_BOTH = ("image", "audio", "video", "hypertext-by-url")
CASES = [
    (kind, origin)
    for kind in KINDS
    for origin in ORIGINS
    if origin == "local-files" or kind in FROM_BOTH
]


@pytest.mark.parametrize(
    ("kind", "origin"), [pytest.param(k, o, id=f"{k}-from-{o}") for k, o in CASES]
)
def test_media_loads(
    kind: str,
    origin: str,
    jupyter: JupyterLab,
    studio: LabelStudioClient,
    tab: Tab,
    request: pytest.FixtureRequest,
) -> None:
    tested = KINDS[kind]
    config = f"<View>{tested.config}{tested.control}</View>"
    project = Project.create(studio, jupyter.root_dir, config)
    data = tested.data(project, functools.partial(ORIGINS[origin], project))
    task = project.add_task(data)
    tab.recorder.forget()
    try:
        tab.page.goto(f"{studio.url}projects/{project.id}/data")
        tested.see_in_list(tab.page.get_by_test_id("table-row-wrapper"), data)
        assert_clean(tab.recorder, jupyter)

        tab.page.goto(f"{studio.url}projects/{project.id}/data?task={task}")
        tested.see_in_editor(tab.page)
        assert_clean(tab.recorder, jupyter)
        # Label Studio mounts its editor up to three times for a task: what was there must stay.
        tested.see_in_editor(tab.page)
    except BaseException:
        RESULTS.mkdir(exist_ok=True)
        save_screenshots(tab, RESULTS / f"test_media-{request.node.callspec.id}")
        raise


# Each loads its files in another way.
LOADED_AGAIN = ("image", "audio", "video", "hypertext-in-its-frame", "paragraphs-with-audio", "pdf")


@pytest.mark.parametrize(
    ("kind", "outage"),
    [
        pytest.param(kind, outage, id=f"{kind}-{'with-the-card' if outage else 'for-a-moment'}")
        for kind in LOADED_AGAIN
        for outage in (False, True)
        # No script can know that a PDF is not shown, if Label Studio was there all the time.
        if outage or kind != "pdf"
    ],
)
def test_media_that_could_not_be_loaded_appear_without_a_reload(
    kind: str,
    outage: bool,
    jupyter: JupyterLab,
    studio: LabelStudioClient,
    tab: Tab,
    request: pytest.FixtureRequest,
) -> None:
    tested = KINDS[kind]
    project = Project.create(
        studio, jupyter.root_dir, f"<View>{tested.config}{tested.control}</View>"
    )
    task = project.add_task(tested.data(project, project.upload))
    lost: set[str] = set()
    page = tab.page

    def lose(route: Route) -> None:
        if outage or route.request.url not in lost:
            route.abort("connectionreset")
        else:
            route.fallback()
        lost.add(route.request.url)

    page.route("**/data/upload/**", lose)
    if outage:
        page.route("**/_proxy/activity", lambda route: route.abort() if lost else route.fallback())
    try:
        page.goto(f"{studio.url}projects/{project.id}/data?task={task}")
        if outage:
            # The page tries again without a click, so its button may disappear first.
            expect(page.get_by_role("button", name="Try now")).to_be_visible(timeout=TIMEOUT)
            page.unroute_all()
        tested.see_in_editor(page)
        assert lost
    except BaseException:
        RESULTS.mkdir(exist_ok=True)
        save_screenshots(tab, RESULTS / f"test_media-{request.node.callspec.id}")
        raise
    finally:
        page.unroute_all()


def assert_clean(recorder: Recorder, jupyter: JupyterLab) -> None:
    # Chromium shows a PDF with a viewer written in JavaScript, which is part of the browser.
    viewer = {"chrome", "chrome-extension"}
    recorder.exchanges[:] = [
        exchange for exchange in recorder.exchanges if urlsplit(exchange.url).scheme not in viewer
    ]
    wait_for(
        lambda: recorder.context.cookies() is not None and not unanswered(recorder),
        what=lambda: f"answers to {[str(exchange) for exchange in unanswered(recorder)]}",
    )
    recorder.assert_clean(jupyter.prefix, jupyter.origin)


def unanswered(recorder: Recorder) -> list[Exchange]:
    return [e for e in recorder.exchanges if e.status is None and e.failure is None]
