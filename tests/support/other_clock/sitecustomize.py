"""Another clock of the gateway than Label Studio's: ahead by the seconds in the file `CLOCK`.

Of several numbers in the file, each is for one token; the last one stays. Python runs this at its start
where the folder is in `PYTHONPATH`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path


class Clock:
    @staticmethod
    def time() -> float:
        file = Path(os.environ["CLOCK"])
        ahead, *rest = file.read_text().split()
        if rest:
            file.write_text(" ".join(rest))
        return time.time() + float(ahead)


if "CLOCK" in os.environ:  # not in Label Studio's environment
    from labelstudio_proxy.label_studio import access_token

    vars(access_token)["time"] = Clock
