"""Every setting, once: its name, type, default and help, and where its value comes from."""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Enum, Float, TraitError, Unicode, validate
from traitlets.config import Config, Configurable
from traitlets.config.loader import DeferredConfig, DeferredConfigString, LazyConfigValue

from .._version import LABEL_STUDIO_VERSION
from ..problem import Problem

ENVIRONMENT_PREFIX = "LABELSTUDIO_PROXY_"

# Names of Label Studio's own environment that would take it away from the gateway, and what to
# use instead (see docs/architecture.md).
RESERVED_ENVIRONMENT = {
    "HOST": "nothing: Label Studio must not know its address",
    "PORT": "nothing: no port is needed",
    "BASE_DATA_DIR": "data_dir",
    "DATABASE_NAME": "data_dir",
    "LOCAL_FILES_DOCUMENT_ROOT": "files_root",
    "LOCAL_FILES_SERVING_ENABLED": "files_root",
}

# Said instead of the error of a wrong `environment`, which would show its values.
SECRET_RULE = "it must map names to text (values are not shown here), and may not set " + ", ".join(
    f"{name} (use {instead})" for name, instead in RESERVED_ENVIRONMENT.items()
)

# The one folder of an Amazon SageMaker notebook instance that outlives a stop of the machine.
SAGEMAKER_VOLUME = Path("/home/ec2-user/SageMaker")


def default_data_dir() -> Path:
    """Where Label Studio's data go when nobody says: a folder that outlives the machine."""
    # os.access, unlike is_dir(), does not raise where the folder above is another user's.
    if os.access(SAGEMAKER_VOLUME, os.W_OK | os.X_OK):
        return SAGEMAKER_VOLUME / ".labelstudio-proxy"
    return Path("~/.local/share/labelstudio-proxy").expanduser()


def user_name() -> str:
    """The Jupyter user: on a JupyterHub the hub's name, elsewhere the account on the machine."""
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):  # an arbitrary uid in a container has no name
        return "jupyter"


