"""Assets are fetched once, compressed and kept; if that fails, pages get them from Label Studio."""

from __future__ import annotations

import gzip
import random
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import brotli
import pytest
from support.gateway import PROGRAM, Gateway, Response, add_account, stand_in
from support.installation import SmallInstallation
from support.processes import wait_for

from labelstudio_proxy.gateway.assets.background import COMPLETE

SCRIPT = "".join(f'window.x{n} = "/static/{n}.png";\n' for n in range(20_000)).encode()
OTHER_SCRIPT = SCRIPT.replace(b"window", b"global")
STYLE = b"a { background: url(/static/a.png) }\n" * 4000
PICTURE = bytes(range(256)) * 20
BROTLI, GZIP = ("Accept-Encoding", "gzip, deflate, br"), ("Accept-Encoding", "gzip")


@pytest.fixture
def installation(tmp_path: Path) -> SmallInstallation:
    made = SmallInstallation(tmp_path / "installation")
    made.put("react-app/main.js", SCRIPT)
    made.put("react-app/main.css", STYLE)
    made.put("static/a.0123456789ab.png", PICTURE)
    return made


Start = Callable[..., Gateway]


@pytest.fixture
def start(
    new_data_dir: Callable[[], Path], installation: SmallInstallation, tmp_path: Path
) -> Iterator[Start]:
    """Start a gateway with the installation, ready. All gateways share a cache."""
    with ExitStack() as stack:

        def started(
            of: SmallInstallation = installation, cache: Path = tmp_path / "cache", **options: Any
        ) -> Gateway:
            data_dir = new_data_dir()
            add_account(data_dir, "ada@localhost")
            settings = {"label_studio": str(of.executable)}
            gateway = Gateway(data_dir, settings=settings, cache=cache, **options)
            stack.callback(gateway.stop)
            gateway.start()
            return gateway

        yield started


def seen(gateway: Gateway) -> list[str]:
    """Return the assets that were requested from Label Studio."""
    targets: list[str] = gateway.ask("GET", "/-/seen", [PROGRAM]).json()
    return [target for target in targets if target.startswith(("/static/", "/react-app/"))]


def get(gateway: Gateway, target: str, *headers: tuple[str, str], method: str = "GET") -> Response:
    return gateway.ask(method, target, [PROGRAM, *headers])


def plain(answer: Response) -> bytes:
    assert answer.status == 200
    unpack = {("br",): brotli.decompress, ("gzip",): gzip.decompress, (): bytes}
    content: bytes = unpack[tuple(answer.all("Content-Encoding"))](answer.body)
    return content


# ---- Once


def test_each_asset_is_fetched_once(start: Start) -> None:
    gateway = start()
    for headers in ([], [BROTLI], [GZIP], [BROTLI]):
        assert plain(get(gateway, "/react-app/main.js?v=abcdef", *headers)) == SCRIPT
    assert get(gateway, "/static/a.0123456789ab.png", BROTLI).body == PICTURE
    assert get(gateway, "/static/a.0123456789ab.png").body == PICTURE
    assert sorted(seen(gateway)) == ["/react-app/main.js", "/static/a.0123456789ab.png"]


def test_the_next_gateway_fetches_no_asset_again(start: Start) -> None:
    assert plain(get(start(), "/react-app/main.js", BROTLI)) == SCRIPT
    again = start()
    assert plain(get(again, "/react-app/main.js", BROTLI)) == SCRIPT
    assert plain(get(again, "/react-app/main.js")) == SCRIPT
    assert seen(again) == []


def test_simultaneous_requests_cause_one_fetch(start: Start) -> None:
    gateway = start()
    codings = [[BROTLI], [GZIP], []]
    with ThreadPoolExecutor(50) as pool:
        answers = pool.map(
            lambda number: get(gateway, "/react-app/main.js", *codings[number % 3]), range(50)
        )
        assert {plain(answer) for answer in answers} == {SCRIPT}
    assert seen(gateway) == ["/react-app/main.js"]


def test_two_gateways_share_the_cache(start: Start) -> None:
    first, second = start(), start()
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(
            lambda number: get((first, second)[number % 2], "/react-app/main.js", BROTLI), range(20)
        )
        assert {plain(answer) for answer in answers} == {SCRIPT}
    assert len(seen(first) + seen(second)) <= 2
    assert plain(get(first, "/react-app/main.js")) == SCRIPT


