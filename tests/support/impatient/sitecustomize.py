"""Makes a gateway give up a body that has stalled after `STALL_SECONDS`, which tests wait for.

Python runs this at its start where the folder is in `PYTHONPATH`.
"""

from __future__ import annotations

import os

from labelstudio_proxy.gateway.proxy import request_body

request_body.STALL_SECONDS = float(os.environ["STALL_SECONDS"])