class LabelStudioProxy(Configurable):
    """The settings of labelstudio-proxy.

    In `jupyter_server_config.py` as `c.LabelStudioProxy.<name>`, on the command line of Jupyter as
    `--LabelStudioProxy.<name>=…`, in the environment as `LABELSTUDIO_PROXY_<NAME>`.
    """

    backend = Enum(
        ["auto", "process", "docker"],
        "auto",
        help="""How Label Studio is run. `process`: as a local process. `docker`: as a container, by
        Docker or Podman. `auto`: as a process where Label Studio is installed, else as a container
        where an engine answers, else a page that says what to install.""",
    ).tag(config=True)

    label_studio = Unicode(
        "",
        help="""The `label-studio` executable, possibly in another environment. Empty: the one of
        the notebook's environment, else the first on `PATH`.""",
    ).tag(config=True)

    image = Unicode(
        f"heartexlabs/label-studio:{LABEL_STUDIO_VERSION}",
        help="""For a container: the image of Label Studio, with a tag or a digest.""",
    ).tag(config=True)

    pull_policy = Enum(
        ["missing", "always", "never"],
        "missing",
        help="""For a container: when the image is downloaded. `missing`: where it is not on the
        machine; `always`: at each start; `never`.""",
    ).tag(config=True)

    memory_limit = Unicode(
        help="""For a container: the most memory it may use, such as `2g` or `800m`. Empty: no
        limit.""",
    ).tag(config=True)

    cpu_limit = Float(
        0.0,
        min=0.0,
        help="""For a container: the most processors it may use, such as `1.5`. 0: no limit.""",
    ).tag(config=True)

    docker_network = Unicode(
        help="""For a container: the network it joins. Empty: the engine's default; where Jupyter
        itself runs in a container, a network of that one.""",
    ).tag(config=True)

    data_dir = Unicode(
        help="""Label Studio's data directory: database, uploads, secret key. Default:
        `~/.local/share/labelstudio-proxy`; on a SageMaker notebook instance
        `/home/ec2-user/SageMaker/.labelstudio-proxy`.""",
    ).tag(config=True)

    files_root = Unicode(
        None,
        allow_none=True,
        help="""The folder whose files Label Studio may read as local files. Default: Jupyter's
        `root_dir`. Empty: none.""",
    ).tag(config=True)

    files_writable = Bool(
        False,
        help="""May Label Studio write into `files_root` (export to local storage)?""",
    ).tag(config=True)

    owner_email = Unicode(
        help="""E-mail address of the account made at the first start. A data directory that has
        accounts is used with its first one. Default: `<user>@localhost`.""",
    ).tag(config=True)

    start_timeout = Float(
        600.0, min=1.0, help="""Seconds that Label Studio may take to answer after a start."""
    ).tag(config=True)

    idle_timeout = Float(
        0.0,
        min=0.0,
        help="""Seconds after which a Label Studio that nobody uses is stopped; the next click starts
        it again. Open pages do not count as use. 0: never.""",
    ).tag(config=True)

    prewarm = Bool(
        False,
        help="""Start Label Studio with Jupyter, in the background, instead of at the first
        click.""",
    ).tag(config=True)

    environment = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""More environment variables for Label Studio (PostgreSQL, S3, …). In the environment
        and on the command line as JSON.""",
    ).tag(config=True, secret=True)

    new_browser_tab = Bool(
        True, help="""Open Label Studio in a new browser tab; `False`: inside JupyterLab."""
    ).tag(config=True)

    @validate("data_dir", "files_root", "label_studio")
    def _validate_path(self, proposal: Any) -> str | None:
        value: str | None = proposal["value"]
        if value:
            absolute(value)  # raises RuntimeError for `~name` of nobody
        return value

    @validate("owner_email")
    def _validate_owner_email(self, proposal: Any) -> str:
        value: str = proposal["value"]
        if value and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
            msg = "owner_email must look like an e-mail address, such as 'ada@localhost'"
            raise TraitError(msg)
        return value

    @validate("image")
    def _validate_image(self, proposal: Any) -> str:
        value: str = proposal["value"]
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*", value):
            msg = "image must be a reference such as 'heartexlabs/label-studio:1.23.2'"
            raise TraitError(msg)
        return value

    @validate("memory_limit")
    def _validate_memory_limit(self, proposal: Any) -> str:
        value: str = proposal["value"].lower()
        if value and not re.fullmatch(r"\d+[bkmg]?", value):
            msg = "memory_limit must be a number of bytes, or one of k, m or g, such as '2g'"
            raise TraitError(msg)
        return value

    @validate("docker_network")
    def _validate_docker_network(self, proposal: Any) -> str:
        value: str = proposal["value"]
        if value in {"host", "none"} or value.startswith("container:"):
            msg = f"in the network {value!r} Label Studio could not be kept apart, or not reached"
            raise TraitError(msg)
        return value

    @validate("environment")
    def _validate_environment(self, proposal: Any) -> dict[str, str]:
        value: dict[str, str] = proposal["value"]
        for name in value:
            if re.sub("^(LABEL_STUDIO_|HEARTEX_)", "", name) in RESERVED_ENVIRONMENT:
                raise TraitError(SECRET_RULE)
        return value

    def data_directory(self) -> Path:
        """`data_dir`, or its default; absolute."""
        return absolute(self.data_dir) if self.data_dir else default_data_dir()

    def files_directory(self, root_dir: str) -> Path | None:
        """`files_root`, or `root_dir` (Jupyter's) where it is not set; None: no local files."""
        chosen = root_dir if self.files_root is None else self.files_root
        return absolute(chosen) if chosen else None

    def owner(self) -> str:
        """`owner_email`, or its default."""
        name = re.sub(r"[^A-Za-z0-9._+-]", "-", user_name().split("@")[0]).strip(".-")
        return self.owner_email or f"{name or 'jupyter'}@localhost"


def absolute(path: str) -> Path:
    """The path with `~` expanded, absolute; links stay as they are."""
    return Path(path).expanduser().absolute()


def resolve(
    *, command_line: Config, environment: Mapping[str, str], files: Config
) -> tuple[LabelStudioProxy, list[Problem]]:
    """Settle every setting; a later source is asked only for what an earlier one leaves open.

    A value that cannot be used leaves the default in place and adds a Problem: it must stop Label
    Studio from starting (possibly on the wrong data), and never Jupyter.
    """
    sources = [
        ("the command line", command_line),
        ("the environment", _from_environment(environment)),
        ("the configuration files", files),
    ]
    settings = LabelStudioProxy()
    problems: list[Problem] = []
    settled: set[str] = set()
    for source, config in sources:
        for name, value in config.get("LabelStudioProxy", {}).items():
            if name in settled:
                continue
            settled.add(name)
            trait = settings.traits(config=True).get(name)
            if trait is None:
                problems.append(_unknown(name, source, settings.trait_names(config=True)))
                continue
            try:
                if isinstance(value, DeferredConfig):
                    value = _parsed(trait, value)
                elif isinstance(value, LazyConfigValue):
                    value = value.get_value(getattr(settings, name))
                setattr(settings, name, value)
            except Exception as error:  # noqa: BLE001 - whatever a converter raises is a wrong value
                reason = SECRET_RULE if trait.metadata.get("secret") else str(error)
                problems.append(_wrong(name, source, reason))
    return settings, problems


def _from_environment(environment: Mapping[str, str]) -> Config:
    # Names that are no setting are left alone: Kubernetes adds LABELSTUDIO_PROXY_PORT and the like
    # for a service of that name.
    found = Config()
    for name in LabelStudioProxy.class_trait_names(config=True):
        value = environment.get(ENVIRONMENT_PREFIX + name.upper())
        if value is not None:
            found.LabelStudioProxy[name] = DeferredConfigString(value)
    return found


def _parsed(trait: Any, value: Any) -> Any:
    if isinstance(trait, Dict) and isinstance(value, str) and value.lstrip().startswith("{"):
        return json.loads(value)
    return value.get_value(trait)


def _wrong(name: str, source: str, reason: str) -> Problem:
    return Problem(
        f"The setting LabelStudioProxy.{name} cannot be used.",
        f"Its value comes from {source}: {reason}",
        f"Correct LabelStudioProxy.{name} (in the environment: "
        f"{ENVIRONMENT_PREFIX}{name.upper()}), then restart Jupyter.",
    )


def _unknown(name: str, source: str, names: Iterable[str]) -> Problem:
    close = get_close_matches(name, list(names), 1)
    hint = f"; perhaps {close[0]} was meant" if close else ""
    return Problem(
        f"There is no setting LabelStudioProxy.{name}.",
        f"It comes from {source}{hint}.",
        "Correct the name, then restart Jupyter. README.md lists the settings.",
    )


def describe() -> str:
    """The settings as a Markdown table: what README.md shows, from this one source."""
    rows = ["| setting | environment | default | what |", "|---|---|---|---|"]
    for name, trait in LabelStudioProxy.class_traits(config=True).items():
        default = trait.default_value
        shown = f"`{default!r}`" if isinstance(default, (str, int, float)) and default != "" else ""
        text = " ".join((trait.help or "").split())
        rows.append(f"| `{name}` | `{ENVIRONMENT_PREFIX}{name.upper()}` | {shown} | {text} |")
    return "\n".join(rows)
