"""A coverage-guided fuzzer looks for bytes that the page mapping and the filters get wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="atheris has no wheel for this Python or machine")

HERE = Path(__file__).parent
CAPTURED = HERE.parent / "unit" / "gateway" / "proxy" / "captured"
MOST_BYTES = 2000
RUNS = {"page": 30_000, "css": 100_000, "headers": 100_000, "target": 100_000}
SEEDS = {
    "css": [b"a{b:url('/x')} @import \"/y\"; /* url(/z) */ c{d:url( /e )}"],
    "headers": [
        b"Cookie:a\nX_Forwarded-Host: b\nConnection:close, x-own\nx-own:1\nAuthorization: c"
    ],
    "target": [
        b"/a?token=1&t%6Fken=2&b=%74",
        b"//evil",
        b"http://localhost/projects?a=b#c",
        b"\\\\evil",
    ],
}


@pytest.mark.parametrize("name", RUNS)
def test_the_fuzzer_finds_no_failure(name: str, tmp_path: Path) -> None:
    seeds = SEEDS.get(name, [])
    if name == "page":
        for page in sorted(CAPTURED.glob("*.html")):
            text = page.read_bytes()
            seeds = [*seeds, text[:MOST_BYTES], text[-MOST_BYTES:]]
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)
    options = [f"-runs={RUNS[name]}", "-seed=1", f"-max_len={MOST_BYTES}", "-verbosity=0"]
    done = subprocess.run(
        [sys.executable, str(HERE / "targets.py"), name, *options, str(corpus)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    found = [path.read_bytes() for path in tmp_path.glob("crash-*")]
    assert done.returncode == 0, f"{found}\n{done.stdout.decode(errors='replace')[-4000:]}"
