"""A kernel of a real Jupyter server, as a notebook has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from typing_extensions import Self

from support.jupyter import JupyterLab
from support.processes import wait_for

TIMEOUT_SECONDS = 300.0


class CellError(AssertionError):
    """A cell raised an exception; `name` is its type."""

    def __init__(self, name: str, value: str, traceback: str) -> None:
        super().__init__(f"{name}: {value}\n{traceback}")
        self.name = name
        self.value = value


class Kernel:
    """Runs cells in the kernel of a notebook; a context manager."""

    def __init__(
        self,
        jupyter: JupyterLab,
        folder: str = "",
        name: str = "python3",
        notebook: str = "notebook.ipynb",
    ) -> None:
        """`folder`: of the notebook, below Jupyter's root. An open notebook has a kernel already."""
        self._jupyter = jupyter
        answer = jupyter.post(
            "api/sessions",
            json={
                "path": f"{folder}/{notebook}".lstrip("/"),
                "type": "notebook",
                "name": "",
                "kernel": {"name": name},
            },
        )
        assert answer.ok, answer.text
        self._session = answer.json()["id"]
        self._number = answer.json()["kernel"]["id"]
        file = Path(jupyter.environment["JUPYTER_RUNTIME_DIR"], f"kernel-{self._number}.json")
        self._client = BlockingKernelClient(connection_file=str(file))
        self._client.load_connection_file()
        # A busy machine takes longer than the default of one second.
        self._client.hb_channel.time_to_dead = TIMEOUT_SECONDS
        self._client.start_channels()
        wait_for(self._is_ready, what="the kernel", timeout=TIMEOUT_SECONDS)

    def _is_ready(self) -> bool:
        try:
            self._client.wait_for_ready(timeout=TIMEOUT_SECONDS)
        except RuntimeError:  # no heartbeat yet: the kernel still starts
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.stop_channels()
        self._jupyter.delete(f"api/sessions/{self._session}")

    def interrupt(self) -> None:
        """Do what the stop button of a notebook does."""
        answer = self._jupyter.post(f"api/kernels/{self._number}/interrupt")
        assert answer.ok, answer.text

    def run(self, code: str, on_output: Callable[[str], None] | None = None) -> str:
        """Return what the cell prints; raises CellError.

        `on_output`: gets the HTML of each output while the cell runs.
        """
        self.outputs: list[dict[str, Any]] = []
        printed: list[str] = []

        def keep(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            elif "data" in content:
                self.outputs.append(content["data"])
                if on_output:
                    on_output(content["data"].get("text/html", ""))

        reply = self._client.execute_interactive(
            code, output_hook=keep, timeout=TIMEOUT_SECONDS, allow_stdin=False
        )["content"]
        if reply["status"] != "ok":
            raise CellError(reply["ename"], reply["evalue"], "\n".join(reply["traceback"]))
        return "".join(printed)

    def json(self, expression: str) -> Any:
        """Return the value of an expression, as far as JSON has it."""
        return json.loads(self.run(f"import json; print(json.dumps({expression}))"))


def add_kernel(jupyter: JupyterLab, name: str, python: Path) -> None:
    """Offer the Python of another environment as a kernel of this Jupyter."""
    folder = Path(jupyter.environment["JUPYTER_DATA_DIR"]) / "kernels" / name
    folder.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
