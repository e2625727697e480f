"""Large files of Label Studio through the whole chain: throughput, memory, identical bytes, seeks."""

from __future__ import annotations

import hashlib
import statistics
import time
from functools import partial
from pathlib import Path
from urllib.parse import quote

from support.label_studio import BareLabelStudio

from .bench import Bench, NotPossible, alternate, alternate_possible, measures
from .bytes_through import MB, asking, download, memory_row, speed_row, watch
from .results import Compare, Row, Table, number
from .servers import Chain, Way, files, way_to
from .throughput import ALONE, SAME, TILE, others, samples, take

DOWNLOAD = 2000 * MB
# Label Studio requires a subfolder of the files root.
FOLDER = "videos"


class Studio:
    """Label Studio in the chain and bare, both with a large file among the notebook's files."""

    def __init__(self, bench: Bench) -> None:
        self.root = bench.folder()
        self.chain = Chain(
            bench,
            bench.started_data_dir(),
            root_dir=self.root,
            config={"files_root": str(self.root)},
        )
        self.bare = bench.keep(BareLabelStudio(bench.started_data_dir(), env=files(self.root)))
        (self.root / FOLDER).mkdir()
        storage = {"project": 1, "path": str(self.root / FOLDER), "use_blob_urls": True}
        for asked in (self.chain.studio, self.bare):
            made = asked.post("api/storages/localfiles", json={**storage, "title": "Videos"})
            assert made.status_code == 201, made.text[:1000]

    def path(self, name: str) -> str:
        return f"data/local-files/?d={quote(f'{FOLDER}/{name}')}"


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


@measures("download")
def downloads(bench: Bench) -> list[Row | Table]:
    """A notebook file, served by Label Studio, which first reads all of it into memory."""
    size = bench.size(DOWNLOAD)
    studio = Studio(bench)
    file = bench.random_file(studio.root / FOLDER / "film.mp4", size)
    path, digest = studio.path(file.name), digest_of(file)
    chain = studio.chain
    memory = watch(chain)

    def ours() -> float:
        with memory.watched():
            return download(chain.whole, path, size)

    rounds = bench.times(3)
    runs = samples(
        alternate_possible(
            rounds, {TILE: ours, SAME: lambda: download(chain.label_studio, path, size)}
        )
    )
    download(chain.whole, path, size, digest=digest)
    ways = {ALONE: way_to(studio.bare), **others(bench, studio.bare)}
    runs |= samples(
        alternate_possible(
            min(rounds, 2),
            {name: partial(download, way, path, size) for name, way in ways.items()},
        )
    )
    what = f"{size // MB} MB downloaded from Label Studio"
    return [
        speed_row("download", what, runs, SAME, ("the bytes are the file's (SHA-256).",)),
        memory_row("download-memory", what, memory),
    ]


def first_byte(way: Way, path: str, start: int) -> float:
    """Return the milliseconds to the first byte of the range from `start`; do not read the rest."""
    begin = time.perf_counter()
    with asking(way, "GET", path, {"Range": f"bytes={start}-"}) as response:
        if response.status != 206:
            raise NotPossible(f"{response.status} {response.reason}")
        assert response.read(1)
        return 1000 * (time.perf_counter() - begin)


@measures("seek")
def seek(bench: Bench) -> list[Row | Table]:
    """A seek in a video, as browsers do it: in an upload and in a notebook file."""
    studio = Studio(bench)
    chain = studio.chain
    rows: list[Row | Table] = []
    uploaded = _upload_place(chain)
    for size, rounds in ((bench.size(DOWNLOAD), 7), (bench.size(20 * MB), 25)):
        local = bench.random_file(studio.root / FOLDER / f"film-{size}.mp4", size)
        # Label Studio accepts no upload of this size, so the large file replaces a small one.
        stored = chain.data_dir / "media" / uploaded.removeprefix("data/")
        stored.unlink()
        stored.hardlink_to(local)
        for kind, path in (("local", studio.path(local.name)), ("upload", uploaded)):
            start = size * 3 // 4

            def measured(way: Way, path: str = path, start: int = start) -> float:
                # the server is still cancelling the rest of the previous seek
                time.sleep(0.2)
                return first_byte(way, path, start)

            runs = samples(
                alternate_possible(
                    bench.times(rounds),
                    {
                        TILE: partial(measured, chain.whole),
                        SAME: partial(measured, chain.label_studio),
                    },
                )
            )
            where = "the notebook's files" if kind == "local" else "the uploads"
            rows.append(
                Row(
                    key=f"seek-{kind}-{size // MB}",
                    what=f"Seek in a video of {size // MB} MB in {where}",
                    unit="ms",
                    compare=Compare.ADDED,
                    target=10,
                    ours=take(runs, TILE),
                    against=take(runs, SAME),
                    against_name=SAME,
                )
            )
        local.unlink()
    return rows


def _upload_place(chain: Chain) -> str:
    """Upload a small file and return its path."""
    asked = chain.studio
    made = asked.post("api/projects/1/import", files={"film.mp4": ("film.mp4", b"film")})
    assert made.status_code == 201, made.text[:1000]
    (number,) = made.json()["file_upload_ids"]
    return f"data/{asked.get(f'api/import/file-upload/{number}').json()['file']}"


@measures("file-size")
def file_sizes(bench: Bench) -> list[Row | Table]:
    """The cost of a download by the size of the file."""
    studio = Studio(bench)
    chain = studio.chain
    lines = []
    for size, rounds in ((MB, 15), (100 * MB, 5), (bench.size(DOWNLOAD), 3)):
        file = bench.random_file(studio.root / FOLDER / f"film-{size}.mp4", size)
        path = studio.path(file.name)
        runs = alternate(
            bench.times(rounds),
            {
                TILE: partial(download, chain.whole, path, size),
                SAME: partial(download, chain.label_studio, path, size),
            },
        )
        direct, ours = (statistics.median(runs[name]) for name in (SAME, TILE))
        lines.append(
            (
                f"{size // MB} MB",
                f"{number(1000 * size / MB / direct)} ms ({number(direct)} MB/s)",
                f"{number(1000 * size / MB / ours)} ms ({number(ours)} MB/s)",
                f"{ours / direct:.2f}",
            )
        )
        file.unlink()
    return [
        Table(
            "file-size",
            "A download, by the size of the file",
            ("size", SAME, TILE, "share of the throughput"),
            tuple(lines),
        )
    ]
