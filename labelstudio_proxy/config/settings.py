"""Every setting, once: its name, type, default, help and rule, and where its value comes from."""

from __future__ import annotations

import getpass
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from traitlets import Bool, Dict, Enum, Float, TraitError, Unicode, validate
from traitlets.config import Config, Configurable
from traitlets.config.loader import DeferredConfig, DeferredConfigString, LazyConfigValue

from .._version import LABEL_STUDIO_VERSION
from ..problem import Problem
from .notebook_files import NotebookFiles, home_around
from .owner_email import email_of

ENVIRONMENT_PREFIX = "LABELSTUDIO_PROXY_"
SHOWN_CHARACTERS = 200  # of a wrong value

# Label Studio's own variables that would keep the gateway from reaching it or finding its data, and
# the setting to use instead.
RESERVED_ENVIRONMENT = {
    "HOST": "Label Studio must not know its address",
    "PORT": "Label Studio needs no port",
    "BASE_DATA_DIR": "use `data_dir`",
    "DATABASE_NAME": "use `data_dir`",
    "LOCAL_FILES_DOCUMENT_ROOT": "use `files_root`",
    "LOCAL_FILES_SERVING_ENABLED": "use `files_root`",
}

# The only folder of an Amazon SageMaker notebook instance that survives a stop of the machine. It
# belongs to the user whose home folder it is in.
SAGEMAKER_VOLUME = Path("/home/ec2-user/SageMaker")

SETTINGS_PAGE = "https://github.com/labelstudio-proxy/labelstudio-proxy/blob/main/docs/settings.md"
TRUE_OR_FALSE = "`True` or `False`"

# What people want to do with a setting. The documentation has the settings in this order.
GROUPS = (
    CHOOSE := "Choose which Label Studio runs",
    START_STOP := "Start it early, stop it when idle",
    DATA := "Choose where the data are",
    FILES := "Let it read files and S3, keep labels on disk",
    OPEN := "Open it in JupyterLab",
    LIMITS := "Limit it",
    LABEL_STUDIO := "Configure Label Studio itself",
)


def default_data_dir() -> Path:
    """Return where Label Studio's data go by default: a folder that survives the machine."""
    if _has_sagemaker_volume():
        return SAGEMAKER_VOLUME / ".labelstudio-proxy"
    return absolute("~/.local/share/labelstudio-proxy")


def default_install_dir() -> Path:
    """Return where Label Studio is installed by default: a folder that survives the machine."""
    if _has_sagemaker_volume():
        return SAGEMAKER_VOLUME / ".labelstudio-proxy-installation"
    return absolute(jupyter_data_dir()) / "labelstudio-proxy" / "installation"


def _has_sagemaker_volume() -> bool:
    """Return True if this user may write to SAGEMAKER_VOLUME, and is its user by home folder or name."""
    # os.access, unlike is_dir(), does not raise if the folder above is another user's.
    if not os.access(SAGEMAKER_VOLUME, os.W_OK | os.X_OK):
        return False
    import pwd  # here: most users do not need it

    home = SAGEMAKER_VOLUME.parent
    if Path("~").expanduser() == home:
        return True
    try:
        return pwd.getpwuid(os.getuid()).pw_name == home.name
    except KeyError:  # an arbitrary uid in a container has no name
        return False


def user_name() -> str:
    """Return the Jupyter user: JupyterHub's user name, else the account on the machine."""
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):  # an arbitrary uid in a container has no name
        return "jupyter"


def is_hub_service() -> bool:
    """Return True in a service of a JupyterHub; JUPYTERHUB_USER is then the account that runs it."""
    return "JUPYTERHUB_SERVICE_NAME" in os.environ


