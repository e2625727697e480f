"""The start page and the notices as HTML: complete, well-formed, and inert with any text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from labelstudio_proxy.gateway.start_page import Action, render_notice_page, render_start_page
from labelstudio_proxy.problem import Problem

PREFIX = "/user/alice/labelstudio/"
STATES = [
    "stopped",
    "preparing",
    "pulling",
    "installing",
    "starting",
    "ready",
    "stopping",
    "failed",
]
MOVING = ["preparing", "pulling", "installing", "starting", "ready", "stopping"]
VOID = {"meta", "link", "br", "hr", "img", "input", "path", "circle"}
HOSTILE = (
    """</script></textarea><script>alert(1)</script><img src=x onerror="alert(2)">'"&$prefix"""
)


def snapshot(state: str = "starting", **changes: Any) -> dict[str, Any]:
    return {
        "state": state,
        "steps": [
            {
                "id": "find",
                "title": "Find Label Studio",
                "state": "done",
                "seconds": 0.4,
                "detail": "Label Studio 1.23.2",
            },
            {
                "id": "database",
                "title": "Prepare the database",
                "state": "current",
                "seconds": None,
                "detail": "",
            },
            {"id": "wait", "title": "Start the server", "state": "next", "seconds": None},
        ],
        "progress": {"done": 57, "total": 261},
        "versions": {"labelstudio-proxy": "0.1.0", "Label Studio": "1.23.2"},
        "backend": "process",
        "started_at": 1790000000.0,
        "now": 1790000012.7,
        "ready_after": None,
        "restarts": 0,
        "error": None,
        "next_start": None,
        "stopped_because": "",
    } | changes


