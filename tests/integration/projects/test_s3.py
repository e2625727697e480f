"""`s3://` projects, with the notebook's credentials: where the setting allows it, and only there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import media
from support.container_studio import json_of, tasks_of
from support.http import Http
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import Kernel
from support.s3 import BUCKET, FOREIGN, MISSING, SECOND, S3Server, add_storage, label, picture_in

PICTURE = media.png()
LABELS = '["Hot dog", "Not hot dog"]'


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.put("pictures/one % #ü.png", PICTURE)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def module_data_dir(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(
    module_jupyter_lab: Callable[..., JupyterLab], s3: S3Server, module_data_dir: Path
) -> JupyterLab:
    """A notebook whose profile has the credentials, the endpoint and the region."""
    settings = {"aws_credentials": True, "data_dir": str(module_data_dir)}
    server = module_jupyter_lab(config=settings, env={"AWS_PROFILE": "labels"}, new_cache=True)
    s3.write_profile(server.home / ".aws")
    return server


def test_a_picture_comes_through_the_tile_whole_and_in_parts(studio: LabelStudioClient) -> None:
    path = picture_in(studio, presign=False)
    whole = studio.get(path)
    assert (whole.status_code, whole.headers["Content-Type"]) == (200, "image/png")
    assert whole.content == PICTURE
    part = studio.get(path, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(PICTURE)}"
    assert part.content == PICTURE[10:20]


def test_a_signed_link_comes_through_the_tile(studio: LabelStudioClient, s3: S3Server) -> None:
    answer = studio.get(picture_in(studio, presign=True))
    assert answer.status_code == 303
    link = answer.headers["Location"]
    assert link.startswith(f"{s3.url}/{BUCKET}/pictures/one%20%25%20%23%C3%BC.png?")
    assert "eu-central-1" in link  # the profile's region, which Label Studio does not look for
    assert s3.keys["aws_secret_access_key"] not in link
    s3.check_rights(False)
    try:
        part = studio.request("GET", picture_in(studio, presign=True), allow_redirects=True)
    finally:
        s3.check_rights(True)
    assert part.content == PICTURE


@pytest.fixture(scope="module")
def kernel(jupyter: JupyterLab) -> Iterator[Kernel]:
    with Kernel(jupyter) as kernel:
        kernel.run("import labelstudio_proxy as lsp")
        yield kernel


def tasks(client: Http, number: int) -> list[dict[str, Any]]:
    return sorted(tasks_of(client, number), key=lambda task: str(task["meta"]["file"]))


def test_a_prefix_becomes_a_project_that_grows_with_it(
    kernel: Kernel, studio: LabelStudioClient, s3: S3Server
) -> None:
    names = ("a.png", "sub/100% #1 & 'é'.PNG", "notes.txt", "what?.png")
    first, second, *_ = [s3.put(f"hot dogs/{name}", PICTURE) for name in names]
    s3.put("hot dogs and more/x.png", PICTURE)
    printed = kernel.run(f'project = lsp.label("s3://{BUCKET}/hot dogs", labels={LABELS})')
    assert "notes.txt" in printed
    assert "what?.png" in printed
    assert kernel.json("[project.title, project.task, project.total]") == [
        "hot dogs",
        "image-classification",
        2,
    ]
    number = kernel.json("project.id")
    made = tasks(studio, number)
    assert kernel.json('list(project.to_dataframe(unlabelled=True)["file"])') == [first, second]
    for task in made:
        assert studio.get(task["data"]["image"]).content == PICTURE

    third = s3.put("hot dogs/b.png", PICTURE)
    kernel.run(f'again = lsp.label("s3://{BUCKET}/hot dogs/", labels={LABELS})')
    assert kernel.json("[again.id, again.total]") == [number, 3]
    assert third in [task["meta"]["file"] for task in tasks(studio, number)]
    s3.put("more/c.png", PICTURE)
    assert kernel.json(f'again.add("s3://{BUCKET}/more")') == 1
    (storage,) = json_of(studio.get(f"api/storages/s3?project={number}"))
    # A sync by hand would add the items once more.
    assert studio.post(f"api/storages/s3/{storage['id']}/sync").status_code == 400


def test_lists_and_columns_of_objects_become_projects(
    kernel: Kernel, studio: LabelStudioClient, s3: S3Server
) -> None:
    names = (("listed/b.png", BUCKET), ("listed/sub/a é.png", BUCKET), ("c.png", SECOND))
    uris = [s3.put(name, PICTURE, bucket) for name, bucket in names]
    kernel.run(f"project = lsp.label({uris[:2]}, labels={LABELS}, title='Listed')")
    assert kernel.json(f"project.add({uris})") == 1
    frame = 'project.to_dataframe(unlabelled=True)["file"]'
    assert kernel.json(f"list({frame})") == uris
    for task in tasks(studio, kernel.json("project.id")):
        assert studio.get(task["data"]["image"]).content == PICTURE

    kernel.run(
        "import pandas as pd\n"
        f"frame = pd.DataFrame({{'picture': {uris}, 'n': range(3)}}, index=list('xyz'))\n"
        f"table = lsp.label(frame, column='picture', labels={LABELS})\n"
        "labels = table.to_dataframe(unlabelled=True)"
    )
    assert kernel.json("[*labels['file'], *map(int, labels['n']), *labels.index]") == [
        *(*uris, 0, 1, 2),
        *"xyz",
    ]
    assert kernel.json(f'table.add_predictions({{"{uris[0]}": "Hot dog"}}, "v1")') == 1


@pytest.fixture(scope="module")
def labelled(kernel: Kernel, studio: LabelStudioClient, s3: S3Server) -> dict[str, bytes]:
    """A project `labelled` with labels for both of its objects, which have one name."""
    pictures = {f"labelled/{size}/x ü.png": media.png(size, size) for size in (20, 30)}
    for key, content in pictures.items():
        s3.put(key, content)
    kernel.run(f'labelled = lsp.label("s3://{BUCKET}/labelled", labels=["Cat", "Dog"])')
    choice = {"from_name": "label", "to_name": "image", "type": "choices"}
    annotate(studio, kernel.json("labelled.id"), choice | {"value": {"choices": ["Cat"]}})
    return pictures


def annotate(studio: LabelStudioClient, project: int, region: dict[str, Any]) -> None:
    for task in tasks(studio, project):
        made = studio.post(f"api/tasks/{task['id']}/annotations/", json={"result": [region]})
        assert made.status_code == 201, made.text


def test_objects_are_exported_into_a_folder_for_each_label(
    kernel: Kernel, labelled: dict[str, bytes]
) -> None:
    folder = Path(kernel.json('str(labelled.export("imagefolder", "by label"))'))
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*.*")}
    assert set(files) == {"Cat/x ü.png", "Cat/x ü-2.png"}
    assert sorted(files.values()) == sorted(labelled.values())


def refused(kernel: Kernel, project: str, format: str) -> str:
    """Return what an export says that leaves nothing."""
    said = kernel.run(
        f'try: {project}.export("{format}", "refused")\n'
        "except lsp.Problem as problem: print(problem.as_sentence())\n"
        "from pathlib import Path; assert not Path('refused').exists()"
    )
    assert f"s3://{BUCKET}/labelled/" in said
    return said


def test_an_export_without_all_of_its_objects_leaves_nothing(
    kernel: Kernel, studio: LabelStudioClient, s3: S3Server, labelled: dict[str, bytes]
) -> None:
    first, *_ = labelled
    s3.remove(first)
    assert "Put the object back" in refused(kernel, "labelled", "imagefolder")
    s3.put(first, labelled[first])

    (storage,) = json_of(studio.get(f"api/storages/s3?project={kernel.json('labelled.id')}"))
    address = f"api/storages/s3/{storage['id']}"
    json_of(studio.request("PATCH", address, json={"presign": True}))
    assert "Use pre-signed URLs" in refused(kernel, "labelled", "imagefolder")
    json_of(studio.request("PATCH", address, json={"presign": False}))


@pytest.mark.usefixtures("labelled")
def test_label_studios_formats_have_no_pictures_of_s3(
    kernel: Kernel, studio: LabelStudioClient
) -> None:
    kernel.run(
        f'boxes = lsp.label("s3://{BUCKET}/labelled", labels=["Cat"], task="object-detection",'
        ' title="Boxes")'
    )
    box = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["Cat"]}
    region = {"from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": box}
    annotate(
        studio, kernel.json("boxes.id"), region | {"original_width": 20, "original_height": 20}
    )

    assert "`pictures=False`" in refused(kernel, "boxes", "VOC")
    kernel.run('boxes.export("COCO", "coco", pictures=False)')


def test_subfolders_can_be_left_out(kernel: Kernel, s3: S3Server) -> None:
    s3.put("flat/a.png", PICTURE)
    s3.put("flat/sub/b.png", PICTURE)
    kernel.run(f'flat = lsp.label("s3://{BUCKET}/flat", labels={LABELS}, recursive=False)')
    assert kernel.json("flat.total") == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"s3://{FOREIGN}/pictures/a.png", "may not list"),
        (f"s3://{BUCKET}/nothing/a.png", "no objects"),
        (f"s3://{MISSING}/pictures", "no such bucket"),
        (f"s3://{FOREIGN}/pictures", "may not list"),
        (f"s3://{FOREIGN}", "may not list"),
        ("s3://expired/pictures", "expired"),
        (f"s3://{BUCKET}/nothing", "no objects"),
        (f"s3://{BUCKET}/notes", "DataFrame"),
        ("s3://", "s3://bucket/prefix"),
    ],
)
def test_a_wrong_location_says_what_to_do_and_leaves_nothing(
    kernel: Kernel, studio: LabelStudioClient, s3: S3Server, url: str, says: str
) -> None:
    s3.put("notes/a.txt", b"A text")
    before = json_of(studio.get("api/projects"))["count"]
    is_object = url.endswith(".png")
    said = kernel.run(
        f"try: lsp.label({[url] if is_object else url!r}, labels={LABELS})\n"
        "except lsp.Problem as problem: print(problem.as_sentence())"
    )
    assert url.removesuffix("/a.png") in said
    assert says in said
    assert json_of(studio.get("api/projects"))["count"] == before


def test_no_key_is_in_the_database_the_log_or_the_diagnostics(
    studio: LabelStudioClient, jupyter: JupyterLab, module_data_dir: Path, s3: S3Server
) -> None:
    picture_in(studio, presign=False)
    secret = s3.keys["aws_secret_access_key"].encode()
    files = [*jupyter.home.rglob("*"), *module_data_dir.rglob("*")]
    having = [path.name for path in files if path.is_file() and secret in path.read_bytes()]
    assert having == ["credentials"]  # in `~/.aws`
    assert secret not in studio.get("_proxy/diagnostics").content


def test_without_the_setting_label_studio_has_no_credentials(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    s3: S3Server,
    data_dir: Path,
) -> None:
    variables = s3.variables | {"AWS_PROFILE": "labels"}
    jupyter = jupyter_lab(config={"data_dir": str(data_dir)}, env=variables)
    s3.write_profile(jupyter.home / ".aws")
    client = label_studio_client(jupyter)
    client.wait_ready()
    answer = add_storage(client)
    assert "Unable to locate credentials" in answer.text
    error = label(client, "pictures", ["Hot dog"])["error"]
    assert "aws_credentials = True" in error["remedy"]
