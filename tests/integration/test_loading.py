"""How Label Studio loads, with its own packages."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from support.label_studio import EXECUTABLE
from support.processes import clean_environment

from labelstudio_proxy.label_studio import environment
from labelstudio_proxy.label_studio.programs import SERVER

LOAD = """
import json, labelstudio_server
labelstudio_server.load()
"""

COLLECTION = """
import gc
print(json.dumps([gc.isenabled(), gc.get_freeze_count() > 0]))
"""

SELDOM_USED = """
import sys, yaml
seldom = "pandas.core", "faker", "nltk", "aiohttp", "ua_parser", "rfc3987_syntax.syntax"
loaded = [name for name in seldom if name in sys.modules]
from core.label_config import pd
from label_studio_sdk.converter import utils
from label_studio_sdk.label_interface.interface import JSF
table = pd.DataFrame({"text": ["yes"]}).to_dict("records")
tokens, _ = utils.create_tokens_and_tags("cat/dog", None)
made = JSF({"type": "string", "enum": ["cat"]}).generate()
class Derived(JSF):  # as another release may have it
    pass
derived = isinstance(Derived({"type": "string"}), JSF)
print(json.dumps([loaded, table, tokens, made, derived, yaml.safe_load("{a: 1}")]))
"""


def loaded(program: str, data_dir: Path, home: Path) -> Any:
    """Return what the program prints after Label Studio is loaded."""
    python = EXECUTABLE.parent / "python"
    variables = environment.labelstudio_environment(
        clean_environment(home), data_dir=data_dir, files_root=None, extra={}
    )
    variables["PYTHONPATH"] = str(SERVER.parent)
    done = subprocess.run(
        [python, "-c", LOAD + program], env=variables, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_garbage_collection_is_on_after_loading(data_dir: Path, tmp_path: Path) -> None:
    assert loaded(COLLECTION, data_dir, tmp_path) == [True, True]


def test_what_is_seldom_used_is_imported_when_it_is_used(data_dir: Path, tmp_path: Path) -> None:
    tokens = ["cat", "/", "dog"]  # with the SDK's own punctuation
    expected = [[], [{"text": "yes"}], tokens, "cat", True, {"a": 1}]
    assert loaded(SELDOM_USED, data_dir, tmp_path) == expected
