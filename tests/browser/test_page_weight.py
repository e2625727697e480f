"""The bytes of a page, as the browser counts them: headers, and bodies as they were sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from support import media
from support.browser import Tab
from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import wait_for

from labelstudio_proxy.gateway.assets.background import COMPLETE

FIRST_VISIT_BYTES = 1_700_000
SECOND_VISIT_BYTES = 60_000

CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="Box"/></RectangleLabels>
</View>
"""


@dataclass
class Scales:
    """Counts the bytes that a page loads."""

    page: Page
    urls: dict[str, str] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        network = self.page.context.new_cdp_session(self.page)
        network.send("Network.enable")
        network.on("Network.requestWillBeSent", self._sent)
        network.on("Network.loadingFinished", self._finished)

    def _sent(self, event: dict[str, Any]) -> None:
        self.urls[event["requestId"]] = event["request"]["url"]

    def _finished(self, event: dict[str, Any]) -> None:
        self.weights[event["requestId"]] = int(event["encodedDataLength"])

    def weigh(self, url: str) -> int:
        """The bytes that a visit of `url` costs."""
        self.weights.clear()
        self.page.goto(url, wait_until="networkidle")
        self.page.get_by_text("Submitted annotations").first.wait_for()
        self.page.wait_for_load_state("networkidle")
        return sum(self.weights.values())

    def __str__(self) -> str:
        heaviest = sorted(self.weights.items(), key=lambda item: -item[1])
        return "\n".join(f"{weight} {self.urls.get(key)}" for key, weight in heaviest)


def test_a_project_loads_less_than_1_7_mb_and_60_kb_again(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    new_page: Callable[..., Tab],
    data_dir: Path,
) -> None:
    jupyter = jupyter_lab(
        base_url="/user/alice/", config={"data_dir": str(data_dir)}, new_cache=True
    )
    studio = label_studio_client(jupyter)
    studio.wait_ready()
    project = studio.post("api/projects/", json={"title": "Cats", "label_config": CONFIG}).json()
    files = {"file": ("cat.png", media.png(), "image/png")}
    assert studio.post(f"api/projects/{project['id']}/import", files=files).ok
    # Creating a first project takes longer than this. Until then the page has up to 1.85 MB.
    kept = jupyter.home / ".cache" / "labelstudio-proxy" / "assets"
    wait_for(lambda: [*kept.glob(f"*/{COMPLETE}")], what="the compressed scripts", timeout=120)
    url = f"{jupyter.origin}{jupyter.prefix}projects/{project['id']}/data"

    page, recorder = new_page(jupyter)
    scales = Scales(page)
    first = scales.weigh(url)
    assert first <= FIRST_VISIT_BYTES, f"{first}\n{scales}"
    second = scales.weigh(url)
    assert second < SECOND_VISIT_BYTES, f"{second}\n{scales}"
    recorder.assert_clean(jupyter.prefix, jupyter.origin)
