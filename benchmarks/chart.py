"""The chart: a bar for each row, as a share of its target. A bar within its target ends before 1."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .results import Row

LABEL_WIDTH, BAR_WIDTH, TEXT_WIDTH = 470, 340, 130
LINE, TOP, BOTTOM = 26, 44, 16
MOST = 2.0  # times the target; longer bars are cut
LONGEST = 64  # characters of a label
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.met { fill: #2da44e } .missed { fill: #cf222e } .target { stroke: #24292f; stroke-dasharray: 4 3 }
.paper { fill: #ffffff } .track { fill: #eaeef2 }"""


def draw(rows: Sequence[Row]) -> str:
    """Return an SVG image of the rows, in their order."""
    width = LABEL_WIDTH + BAR_WIDTH + TEXT_WIDTH
    height = TOP + LINE * len(rows) + BOTTOM
    at_target = LABEL_WIDTH + BAR_WIDTH / MOST
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img">',
        "<title>Each result as a share of what its target allows</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        '<text class="title" x="12" y="22">Share of what the target allows (shorter is better)</text>',
        f'<text x="{at_target}" y="{TOP - 6}" text-anchor="middle">the target</text>',
    ]
    for number, row in enumerate(rows):
        parts += _bar(row, TOP + LINE * number)
    end = TOP + LINE * len(rows)
    parts.append(
        f'<line class="target" x1="{at_target}" x2="{at_target}" y1="{TOP}" y2="{end}"/></svg>'
    )
    return "\n".join(parts) + "\n"


def _bar(row: Row, y: int) -> list[str]:
    middle = y + LINE / 2 + 4
    box = f'y="{y + 5}" height="{LINE - 10}" rx="2"'
    parts = [
        f'<text x="{LABEL_WIDTH - 10}" y="{middle}" text-anchor="end">{escape(_short(row.what))}</text>',
        f'<rect class="track" x="{LABEL_WIDTH}" {box} width="{BAR_WIDTH}"/>',
    ]
    if row.used is not None:
        length = max(2.0, min(row.used, MOST) / MOST * BAR_WIDTH)
        colour = "met" if row.met else "missed"
        parts.append(f'<rect class="{colour}" x="{LABEL_WIDTH}" {box} width="{length:.1f}"/>')
    parts.append(
        f'<text x="{LABEL_WIDTH + BAR_WIDTH + 8}" y="{middle}">{escape(row.result_text())}</text>'
    )
    return parts


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
