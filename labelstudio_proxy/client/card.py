"""The card of a project in a notebook: title, progress, labels, and a button that opens it."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from . import notebook

# The command of jupyter-server-proxy's JupyterLab extension that opens a page in a tab.
OPEN_COMMAND = "server-proxy:open"
STYLE = (
    "border:1px solid var(--jp-border-color2,#ccc);border-radius:6px;padding:12px 16px;"
    "max-width:32em;font-family:var(--jp-ui-font-family,sans-serif)"
)
BUTTON = (
    "display:inline-block;padding:6px 14px;border-radius:4px;background:#e5502c;color:#fff;"
    "text-decoration:none;font-weight:600"
)


def html(fields: dict[str, Any]) -> str:
    """Return the card as HTML."""
    done, total = fields["labelled"], fields["total"]
    counts = "".join(
        f"<span style='margin-right:1em'>{escape(label)}: <b>{count:,}</b></span>"
        for label, count in fields.get("label_counts", {}).items()
    )
    word = "Label" if done < total else "Open"
    return (
        f'<div style="{STYLE}">'
        f"<b>{escape(fields['title'])}</b> · {done:,} of {total:,} labelled<br>"
        f'<progress value="{done}" max="{total or 1}" style="width:100%"></progress>'
        f'<div style="margin:4px 0 8px">{counts}</div>'
        f"{button(fields, word)}</div>"
    )


def button(fields: dict[str, Any], word: str) -> str:
    """Return a link that opens the project in a browser tab, or in a tab of JupyterLab."""
    attributes = ""
    if not fields["new_browser_tab"]:
        arguments = {
            "id": f"labelstudio-project-{fields['id']}",
            "title": fields["title"],
            "url": fields["url"],
            "newBrowserTab": False,
        }
        attributes = (
            f' data-commandlinker-command="{OPEN_COMMAND}"'
            f' data-commandlinker-args="{escape(json.dumps(arguments))}"'
        )
    return (
        f'<a href="{escape(fields["url"])}" target="_blank" rel="noopener" style="{BUTTON}"'
        f"{attributes}>{escape(word)}</a>"
    )


def open_in_notebook(fields: dict[str, Any]) -> None:
    """Show the button and click it, as far as the browser lets a page open another one."""
    mark = f"labelstudio-open-{fields['id']}"
    script = f"document.querySelector('#{mark} a').click()"
    link = button(fields, f"Open {fields['title']}")
    notebook.show(f'<div id="{mark}">{link}</div><script>{script}</script>')
