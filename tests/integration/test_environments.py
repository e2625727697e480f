"""Label Studio in the notebook's environment, in another one, or not installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from support.jupyter import JupyterLab, LabelStudioClient
from support.processes import pids_that_mention


def environment(folder: Path, *without: str) -> Path:
    """Return the Python of a copy of this environment without packages whose names begin so."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    packages = Path(found.stdout.strip())
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.lower().replace("-", "_").startswith(without):
            link = packages / path.name
            if not link.exists():
                link.symlink_to(path)
    # The data files of packages: Jupyter's configuration, JupyterLab's files.
    for name in ("etc", "share"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    return python


def commands(jupyter: JupyterLab) -> list[list[str]]:
    """Return the command line of every process of this Jupyter."""
    pids = pids_that_mention(jupyter.home)
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]
    return [line.decode().split("\0") for line in lines]


def test_without_label_studio_and_engine_the_page_offers_to_install_one(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    tmp_path: Path,
) -> None:
    python = environment(tmp_path / "bare", "label_studio")
    jupyter = jupyter_lab(
        python=python,
        config={"data_dir": str(tmp_path / "data")},
        env={
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "DOCKER_HOST": f"unix://{tmp_path}/docker.sock",
        },
    )
    client = label_studio_client(jupyter)
    client.start()
    failed = client.wait_for_state("failed")
    assert failed["installed"] is False
    error = failed["error"]
    assert error["what"].startswith("Label Studio is not installed, and there is no")
    assert f"{tmp_path}/docker.sock does not exist" in error["why"]
    assert "Press Install Label Studio" in error["remedy"]
    assert " -m labelstudio_proxy install` and try again" in error["remedy"]
    assert failed["actions"] == [{"command": "install", "label": "Install Label Studio"}]
    assert "systemctl start docker" in error["remedy"]
    page = client.get("", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "Label Studio is not installed, and there is no container engine" in page.text


def test_label_studio_of_another_environment_runs_without_gunicorn_there(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    python = environment(tmp_path / "notebook", "label_studio")
    other = environment(tmp_path / "other", "gunicorn", "labelstudio_proxy")
    executable = other.with_name("label-studio")
    executable.write_text(f"#!{other}\nfrom label_studio.server import main\nmain()\n")
    executable.chmod(0o755)
    # Nothing of the notebook's interpreter reaches it.
    (tmp_path / "modules").mkdir()
    for name in ("django", "rest_framework"):
        (tmp_path / "modules" / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")
    jupyter = jupyter_lab(
        python=python,
        config={"data_dir": str(data_dir), "label_studio": str(executable)},
        env={"PYTHONPATH": str(tmp_path / "modules")},
    )
    client = label_studio_client(jupyter)
    assert client.wait_ready()["versions"]["Label Studio"][0].isdigit()
    assert client.get("api/projects/").status_code == 200
    assert any(line[0] == str(other) and "serve" in line for line in commands(jupyter))


def test_label_studio_on_pythonpath_runs_with_what_the_notebook_has(
    jupyter_lab: Callable[..., JupyterLab],
    label_studio_client: Callable[[JupyterLab], LabelStudioClient],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    """As from a module of a cluster, or `pip install --target`."""
    modules = ("label_studio",)
    python = environment(tmp_path / "notebook", *modules)
    target = tmp_path / "target"
    target.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.name.lower().replace("-", "_").startswith(modules):
            (target / path.name).symlink_to(path)
    jupyter = jupyter_lab(
        python=python,
        config={"data_dir": str(data_dir)},
        env={"PYTHONPATH": str(target), "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1"},
    )
    client = label_studio_client(jupyter)
    assert client.wait_ready()["versions"]["Label Studio"][0].isdigit()
    assert client.get("api/projects/").status_code == 200
