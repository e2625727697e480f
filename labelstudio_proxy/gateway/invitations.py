"""Responses about inviting others: the link, and the page that it leads to.

Sign-up is closed, and Jupyter decides who gets in. So Label Studio's own invitations lead nowhere.
"""

from __future__ import annotations

from aiohttp import web

from ..label_studio import paths
from ..problem import Problem
from ..request_kind import RequestKind
from .place import Place
from .responses import json_response, page_response
from .start_page import Action, render_notice_page

_WHAT = "Label Studio has no sign-up here."
_INVITED = "If you were invited here, you are in: open Label Studio."
_BEHIND_JUPYTER = Problem(
    _WHAT,
    "Everyone who may open this Jupyter server works in this Label Studio, as its owner.",
    "To let others in, share the Jupyter server: with JupyterHub, its admin can give them access to it "
    "(scope `access:servers`); without a hub, give them Jupyter's address and its token or password. "
    f"They can then also open the server's notebooks and files. {_INVITED}",
)
_BY_HAND = Problem(
    _WHAT,
    "Everyone who has the address that `labelstudio-proxy serve` printed works in this Label Studio, "
    "as its owner.",
    f"To let others in, give them that address. {_INVITED}",
)


class Invitations:
    """Answers in Label Studio's place."""

    def __init__(self, place: Place) -> None:
        """`place`: decides the link, and what gives access."""
        self._place = place

    async def link(self, request: web.BaseRequest, target: str, kind: RequestKind) -> web.Response:
        """Return the link for *Invite members*; Label Studio's own has no prefix."""
        link = {"invite_url": self._place.prefix + paths.SIGN_UP_PAGE, "token": ""}
        return json_response(link, 200 if kind.is_safe else 201)

    async def page(
        self, request: web.BaseRequest, target: str, kind: RequestKind
    ) -> web.Response | None:
        """Return the page to which that link leads."""
        if not kind.is_navigation:
            return None
        problem = _BEHIND_JUPYTER if self._place.behind_jupyter else _BY_HAND
        open_it = Action("Open Label Studio", self._place.prefix)
        html = render_notice_page(problem, self._place.prefix, (open_it,))
        return page_response(html, ancestors=self._place.frame_ancestors)
