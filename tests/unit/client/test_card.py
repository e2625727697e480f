"""The card of a project, as HTML."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from labelstudio_proxy.client import card
from labelstudio_proxy.problem import Problem

TITLE = "<script>alert('1')</script> & \"é\" 🌭"


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "id": 3,
        "title": TITLE,
        "task": "image-classification",
        "total": 1200,
        "labelled": 40,
        "url": "/user/ada/labelstudio/projects/3/data?labeling=1",
        "new_browser_tab": False,
        "label_counts": {"<b>": 30, "dog": 10},
        "last": [
            {
                "labels": ['"x" onerror="1"'],
                "image": "/user/ada/labelstudio/data/local-files/?d=a&b.png",
                "text": "a&b.png",
                "url": "/user/ada/labelstudio/projects/3/data?task=7",
            }
        ],
        **changes,
    }


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_whatever_a_name_contains_is_shown_and_does_nothing() -> None:
    html = card.html(fields())
    assert TITLE in text(html)
    assert '"x" onerror="1"' in text(html)
    assert "<script" not in html
    assert "<b>30" not in html
    assert "40 of 1,200 labelled" in html


def test_a_browser_tab_needs_no_command_of_jupyterlab() -> None:
    assert 'data-commandlinker-command="server-proxy:open"' in card.html(fields())
    html = card.html(fields(new_browser_tab=True))
    assert "commandlinker" not in html
    assert 'href="/user/ada/labelstudio/projects/3/data?labeling=1" target="_blank"' in html


def test_another_machine_has_an_address_and_no_pictures() -> None:
    html = card.html(fields(), "https://hub.example/user/ada/")
    assert 'href="https://hub.example/user/ada/labelstudio/projects/3/data?labeling=1"' in html
    assert "commandlinker" not in html
    assert "<img" not in html


def test_the_most_frequent_labels_are_enough() -> None:
    shown = text(card.html(fields(label_counts={f"label {n}": 1 for n in range(500)})))
    assert "label 9 1 and 490 more" in shown
    assert "label 10" not in shown


def test_an_empty_project_and_one_that_is_gone_have_a_card() -> None:
    empty = card.html(fields(total=0, labelled=0, label_counts={}, last=[], task=""))
    assert "0 of 0 labelled" in empty
    gone = Problem("There is no project 3.", "It was deleted.", "`projects()` lists them.")
    html = card.html(fields(), problem=gone)
    assert "There is no project 3. It was deleted. <code>projects()</code> lists them." in html


def test_the_card_says_why_the_file_with_the_labels_is_behind() -> None:
    html = card.html(fields(keep_problem="The disk of <labels> is full."))
    assert "The disk of &lt;labels&gt; is full." in html