class LabelStudioProxy(Configurable):
    """The settings of labelstudio-proxy.

    In `jupyter_server_config.py` as `c.LabelStudioProxy.<name>`, on the command line of Jupyter as
    `--LabelStudioProxy.<name>=…`, in the environment as `LABELSTUDIO_PROXY_<NAME>`.

    The tag `group` is one of GROUPS, `rule` says what a value must be, and `pattern` is a regular
    expression for all of it.
    """

    backend = Enum(
        ["auto", "process", "docker"],
        "auto",
        help="""How to run Label Studio. `process`: as a local process. `docker`: as a container of
        Docker or Podman. `auto`: as a process if Label Studio is installed, else as a container if
        Docker or Podman responds; else the page offers to install it.""",
    ).tag(config=True, group=CHOOSE, rule="`auto`, `process` or `docker`")

    label_studio = Unicode(
        help="""Path of the `label-studio` executable, for example
        `/opt/label-studio/bin/label-studio`. Empty: the one of the notebook's environment, else the
        first on `PATH`, else the one in `install_dir`.""",
    ).tag(
        config=True,
        group=CHOOSE,
        rule="the absolute path of a program, for example `~/labels/bin/label-studio`",
    )

    install_dir = Unicode(
        help="""Folder for the Label Studio that *Install Label Studio* and `labelstudio-proxy install`
        install. Empty: `labelstudio-proxy/installation` in Jupyter's data folder
        (`~/.local/share/jupyter`); on a SageMaker notebook instance
        `/home/ec2-user/SageMaker/.labelstudio-proxy-installation`.""",
    ).tag(
        config=True,
        group=CHOOSE,
        rule="the absolute path of a folder, for example `~/label-studio`",
    )

    allow_install = Bool(
        True,
        help="""Let the page and JupyterLab's panel install Label Studio where there is none. `False`:
        they say what to do in a terminal.""",
    ).tag(config=True, group=CHOOSE, rule=TRUE_OR_FALSE)

    image = Unicode(
        f"heartexlabs/label-studio:{LABEL_STUDIO_VERSION}",
        help="""Container only: the image of Label Studio, with a tag or a digest.""",
    ).tag(
        config=True,
        group=CHOOSE,
        rule=f"the name of an image, for example `heartexlabs/label-studio:{LABEL_STUDIO_VERSION}`",
        pattern=r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*",
    )

    pull_policy = Enum(
        ["missing", "always", "never"],
        "missing",
        help="""Container only: when to download the image. `missing`: if it is not on the machine.
        `always`: at each start. `never`.""",
    ).tag(config=True, group=CHOOSE, rule="`missing`, `always` or `never`")

    memory_limit = Unicode(
        help="""The most memory to use, in bytes or with `k`, `m` or `g`, for example `2g`. How it holds
        for a process depends on the system: see docs/admins.md. Empty: no limit.""",
    ).tag(
        config=True,
        group=LIMITS,
        rule="a number of bytes, or a number with k, m or g, for example `2g`",
        pattern="([0-9]+[bkmgBKMG]?)?",
    )

    cpu_limit = Float(
        0.0,
        min=0.0,
        help="""The most processors to use, for example `1.5`. A process gets whole ones where there is
        no systemd of the user. 0: no limit.""",
    ).tag(config=True, group=LIMITS, rule="a number of processors, for example 1.5")

    docker_network = Unicode(
        help="""Container only: the network that the container joins, for example `labels`. Empty:
        the engine's default.""",
    ).tag(
        config=True,
        group=LIMITS,
        rule="the name of a network, not `host`, `none` or `container:…`, for example `bridge`",
        pattern="(?!(host|none)$|container:).*",
    )

    data_dir = Unicode(
        help="""Folder for Label Studio's database, uploads and secret key. Empty:
        `~/.local/share/labelstudio-proxy`; on a SageMaker notebook instance
        `/home/ec2-user/SageMaker/.labelstudio-proxy`.""",
    ).tag(config=True, group=DATA, rule="the absolute path of a folder, for example `~/labels`")

    files_root = Unicode(
        None,
        allow_none=True,
        help="""Folder whose files Label Studio may read as local files, for example `~/images`.
        Default: the home folder if Jupyter's `root_dir` is in it, else `root_dir`. Empty: no
        folder.""",
    ).tag(config=True, group=FILES, rule="the absolute path of a folder, for example `~/images`")

    files_writable = Bool(
        False,
        help="""Let Label Studio write into `files_root` (export to local storage).""",
    ).tag(config=True, group=FILES, rule=TRUE_OR_FALSE)

    owner_email = Unicode(
        help="""E-mail address of the account that the first start makes, for example
        `ada@localhost`. Empty: the name of the user if that is an address, else `<user>@localhost`.
        Ignored if the data directory has accounts.""",
    ).tag(
        config=True,
        group=DATA,
        rule="an e-mail address, for example `ada@localhost`",
        pattern=r"([^@\s]+@[^@\s]+)?",
    )

    start_timeout = Float(
        600.0, min=1.0, help="""Seconds that Label Studio may take to respond after a start."""
    ).tag(config=True, group=START_STOP, rule="a number of seconds, at least 1, for example 600")

    idle_timeout = Float(
        0.0,
        min=0.0,
        help="""Stop Label Studio after so many seconds without use, for example 1800; the next click
        starts it. Open pages do not count as use. 0: never.""",
    ).tag(config=True, group=START_STOP, rule="a number of seconds, for example 1800")

    prewarm = Bool(
        False,
        help="""Start Label Studio with Jupyter, in the background, instead of at the first
        click.""",
    ).tag(config=True, group=START_STOP, rule=TRUE_OR_FALSE)

    aws_credentials = Bool(
        False,
        help="""Let Label Studio read S3 with the notebook's AWS credentials, as boto3 finds them: in
        the environment (`AWS_…`), in `~/.aws`, and by the role of the machine. Every account of
        Label Studio can then read what they can read. `False`: Label Studio gets none of them.""",
    ).tag(config=True, group=FILES, rule=TRUE_OR_FALSE)

    environment = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""More environment variables for Label Studio (PostgreSQL, S3, …), for example
        `{"POSTGRE_HOST": "db"}`. In the environment and on the command line as JSON.""",
    ).tag(
        config=True,
        group=LABEL_STUDIO,
        rule='names with texts, for example `{"POSTGRE_HOST": "db"}`, without '
        + ", ".join(f"{name} ({why})" for name, why in RESERVED_ENVIRONMENT.items()),
        secret=True,
    )

    keep_labels = Unicode(
        help="""File that has the labels of a project at any time, beside the labelled files, for
        example `labels.jsonl`. It is for projects that are made with `label()`, whose `keep` overrides
        it. Empty: none.""",
    ).tag(
        config=True,
        group=FILES,
        rule="a relative path that ends in `.jsonl`, for example `labels.jsonl`",
        pattern=r"(?!/)[^\0]*\.jsonl|",
    )

    new_browser_tab = Bool(
        True, help="""Open Label Studio in a new browser tab. `False`: in a tab of JupyterLab."""
    ).tag(config=True, group=OPEN, rule=TRUE_OR_FALSE)

    tile = Bool(
        True,
        help="""Show the tile, and the panel, menus and commands in JupyterLab. `False`: none of them.
        Label Studio is still at `labelstudio/` below Jupyter's URL.""",
    ).tag(config=True, group=OPEN, rule=TRUE_OR_FALSE)

    @validate("data_dir", "files_root", "install_dir", "label_studio")
    def _validate_path(self, proposal: Any) -> str | None:
        value: str | None = proposal["value"]
        # Where Jupyter starts must not decide which data it opens. RuntimeError for `~name` without
        # such a user.
        if value and (not Path(value).expanduser().is_absolute() or "\0" in value):
            raise TraitError
        return value

    @validate("cpu_limit", "start_timeout", "idle_timeout")
    def _validate_number(self, proposal: Any) -> float:
        value: float = proposal["value"]
        if not math.isfinite(value):
            raise TraitError
        return value

    @validate("owner_email", "image", "memory_limit", "docker_network", "keep_labels")
    def _validate_pattern(self, proposal: Any) -> str:
        value: str = proposal["value"]
        if not re.fullmatch(proposal["trait"].metadata["pattern"], value):
            raise TraitError
        return value

    @validate("environment")
    def _validate_environment(self, proposal: Any) -> dict[str, str]:
        value: dict[str, str] = proposal["value"]
        if {re.sub("^(LABEL_STUDIO_|HEARTEX_)", "", name) for name in value} & {
            *RESERVED_ENVIRONMENT
        }:
            raise TraitError
        return value

    def data_directory(self) -> Path:
        """Return `data_dir` or its default, absolute."""
        return absolute(self.data_dir) if self.data_dir else default_data_dir()

    def install_directory(self) -> Path:
        """Return `install_dir` or its default, absolute."""
        return absolute(self.install_dir) if self.install_dir else default_install_dir()

    def notebook_files(self, root_dir: str) -> NotebookFiles | None:
        """Return the folders of `files_root`, by default around `root_dir`; None for no files.

        The default does not depend on where in the home folder Jupyter starts, and neither do the
        paths that Label Studio writes into task data.
        """
        if self.files_root is not None:
            root = absolute(self.files_root)
            return NotebookFiles(root, root, fixed=True) if self.files_root else None
        if not root_dir:
            return None
        shown = absolute(root_dir)
        return NotebookFiles(home_around(shown) or shown, shown)

    def owner(self) -> str:
        """Return `owner_email` or its default."""
        return self.owner_email or email_of(user_name())

    def owner_name(self) -> str:
        """Return the name that Label Studio shows for the owner; empty: the e-mail address."""
        hub_user = "" if is_hub_service() else os.environ.get("JUPYTERHUB_USER", "")
        name = hub_user or ("" if self.owner_email else user_name())
        # Label Studio's pages write it into a script without escaping a backslash, as in `LAB\ada`.
        return name.replace("\\", "/")