def test_a_client_that_disconnects_does_not_cancel_the_fetch(start: Start) -> None:
    gateway = start()
    with gateway.connection() as sock:
        sock.sendall(
            b"GET /react-app/main.js HTTP/1.1\r\nHost: x\r\nAuthorization: token x\r\n\r\n"
        )
    assert plain(get(gateway, "/react-app/main.js", BROTLI)) == SCRIPT
    assert len(seen(gateway)) <= 1


# ---- Builds


def test_another_build_of_the_same_version_has_its_own_assets(
    start: Start, installation: SmallInstallation, tmp_path: Path
) -> None:
    assert plain(get(start(), "/react-app/main.js?v=abcdef", BROTLI)) == SCRIPT
    rebuilt = SmallInstallation(tmp_path / "rebuilt")
    rebuilt.put("react-app/main.js", OTHER_SCRIPT)
    assert plain(get(start(rebuilt), "/react-app/main.js?v=abcdef", BROTLI)) == OTHER_SCRIPT
    assert plain(get(start(), "/react-app/main.js?v=abcdef", BROTLI)) == SCRIPT


def test_an_upgrade_between_two_starts_is_noticed(
    start: Start, installation: SmallInstallation
) -> None:
    gateway = start()
    before = get(gateway, "/react-app/main.js", BROTLI)
    gateway.stop_label_studio()
    installation.put("react-app/main.js", OTHER_SCRIPT)
    gateway.start()
    known = ("If-None-Match", before["ETag"])
    assert plain(get(gateway, "/react-app/main.js", BROTLI, known)) == OTHER_SCRIPT


def test_a_change_of_a_running_label_studio_is_noticed(
    start: Start, installation: SmallInstallation
) -> None:
    gateway = start()
    assert plain(get(gateway, "/react-app/main.js", BROTLI)) == SCRIPT
    installation.put("react-app/main.js", OTHER_SCRIPT)
    wait_for(
        lambda: plain(get(gateway, "/react-app/main.js", BROTLI)) == OTHER_SCRIPT,
        what="the new script",
        timeout=20,
    )


def test_assets_of_an_unknown_build_are_kept_for_one_run(
    new_data_dir: Callable[[], Path], installation: SmallInstallation, tmp_path: Path
) -> None:
    data_dir, cache = new_data_dir(), tmp_path / "cache"
    add_account(data_dir, "ada@localhost")
    # It does not say where its files are.
    wrapper = stand_in(tmp_path / "unknown", f'exec "{installation.folder}/python" "$@"')
    gateway = Gateway(data_dir, settings={"label_studio": str(wrapper)}, cache=cache)
    try:
        for content in (SCRIPT, OTHER_SCRIPT):
            installation.put("react-app/main.js", content)
            gateway.start()
            for headers in ([], [BROTLI], []):
                assert plain(get(gateway, "/react-app/main.js", *headers)) == content
            assert seen(gateway) == ["/react-app/main.js"]
            gateway.stop_label_studio()
    finally:
        gateway.process.stop()
    assert list((cache / "labelstudio-proxy" / "assets").iterdir()) == []
    gateway.stop()


# ---- Prefixes


def test_each_prefix_has_its_own_style_sheets(start: Start) -> None:
    for prefix in ("/labelstudio/", "/user/alice/labelstudio/"):
        gateway = start(prefix=prefix)
        for headers in ([BROTLI], [GZIP], []):
            found = plain(get(gateway, "/react-app/main.css?v=abcdef", *headers))
            assert found == STYLE.replace(b"/static", f"{prefix}static".encode())
        assert seen(gateway) == ["/react-app/main.css"]
        plain(get(gateway, "/react-app/main.js"))
    assert seen(gateway) == ["/react-app/main.css"]


# ---- Validation


@pytest.mark.parametrize("coding", [BROTLI, GZIP, ("Accept-Encoding", "identity")])
def test_an_unchanged_asset_is_not_sent_again(start: Start, coding: tuple[str, str]) -> None:
    gateway = start()
    first = get(gateway, "/react-app/main.js", coding)
    assert first["Cache-Control"] == "no-cache"
    assert first["Vary"] == "Accept-Encoding"
    again = get(gateway, "/react-app/main.js", coding, ("If-None-Match", first["ETag"]))
    assert (again.status, again.body, again["ETag"]) == (304, b"", first["ETag"])


