"""The files of a source."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labelstudio_proxy.labelling import files, signatures
from labelstudio_proxy.labelling.files import Files
from labelstudio_proxy.labelling.tasks import task_named
from labelstudio_proxy.problem import Problem

IMAGES = task_named("image-classification")
PNG = b"\x89PNG\r\n\x1a\n"
NASTY = (
    *("50 %.png", "#1.png", "a&b=c.png", 'it\'s "it".png', "🌭.png", "a+b c.png", "a;b?.png"),
    *("%41.png", "new\nline.png", " space .png", "é.png", "é.png", "x" * 251 + ".png", "\\.png"),
)


def fill(folder: Path, *names: str, content: bytes = PNG) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(found: Files, folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path in found.paths]


def counts(found: Files) -> dict[str, int]:
    return {reason: each.count for reason, each in found.left_out.items()}


def test_files_are_in_the_order_that_people_expect(tmp_path: Path) -> None:
    fill(tmp_path, "10.png", "2.png", "B/1.png", "a/11.png", "a/2/x.png", "C.png", "a.png")

    found = files.in_folder(str(tmp_path))

    assert names(found, tmp_path) == [
        *("2.png", "10.png", "a/2/x.png", "a/11.png", "a.png", "B/1.png", "C.png"),
    ]
    assert not found.left_out


def test_subfolders_can_be_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b/c.png")

    assert names(files.in_folder(str(tmp_path), recursive=False), tmp_path) == ["a.png"]


def test_hidden_files_and_folders_are_not_there(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", ".b.png", ".ipynb_checkpoints/a.png", "c/._d.png")

    found = files.in_folder(str(tmp_path))

    assert names(found, tmp_path) == ["a.png"]
    assert not found.left_out


def test_nasty_names_are_found(tmp_path: Path) -> None:
    fill(tmp_path, *NASTY)

    found = files.usable(files.in_folder(str(tmp_path)), IMAGES)

    assert set(names(found, tmp_path)) == set(NASTY)


def test_a_name_that_is_no_text_is_left_out_and_shown(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))).write_bytes(PNG)

    found = files.in_folder(str(tmp_path))

    assert names(found, tmp_path) == ["a.png"]
    assert found.notes() == [f"Left out 1 (names that are not UTF-8): {tmp_path}/\ufffd.png."]


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to("self")
    (tmp_path / "a/lost.png").symlink_to("nowhere.png")
    (tmp_path / "b/one.png").symlink_to(tmp_path / "a/1.png")

    found = files.in_folder(str(tmp_path))

    assert names(found, tmp_path) == ["a/1.png", "b/2.png", "b/one.png"]
    assert counts(found) == {files.BROKEN_LINK: 2}


def test_links_that_lead_out_are_left_out(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "root-2"
    fill(root, "a.png")
    fill(elsewhere, "b.png")
    (root / "b.png").symlink_to(elsewhere / "b.png")
    (root / "c").symlink_to(elsewhere)
    (root / "d.png").symlink_to("a.png")

    found = files.in_folder(str(root), within=str(root))

    assert names(found, root) == ["a.png", "d.png"]
    assert counts(found) == {files.LEADS_OUT: 2}


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")

    assert counts(files.in_folder(str(tmp_path))) == {files.NOT_REGULAR: 1}


@contextlib.contextmanager
def without_roots_rights() -> Iterator[None]:
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_closed_folders_and_files_are_named() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        folder = Path(path)
        folder.chmod(0o755)
        fill(folder, "a.png", "b.png", "c/d.png")
        (folder / "b.png").chmod(0)
        (folder / "c").chmod(0)
        with without_roots_rights():
            found = files.usable(files.in_folder(path), IMAGES)
            said = refused(lambda: files.in_folder(f"{path}/c"))
        (folder / "c").chmod(0o700)

    assert names(found, folder) == ["a.png"]
    assert counts(found) == {files.CLOSED_FOLDER: 1, signatures.NO_ACCESS: 1}
    assert "cannot be read. Permission denied." in said


def test_other_files_are_left_out_with_examples(tmp_path: Path) -> None:
    fill(tmp_path, "a.PNG", *(f"{n}.txt" for n in range(5)))
    fill(tmp_path, "not.png", content=b"<html>404")

    found = files.usable(files.in_folder(str(tmp_path)), IMAGES)

    assert names(found, tmp_path) == ["a.PNG"]
    assert counts(found) == {files.OTHER_KIND: 5, signatures.NO_PICTURE: 1}
    assert found.notes()[0].startswith(f"Left out 5 (of another kind): {tmp_path}/0.txt, ")
    assert found.notes()[0].endswith("2.txt …")


def test_progress_is_told(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{n}.png" for n in range(1200)))
    told: list[tuple[int, int]] = []

    found = files.in_folder(str(tmp_path), progress=lambda *each: told.append(each))
    files.usable(found, IMAGES, progress=lambda *each: told.append(each))

    assert told == [(500, 0), (1000, 0), (500, 1200), (1000, 1200), (1200, 1200)]


def test_a_list_keeps_its_order_and_has_each_file_once(tmp_path: Path) -> None:
    fill(tmp_path, "b.png", "a.png")
    paths = [str(tmp_path / name) for name in ("b.png", "a.png", "x/../b.png")]

    assert names(files.in_list(paths), tmp_path) == ["b.png", "a.png"]


def test_a_pattern_matches_files(tmp_path: Path) -> None:
    fill(tmp_path, "10.png", "9.png", "a/b/c.png", "a/d.jpg", ".e.png")

    assert names(files.matching(f"{tmp_path}/*"), tmp_path) == ["9.png", "10.png"]
    assert names(files.matching(f"{tmp_path}/**/*.png"), tmp_path) == [
        *("9.png", "10.png", "a/b/c.png"),
    ]


def test_a_folder_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    fill(tmp_path, "a[1]/b.png")

    assert not files.is_pattern(f"{tmp_path}/a[1]")
    assert not files.is_pattern(str(tmp_path))
    assert files.is_pattern(f"{tmp_path}/a[1-9]")


def folder(path: Path, *, recursive: bool = True) -> Callable[[], object]:
    return lambda: files.in_folder(str(path), recursive=recursive)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(Problem) as error:
        action()
    return error.value.as_sentence()


def test_a_missing_folder_names_those_that_are_there(tmp_path: Path) -> None:
    fill(tmp_path, "hotdogs/a.png")

    said = refused(folder(tmp_path / "hotdog"))

    assert f"There is no folder `{tmp_path}/hotdog`. `{tmp_path}` has `hotdogs`." in said


def test_a_missing_folder_names_the_last_one_that_exists(tmp_path: Path) -> None:
    said = refused(folder(tmp_path / "a/b/c"))

    assert f"`{tmp_path}` has no folders." in said


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    fill(tmp_path, "a.zip", "a.jpg", "a.csv")

    said = refused(folder(tmp_path / "a.zip"))
    assert f"`{tmp_path}/a.zip` is a file, not a folder. Unpack it, and name the folder." in said
    assert "into a list: `['a.jpg']`." in refused(folder(tmp_path / "a.jpg"))
    assert "give the DataFrame" in refused(folder(tmp_path / "a.csv"))
    assert "There is no folder" in refused(folder(tmp_path / "a.zip/b"))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert f"The folder `{tmp_path}` is empty." in refused(folder(tmp_path))

    (tmp_path / "a").mkdir()

    assert "has only subfolders" in refused(folder(tmp_path, recursive=False))


def test_a_folder_of_another_kind_is_refused_with_what_is_there(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt", "b.TXT", "c.csv", "README")

    said = refused(lambda: files.usable(files.in_folder(str(tmp_path)), IMAGES))

    assert f"The folder `{tmp_path}` has no file for image-classification" in said
    assert "2 with .txt, 1 with .csv, 1 with no suffix" in said
    assert "`task='text-classification'`" in said


def test_pictures_that_are_none_are_refused_with_the_reason(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", content=b"version https://git-lfs.github.com/spec/v1\n")

    said = refused(lambda: files.usable(files.in_folder(str(tmp_path)), IMAGES))

    assert "run `git lfs pull`" in said


def test_bad_lists_and_patterns_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    (tmp_path / "sub").mkdir()

    assert "The list of files is empty." in refused(lambda: files.in_list([]))
    assert f"`{tmp_path}` is a folder." in refused(lambda: files.in_list([str(tmp_path)]))
    missing = [f"{tmp_path}/{name}.png" for name in "abcde"]
    assert f"4 of the files do not exist: {tmp_path}/b.png" in refused(
        lambda: files.in_list(missing)
    )
    assert "matches nothing" in refused(lambda: files.matching(f"{tmp_path}/*.jpg"))
    assert "matches only folders (1)" in refused(lambda: files.matching(f"{tmp_path}/s*"))