class Page(HTMLParser):
    """Elements of a page, their texts by id, and whether every element that was opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str | None]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str | None, str] = {}
        self.feed(html)
        self.close()
        assert self.open == [], "elements left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"attribute twice in <{tag}>"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        opened, _ = self.open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        for _, id in self.open:
            self.texts[id] = self.texts.get(id, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.mark.parametrize("state", STATES)
def test_every_state_renders_as_well_formed_html(state: str) -> None:
    error = {"what": "It ended.", "why": "No memory.", "remedy": "Add some."}
    page = Page(render_start_page(snapshot(state, error=error), PREFIX))
    assert page.all("main")[0]["data-state"] == state
    assert page.texts["heading"].strip()
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("state", STATES)
def test_a_snapshot_with_nothing_known_yet_renders(state: str) -> None:
    empty = snapshot(state, steps=[], progress=None, versions={}, started_at=None)
    page = Page(render_start_page(empty, "/"))
    assert "elapsed" not in page.texts
    assert "steps" not in page.texts


def test_page_without_script_says_what_is_happening_and_what_is_next() -> None:
    page = Page(render_start_page(snapshot(), PREFIX))
    assert page.texts["heading"] == "Starting Label Studio…"
    assert page.texts["sentence"] == "Now: Prepare the database. Next: Start the server."
    assert page.texts["elapsed"] == "12 s"
    assert page.texts["facts"] == "labelstudio-proxy 0.1.0 · Label Studio 1.23.2"
    assert "Find Label Studiodone0.4 sLabel Studio 1.23.2" in page.texts["steps"]
    assert "57 of 261" in page.texts["steps"]


def test_last_step_says_that_label_studio_opens_after_it() -> None:
    steps = snapshot()["steps"][:2]
    page = Page(render_start_page(snapshot(steps=steps), PREFIX))
    opens = "Now: Prepare the database. It appears here in a moment."
    assert page.texts["sentence"] == opens


def test_only_the_current_step_has_progress_and_is_marked_as_current() -> None:
    page = Page(render_start_page(snapshot(), PREFIX))
    bars = page.all("progress")
    assert [bar.get("value") for bar in bars] == [None, "57", None, None]  # the last: the template
    assert (bars[1]["max"], bars[1]["aria-label"]) == ("261", "Prepare the database")
    assert [item.get("aria-current") for item in page.all("li")] == [None, "step", None, None]


@pytest.mark.parametrize(
    ("progress", "value", "count"),
    [
        (None, None, ""),
        ({"done": 0, "total": 0}, None, ""),
        ({"done": 0, "total": 261}, "0", "0 of 261"),
        ({"done": 250_000_000, "total": 1_000_000_000}, "250000000", "25 %"),
    ],
)
def test_progress_is_determinate_when_its_total_is_known(
    progress: dict[str, int] | None, value: str | None, count: str
) -> None:
    page = Page(render_start_page(snapshot(progress=progress), PREFIX))
    assert page.all("progress")[1].get("value") == value
    assert count in page.texts["steps"]
    assert bool(count) is (" of " in page.texts["steps"] or "%" in page.texts["steps"])


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0 s"), (0.44, "0.4 s"), (9.97, "10 s"), (59.9, "59 s"), (65, "1 min 05 s")],
)
def test_durations_read_well(seconds: float, shown: str) -> None:
    done = snapshot()["steps"][0] | {"seconds": seconds, "detail": ""}
    page = Page(render_start_page(snapshot(steps=[done]), PREFIX))
    assert page.texts["steps"].strip() == f"Find Label Studiodone{shown}"


def test_failure_shows_its_three_parts_with_commands_as_code() -> None:
    error = {
        "what": "Label Studio ended with code 1.",
        "why": "The disk is full (<1 MB left).",
        "remedy": "Make room:\n`df -h ~`\n`rm -r <old>`\nthen try again.",
    }
    html = render_start_page(snapshot("failed", error=error), PREFIX)
    page = Page(html)
    assert [page.texts[part] for part in ("what", "why")] == [error["what"], error["why"]]
    assert page.texts["remedy"] == error["remedy"].replace("`", "")
    assert "Make room:\n<code>df -h ~</code>\n<code>rm -r &lt;old&gt;</code>\nthen" in html


@pytest.mark.parametrize("state", STATES)
def test_page_reloads_itself_without_script_only_while_something_moves(state: str) -> None:
    html = render_start_page(snapshot(state), PREFIX)
    refresh = '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    assert (refresh in html) is (state in MOVING)


def test_everything_the_page_loads_is_under_the_prefix() -> None:
    page = Page(render_start_page(snapshot(), PREFIX))
    assert [script.get("src") for script in page.all("script")] == [
        f"{PREFIX}_proxy/static/theme.js",
        f"{PREFIX}_proxy/static/start.js",
        None,
    ]
    icon, sheet = page.all("link")
    assert (icon["href"] or "").startswith("data:image/svg+xml,")
    assert sheet["href"] == f"{PREFIX}_proxy/static/start.css"


def test_theme_is_known_before_anything_is_painted() -> None:
    page = Page(render_start_page(snapshot(), PREFIX))
    theme = page.all("script")[0]
    assert theme == {"src": f"{PREFIX}_proxy/static/theme.js", "data-prefix": PREFIX}  # no defer
    heads = [name for name, _ in page.elements if name in ("script", "body")]
    assert heads[:3] == ["script", "script", "body"]


def test_page_needs_no_inline_script_and_no_inline_style() -> None:
    page = Page(render_start_page(snapshot(), PREFIX))
    assert page.all("style") == []
    assert page.all("script")[2]["type"] == "application/json"
    attributes = {name for _, attrs in page.elements for name in attrs}
    assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_script_finds_the_snapshot_in_the_page() -> None:
    page = Page(render_start_page(snapshot(), PREFIX))
    data = json.loads(page.texts["data"])
    assert (data["prefix"], data["snapshot"]) == (PREFIX, snapshot())
    assert set(data["words"]) == {
        *STATES,
        "waiting",
        "trying",
        "elsewhere",
        "missing",
        "offer",
        "ended",
    }


def test_hostile_text_is_inert_wherever_it_comes_in() -> None:
    step = {"id": HOSTILE, "title": HOSTILE, "state": "current", "seconds": 1, "detail": HOSTILE}
    hostile = snapshot(
        "failed",
        steps=[step],
        versions={HOSTILE: HOSTILE},
        backend=HOSTILE,
        error={"what": HOSTILE, "why": HOSTILE, "remedy": f"`{HOSTILE}`"},
        log=[[1, HOSTILE]],
    )
    calm = snapshot("failed", steps=[step | {"title": "a", "detail": "b"}])
    page = Page(render_start_page(hostile, f"/{HOSTILE}/"))
    for tag in ("script", "img", "textarea"):
        assert len(page.all(tag)) == len(Page(render_start_page(calm, PREFIX)).all(tag))
    assert page.texts["what"] == page.texts["why"] == page.texts["remedy"] == HOSTILE
    assert page.all("script")[0]["src"] == f"/{HOSTILE}/_proxy/static/theme.js"
    assert page.all("script")[0]["data-prefix"] == f"/{HOSTILE}/"
    assert HOSTILE in page.texts["steps"]
    assert json.loads(page.texts["data"])["snapshot"] == hostile


def test_a_comment_cannot_be_opened_in_the_data() -> None:
    html = render_start_page(snapshot(backend="<!--<script>"), PREFIX)
    assert "<!--" not in html
    assert "\\u003c!--\\u003cscript>" in html


def test_a_name_that_is_not_utf8_can_be_sent() -> None:
    error = {"what": b"caf\xe9.sqlite3".decode("utf-8", "surrogateescape"), "why": "", "remedy": ""}
    html = render_start_page(snapshot("failed", error=error), PREFIX)
    assert b"caf?.sqlite3" in html.encode("utf-8")


def test_notice_says_what_why_and_remedy_once_and_offers_its_actions() -> None:
    page = Page(
        render_notice_page(
            Problem("It refused.", "Tokens are off.", "Run `label-studio x`."),
            PREFIX,
            [Action("Restart", f"{PREFIX}_proxy/restart", "post"), Action("JupyterLab", "/lab")],
        )
    )
    assert page.all("main")[0]["data-state"] == "notice"
    assert page.texts["heading"] == "It refused"
    assert "what" not in page.texts
    assert page.texts["why"] == "Tokens are off."
    assert page.texts["remedy"] == "Run label-studio x."
    assert [link["href"] for link in page.all("a")][-1] == "/lab"
    assert page.all("button")[-1]["data-post"] == f"{PREFIX}_proxy/restart"
    assert page.texts["data"] == "null"


def test_hostile_notice_is_inert() -> None:
    problem = Problem(HOSTILE, HOSTILE, HOSTILE)
    actions = [Action(HOSTILE, HOSTILE), Action(HOSTILE, HOSTILE, "post")]
    page = Page(render_notice_page(problem, PREFIX, actions))
    assert len(page.all("script")) == 3
    assert page.all("img") == []
    assert page.texts["heading"] == page.texts["why"] == HOSTILE
    assert page.all("a")[-1]["href"] == HOSTILE


@pytest.mark.parametrize(
    ("remedy", "highlighted"),
    [
        ("Restart it. If that does not help, try again.", "Restart it"),
        ("Switch it on, then try again.", "Try again"),
        ("Ask an admin.", None),
    ],
)
def test_notice_highlights_the_action_that_helps(remedy: str, highlighted: str | None) -> None:
    problem = Problem("It refused.", "", remedy)
    actions = [Action("Restart it", "/restart", "post"), Action("Try again", "/")]
    html = render_notice_page(problem, PREFIX, actions)
    primary = re.findall(r'"(?:button )?primary" (?:href|data-post)="[^"]*">([^<]*)<', html)
    assert primary == ([highlighted] if highlighted else [])


@pytest.mark.parametrize(
    ("remedy", "helps"),
    [
        ("Free some space, then try again.", True),
        ("Try again.", True),
        ("Correct the setting `image`, then restart Jupyter.", False),
    ],
)
def test_try_again_is_highlighted_only_where_it_helps(remedy: str, helps: bool) -> None:
    error = {"what": "It failed.", "why": "", "remedy": remedy}
    page = Page(render_start_page(snapshot("failed", error=error), PREFIX))
    assert ("data-retry" in page.all("main")[0]) is helps


def test_what_failed_after_it_was_ready_is_not_called_a_failed_start() -> None:
    error = {"what": "It was removed.", "why": "", "remedy": "Try again."}
    page = Page(render_start_page(snapshot("failed", error=error, ready_after=3.5), PREFIX))
    assert page.texts["heading"] == "Label Studio stopped working"


def test_an_automatic_restart_is_announced_and_the_page_reloads_without_script() -> None:
    error = {"what": "It ended.", "why": "It was killed.", "remedy": "Try again."}
    html = render_start_page(
        snapshot("failed", error=error, ready_after=3.0, next_start=1790000014.0), PREFIX
    )
    assert "Restarting Label Studio…" in html
    assert "It restarts automatically" in html
    assert "It was killed." in html
    assert 'http-equiv="refresh"' in html


def held(**changes: str) -> dict[str, Any]:
    error = {"what": "It is in use.", "why": "Since noon.", "remedy": "Press Take over."}
    holder = {"address": "https://hub.example/there/", "action": "Take over"} | changes
    return snapshot("failed", error=error, holder=holder)


def test_a_directory_that_another_server_uses_can_be_taken_over_or_opened_there() -> None:
    page = Page(render_start_page(held(), PREFIX))
    assert page.texts["heading"] == "Label Studio is running on another server"
    assert {"data-held", "data-reachable"} < set(page.all("main")[0])
    (button,) = (each for each in page.all("button") if each.get("id") == "take-over")
    assert button["data-post"] == f"{PREFIX}_proxy/take-over"
    assert page.texts["take-over"] == "Take over"
    (link,) = (each for each in page.all("a") if each.get("id") == "there")
    assert link["href"] == "https://hub.example/there/"


@pytest.mark.parametrize("address", ["", "javascript:alert(1)", "//evil.example/", HOSTILE])
def test_an_address_that_is_not_a_web_address_is_no_link(address: str) -> None:
    page = Page(render_start_page(held(address=address, action=HOSTILE), PREFIX))
    assert "data-reachable" not in page.all("main")[0]
    (link,) = (each for each in page.all("a") if each.get("id") == "there")
    assert link["href"] == ""
    assert page.texts["take-over"] == HOSTILE
    assert page.all("img") == []