def test_each_coding_has_its_own_validator(start: Start) -> None:
    gateway = start()
    answers = [get(gateway, "/react-app/main.js", *headers) for headers in ([], [BROTLI], [GZIP])]
    etags = {answer["ETag"] for answer in answers}
    assert len(etags) == 3
    assert all(etag.startswith('"') for etag in etags)
    other = ("If-None-Match", answers[2]["ETag"])
    assert get(gateway, "/react-app/main.js", BROTLI, other).status == 200


def test_a_better_compressed_asset_is_not_sent_again(start: Start) -> None:
    gateway = start()
    first = get(gateway, "/react-app/main.js", GZIP)

    def better() -> Response | None:
        answer = get(gateway, "/react-app/main.js", GZIP)
        return answer if len(answer.body) < len(first.body) else None

    assert plain(wait_for(better, what="a better compressed script")) == SCRIPT
    again = get(gateway, "/react-app/main.js", GZIP, ("If-None-Match", first["ETag"]))
    assert (again.status, again["ETag"]) == (304, first["ETag"])


def test_a_head_has_the_headers_of_a_get(start: Start) -> None:
    gateway = start()
    head = get(gateway, "/react-app/main.js", BROTLI, method="HEAD")
    whole = get(gateway, "/react-app/main.js", BROTLI)
    assert head.body == b""
    for name in ("Content-Length", "Content-Encoding", "Content-Type", "ETag"):
        assert head[name] == whole[name]
    assert int(whole["Content-Length"]) == len(whole.body)
    assert len(seen(gateway)) == 1


def test_urls_with_a_hash_or_a_commit_are_immutable(start: Start) -> None:
    gateway = start()
    immutable = "private, max-age=31536000, immutable"
    for target in ("/react-app/main.js?v=df96d7", "/static/a.0123456789ab.png"):
        assert get(gateway, target, BROTLI)["Cache-Control"] == immutable
    for target in ("/react-app/main.js", "/react-app/main.js?v=1"):
        assert get(gateway, target, BROTLI)["Cache-Control"] == "no-cache"


# ---- Parts, and responses that are not kept


def test_a_part_comes_from_label_studio(start: Start) -> None:
    gateway = start()
    plain(get(gateway, "/react-app/main.js", BROTLI))
    part = get(gateway, "/react-app/main.js", BROTLI, ("Range", "bytes=10-19"))
    assert (part.status, part.body) == (206, SCRIPT[10:20])
    assert part["Content-Range"] == f"bytes 10-19/{len(SCRIPT)}"


def test_a_compressed_asset_is_never_continued_with_other_bytes(start: Start) -> None:
    gateway = start()
    etag = get(gateway, "/react-app/main.js", BROTLI)["ETag"]
    continued = ("Range", "bytes=100-"), ("If-Range", etag)
    assert plain(get(gateway, "/react-app/main.js", BROTLI, *continued)) == SCRIPT


def test_a_missing_asset_is_requested_each_time(
    start: Start, installation: SmallInstallation
) -> None:
    gateway = start()
    assert get(gateway, "/static/late.js").status == 404
    installation.put("static/late.js", SCRIPT)
    assert plain(get(gateway, "/static/late.js", BROTLI)) == SCRIPT


def test_a_page_below_an_asset_folder_is_mapped(
    start: Start, installation: SmallInstallation
) -> None:
    installation.put("react-app/index.html", b"<head></head><a href='/x'>x</a>")
    gateway = start()
    for _ in range(2):
        page = get(gateway, "/react-app/index.html")
        assert f"href='{gateway.prefix}x'".encode() in page.body
        assert "Content-Security-Policy" in page


# ---- A cache that fails