def absolute(path: str) -> Path:
    """Return the path with `~` expanded, absolute; links stay as they are."""
    return Path(path).expanduser().absolute()


def resolve(
    *,
    command_line: Config,
    environment: Mapping[str, str],
    files: Config,
    locked: Iterable[tuple[str, Config]] = (),
) -> tuple[LabelStudioProxy, list[Problem]]:
    """Return the settings; the command line overrides the environment, and that the files.

    Nothing overrides `locked`, the files of an administrator with their names.

    A wrong value leaves the default in place and adds a Problem: it must keep Label Studio from
    starting, possibly on the wrong data, and never Jupyter.
    """
    sources = [
        *((f"{_braces(file)} sets", config) for file, config in locked),
        ("The command line sets", command_line),
        (f"The environment variable {ENVIRONMENT_PREFIX}{{}} sets", _from_environment(environment)),
        ("The configuration files set", files),
    ]
    settings = LabelStudioProxy()
    problems: list[Problem] = []
    seen: set[str] = set()
    for source, config in sources:
        for name, value in config.get("LabelStudioProxy", {}).items():
            if name in seen:
                continue
            seen.add(name)
            trait = settings.traits(config=True).get(name)
            if trait is None:
                problems.append(_unknown(name, source, settings.trait_names(config=True)))
                continue
            given = value
            try:
                if isinstance(value, DeferredConfig):
                    value = _parsed(trait, value)
                elif isinstance(value, LazyConfigValue):
                    value = value.get_value(getattr(settings, name))
                setattr(settings, name, value)
            except Exception:  # noqa: BLE001 - a converter may raise anything for a wrong value
                problems.append(_wrong(name, source.format(name.upper()), trait.metadata, given))
    return settings, problems


def _braces(text: str) -> str:
    """Return the text so that `format` leaves it unchanged."""
    return text.replace("{", "{{").replace("}", "}}")


def _from_environment(environment: Mapping[str, str]) -> Config:
    # Ignores names that are no setting: Kubernetes adds LABELSTUDIO_PROXY_PORT and the like for a
    # service of that name.
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


def _wrong(name: str, source: str, metadata: Mapping[str, Any], value: object) -> Problem:
    shown = repr(str(value) if isinstance(value, str) else value)[:SHOWN_CHARACTERS]
    return Problem(
        f"`{name}` must be {metadata['rule']}.",
        f"{source} it to {'something else' if metadata.get('secret') else shown}.",
        f"Correct the setting `{name}`, then restart Jupyter.",
    )


def _unknown(name: str, source: str, names: Iterable[str]) -> Problem:
    close = get_close_matches(name, list(names), 1)
    return Problem(
        f"There is no setting `{name}`.",
        f"{source} it.",
        (f"Did you mean `{close[0]}`? " if close else "")
        + f"Correct the name, then restart Jupyter. All settings: {SETTINGS_PAGE}",
    )
