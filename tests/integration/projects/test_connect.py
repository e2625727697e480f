"""`lsp.connect` and what finds the Label Studio: in a kernel, a script, and on another machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import media
from support.jupyter import JupyterLab, LabelStudioClient
from support.kernel import Kernel
from support.processes import wait_for

import labelstudio_proxy as lsp
from labelstudio_proxy.client import api
from labelstudio_proxy.gateway_client import JupyterServer, RunningGateway

# Files whose import takes some seconds.
MANY = 8_000
REPOSITORY = Path(lsp.__file__).parents[1]


@pytest.fixture(scope="module")
def data_directory(new_data_dir: Callable[[], Path]) -> Path:
    return new_data_dir()


@pytest.fixture(scope="module")
def jupyter(module_jupyter_lab: Callable[..., JupyterLab], data_directory: Path) -> JupyterLab:
    lab = module_jupyter_lab(base_url="/user/lab/", config={"data_dir": str(data_directory)})
    for name in ("a.png", "b.png"):
        (lab.root_dir / "pictures").mkdir(exist_ok=True)
        (lab.root_dir / "pictures" / name).write_bytes(media.png(8, 8, (200, 90, 0)))
    return lab


@pytest.fixture
def from_elsewhere() -> Iterator[Callable[..., Any]]:
    """`lsp.connect`, undone after the test."""
    with contextlib.ExitStack() as stack:

        def connect(url: str, token: str | None = None) -> Any:
            sdk = lsp.connect(url, token)
            stack.callback(sdk._client_wrapper.httpx_client.httpx_client.close)
            return sdk

        yield connect
    api.use(None)


def run_script(code: str, jupyter: JupyterLab, **env: str) -> Any:
    """Return what a script prints as JSON, in a Python without any third-party package."""
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{code}",
        ],
        env=jupyter.environment | env,
        cwd=jupyter.root_dir,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def problem(call: Callable[[], object]) -> str:
    with pytest.raises(lsp.Problem) as raised:
        call()
    return str(raised.value)


def test_a_script_and_a_terminal_need_the_standard_library_only(jupyter: JupyterLab) -> None:
    code = """if True:
        import json, labelstudio_proxy as lsp
        project = lsp.label("pictures", labels=["a", "b"])
        loaded = [name for name in sys.modules if name in {"click", "aiohttp", "jupyter_core"}]
        print(json.dumps([project.title, project.total, project.url, loaded]))"""
    first = run_script(code, jupyter)  # also starts the gateway and Label Studio
    number = int(first[2].split("/projects/")[1].split("/")[0])
    url = f"{jupyter.prefix}projects/{number}/data?labeling=1"
    assert first == ["pictures", 2, url, []]
    # A terminal of JupyterLab has this variable.
    assert run_script(code, jupyter, JUPYTER_SERVER_URL=jupyter.url) == first
    # Not one of the environments' server, so its Label Studio is not meant.
    assert run_script(code, jupyter, JUPYTER_SERVER_URL="http://127.0.0.1:1/") == first


def test_connect_returns_the_sdk_which_survives_restarts(
    jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    with Kernel(jupyter) as kernel:
        kernel.run("import labelstudio_proxy as lsp; sdk = lsp.connect()")
        kernel.run('made = sdk.projects.create(title="By the SDK", label_config="<View/>")')
        assert kernel.json("[each.title for each in sdk.projects.list()]")[0] == "By the SDK"
        before = jupyter.gateway_pid
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: jupyter.gateway_pid != before, what="the next gateway")
        assert kernel.json("sdk.projects.get(made.id).title") == "By the SDK"
        studio.post("_proxy/stop")
        studio.wait_for_state("stopped")
        assert kernel.json("sdk.projects.get(made.id).title") == "By the SDK"
        studio.post("_proxy/stop")
        studio.wait_for_state("stopped")
        assert kernel.json("lsp.project(made.id).title") == "By the SDK"


def test_an_interrupted_call_leaves_nothing_and_can_be_repeated_at_once(
    jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    many = jupyter.root_dir / "many"
    many.mkdir()
    for number in range(MANY):
        os.link(jupyter.root_dir / "pictures" / "a.png", many / f"{number}.png")
    code = """if True:
        import json, os, signal, threading, labelstudio_proxy as lsp
        def interrupt():
            while not any(each.title == "many" for each in lsp.projects()):
                pass
            os.kill(os.getpid(), signal.SIGINT)
        seen = []
        for again in (False, True):
            if again:
                seen.append(lsp.label("many", labels=["a"]).total)
                break
            threading.Thread(target=interrupt, daemon=True).start()
            try:
                lsp.label("many", labels=["a"])
            except KeyboardInterrupt:
                seen.append("interrupted")
        print(json.dumps([*seen, [each.title for each in lsp.projects()].count("many")]))"""
    assert run_script(code, jupyter) == ["interrupted", MANY, 1]


def test_the_command_line_makes_lists_and_exports_projects(
    jupyter: JupyterLab, studio: LabelStudioClient
) -> None:
    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "labelstudio_proxy", *words],
            env=jupyter.environment,
            cwd=jupyter.root_dir,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    words = ["label", "pictures", "--title", "By command", "--labels", "a,b ", "--label", "c, d"]
    made = json.loads(run(*words, "--json"))
    assert [made["added"], made["total"], made["labels"]] == [2, 2, ["a", "b", "c, d"]]
    assert made["address"] == f"{jupyter.origin}{made['url']}"
    text = f"Project {made['id']}, By command: 0 of 2 labelled, at {made['address']}"
    assert text in run(*words)
    assert f"{made['id']}  By command: 0 of 2 labelled\n" in run("projects")
    assert made["id"] in [each["id"] for each in json.loads(run("projects", "--json"))["projects"]]
    task = studio.get("api/tasks", params={"project": made["id"]}).json()["tasks"][0]["id"]
    value = {
        "from_name": "label",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": ["a"]},
    }
    assert (
        studio.post(f"api/tasks/{task}/annotations/", json={"result": [value]}).status_code == 201
    )
    folder = jupyter.root_dir / "exported"
    assert run("export", "By command", "imagefolder", "exported") == (
        f"The labels of By command are in {folder}.\n"
    )
    assert len(list((folder / "a").iterdir())) == 1
    exported = json.loads(run("export", str(made["id"]), "JSON", "as-json", "--json"))
    assert exported["folder"] == str(jupyter.root_dir / "as-json")


def test_another_machine_needs_an_address_and_a_token(
    jupyter: JupyterLab, studio: LabelStudioClient, from_elsewhere: Callable[..., Any]
) -> None:
    sdk = from_elsewhere(f"{jupyter.url}lab/tree/pictures?token={jupyter.token}")
    project = lsp.label("pictures", labels=["a", "b"], title="From elsewhere")
    assert project.total == 2
    assert lsp.project("From elsewhere").id == project.id in [each.id for each in lsp.projects()]
    assert sdk.projects.get(project.id).title == "From elsewhere"

    twice = [sdk.projects.create(title="Twice").id for _ in range(2)]
    several = problem(lambda: lsp.project("Twice"))
    assert several.startswith("2 projects have the title 'Twice'.")
    assert all(str(number) in several for number in twice)
    gone = lsp.project(twice[0])
    sdk.projects.delete(id=gone.id)
    assert f"There is no project {gone.id}. It may have been deleted." in problem(
        lambda: gone.total
    )
    assert f"There is no project {gone.id}." in gone._repr_html_()
    assert lsp.project("Twice").id == twice[1]


def test_an_address_or_a_token_that_is_wrong_is_named(
    jupyter: JupyterLab, studio: LabelStudioClient, from_elsewhere: Callable[..., Any]
) -> None:
    url = jupyter.url
    refused = problem(lambda: from_elsewhere(url, "wrong"))
    assert f"The Jupyter server at {url} does not accept this token." in refused
    assert "jupyter server list" in refused
    assert "requires a token" in problem(lambda: from_elsewhere(url))
    nothing = problem(lambda: from_elsewhere(f"{jupyter.origin}/elsewhere/", jupyter.token))
    assert nothing.startswith(f"There is no Jupyter server at {jupyter.origin}/elsewhere/.")
    closed = problem(lambda: from_elsewhere("http://127.0.0.1:1/", "x"))
    assert closed.startswith("The Jupyter server at http://127.0.0.1:1/ cannot be reached.")
    unknown = problem(lambda: from_elsewhere("https://nowhere.invalid/user/ada/lab", "x"))
    assert "https://nowhere.invalid/user/ada/ cannot be reached" in unknown
    for wrong in ("hub.example/user/ada", "ftp://hub.example/", "https://", "http://hub:port/"):
        assert "is not the address of a Jupyter server" in problem(lambda: from_elsewhere(wrong))  # noqa: B023
    # Nothing was connected.
    assert api.current().base


def test_a_jupyter_server_without_the_package_is_named(
    jupyter_lab: Callable[..., JupyterLab], from_elsewhere: Callable[..., Any]
) -> None:
    extensions = {"labelstudio_proxy": False, "jupyter_server_proxy": False}
    jupyter = jupyter_lab(server_config={"ServerApp": {"jpserver_extensions": extensions}})
    elsewhere = problem(lambda: from_elsewhere(jupyter.url, jupyter.token))
    assert elsewhere.startswith(f"The Jupyter server at {jupyter.url} has no Label Studio.")
    assert "pip install labelstudio-proxy" in elsewhere
    with Kernel(jupyter) as kernel:
        kernel.run(
            "import labelstudio_proxy as lsp\n"
            "try: lsp.projects()\n"
            "except lsp.Problem as problem: said = str(problem)"
        )
        here = kernel.json("said")
    assert f"The Jupyter server at {jupyter.url} cannot start it: the server extension" in here
    assert "pip install labelstudio-proxy" in here


def test_a_label_studio_that_cannot_start_says_why(
    jupyter_lab: Callable[..., JupyterLab],
    data_directory: Path,
    studio: LabelStudioClient,
    from_elsewhere: Callable[..., Any],
) -> None:
    jupyter = jupyter_lab(config={"label_studio": "/nonexistent/label-studio"})
    missing = problem(lambda: from_elsewhere(jupyter.url, jupyter.token))
    assert "There is no Label Studio at /nonexistent/label-studio." in missing

    jupyter = jupyter_lab(config={"data_dir": str(data_directory)})
    taken = problem(lambda: from_elsewhere(jupyter.url, jupyter.token))
    assert f"The data directory {data_directory} is in use by" in taken
    assert "labelstudio-proxy start --take-over" in taken


def test_one_of_several_label_studios_must_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    nothing = problem(lsp.projects)
    assert nothing.startswith("No Label Studio is running, and no Jupyter server can start it.")
    assert "jupyter lab" in nothing
    for pid, name in ((os.getpid(), "one"), (os.getppid(), "two")):
        RunningGateway(pid, f"/{name}", f"/{name}/labelstudio/", parent=pid).register()
    several = problem(lsp.projects)
    assert several.startswith("There are several Label Studios. /")
    assert "connect(url, token)" in several
    # In a notebook of one of them it is that one, here one that does not listen.
    fields = JupyterServer.__dataclass_fields__
    server = dict.fromkeys(fields, "") | {"pid": os.getppid(), "port": 1, "secure": False}
    (tmp_path / "jpserver-1.json").write_text(json.dumps(server))
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getppid()))
    assert "The gateway of /two cannot be reached." in problem(lsp.projects)