@contextmanager
def tiny_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no small disk can be mounted: not root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def kept_files(cache: Path) -> list[Path]:
    """The files of assets, without those that are being written."""
    files = (path for path in (cache / "labelstudio-proxy").rglob("*") if path.is_file())
    return [file for file in files if not file.name.startswith("tmp")]


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "nonsense", "removed"])
def test_a_damaged_file_is_replaced(start: Start, tmp_path: Path, damage: str) -> None:
    gateway = start()
    for headers in ([BROTLI], [GZIP], []):
        plain(get(gateway, "/react-app/main.js", *headers))
    files = kept_files(tmp_path / "cache")
    assert len(files) >= 3
    for file in files:
        content = file.read_bytes()
        middle = len(content) // 2
        if damage == "removed":
            file.unlink()
        else:
            file.write_bytes(
                {
                    "truncated": content[:middle],
                    "changed": content[:middle] + b"?!" + content[middle + 2 :],
                    "empty": b"",
                    "nonsense": b'{"a": 1}\n[]',
                }[damage]
            )
    for headers in ([BROTLI], [GZIP], []):
        assert plain(get(gateway, "/react-app/main.js", *headers)) == SCRIPT
    assert len(seen(gateway)) == 2


@pytest.mark.parametrize("kilobytes", [4, 300, 800])
def test_a_full_disk_breaks_no_page(start: Start, tmp_path: Path, kilobytes: int) -> None:
    with tiny_disk(tmp_path / "disk", kilobytes) as disk:
        gateway = start(cache=disk)
        for _ in range(2):
            for headers in ([BROTLI], [GZIP], []):
                assert plain(get(gateway, "/react-app/main.js", *headers)) == SCRIPT
            assert get(gateway, "/static/a.0123456789ab.png", BROTLI).body == PICTURE
        gateway.stop()


@pytest.mark.parametrize("obstacle", ["file", "dangling link", "other's"])
def test_pages_work_without_a_cache(start: Start, tmp_path: Path, obstacle: str) -> None:
    cache = tmp_path / "no-cache"
    if obstacle == "file":
        cache.write_text("not a folder")
    elif obstacle == "dangling link":
        cache.symlink_to("/proc/nowhere")
    else:
        assets = cache / "labelstudio-proxy" / "assets"
        assets.mkdir(parents=True)
        assets.chmod(0o777)
    gateway = start(cache=cache)
    for headers in ([BROTLI], [GZIP], []):
        assert get(gateway, "/react-app/main.js", *headers).body == SCRIPT


def test_only_the_user_can_read_the_cache(start: Start, tmp_path: Path) -> None:
    plain(get(start(), "/react-app/main.js", BROTLI))
    assets = tmp_path / "cache" / "labelstudio-proxy" / "assets"
    assert assets.stat().st_mode & 0o777 == 0o700
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in assets.iterdir())


# ---- Compression in the background


def complete(cache: Path) -> list[Path]:
    return [*(cache / "labelstudio-proxy" / "assets").glob(f"*/{COMPLETE}")]


def test_files_are_compressed_during_the_start(start: Start, tmp_path: Path) -> None:
    gateway = start(prefix="/user/alice/labelstudio/")
    wait_for(lambda: complete(tmp_path / "cache"), what="the compressed files")
    for path, content in (
        ("/react-app/main.js", SCRIPT),
        ("/react-app/main.css", STYLE.replace(b"/static", b"/user/alice/labelstudio/static")),
    ):
        answer = get(gateway, path, BROTLI)
        assert answer["ETag"].endswith('-br11"')
        assert plain(answer) == content


def test_a_gateway_that_compresses_stops_at_once(
    start: Start, installation: SmallInstallation, tmp_path: Path
) -> None:
    installation.put("react-app/long.js", random.Random(1).randbytes(2_000_000).hex().encode())
    gateway = start()
    assert not complete(tmp_path / "cache")
    assert gateway.process.stop(timeout=10)
    assert not complete(tmp_path / "cache")


# ---- The gateway's own files


def test_the_gateways_script_is_immutable_and_compressed(start: Start) -> None:
    gateway = start()
    first = get(gateway, "/_proxy/static/prefix.js", BROTLI)
    assert first["Cache-Control"] == "no-cache"
    version = first["ETag"].strip('"')[:12]
    again = get(gateway, f"/_proxy/static/prefix.js?v={version}", GZIP)
    assert "immutable" in again["Cache-Control"]
    other = get(gateway, "/_proxy/static/prefix.js?v=0123456789ab")
    assert other["Cache-Control"] == "no-cache"
    assert plain(first) == plain(again) == plain(other)
    known = ("If-None-Match", first["ETag"])
    assert get(gateway, "/_proxy/static/prefix.js", BROTLI, known).status == 304
