"""Makes Label Studio's tables unknown to a gateway, as those of a later version may be.

Python runs this at its start where the folder is in `PYTHONPATH`.
"""

from __future__ import annotations

from labelstudio_proxy.data_directory import annotations as database

database._TABLES["project"].add("a column of a later version")
