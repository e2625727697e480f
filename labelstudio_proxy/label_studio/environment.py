"""Label Studio's environment: an allow list, safe values, then the user's own variables.

Label Studio reads `LABEL_STUDIO_X`, `HEARTEX_X` and plain `X`. Without the allow list, variables of
the notebook's environment would configure it: conda's HOST, DEBUG or SECRET_KEY of another program,
LABEL_STUDIO_PORT of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from . import aws

# A program needs these for its files, its language and its network access.
ALLOWED = (
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)

HARDENED = {
    "PYTHONUNBUFFERED": "1",
    # An ASCII locale could not encode the names of some files.
    "PYTHONUTF8": "1",
    # Only users of Jupyter have access.
    "DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "CORS_ALLOW_ALL_ORIGINS": "false",
    # No import, storage or webhook reaches this machine or its cloud.
    "SSRF_PROTECTION_ENABLED": "true",
    # Label Studio sends nothing elsewhere, and a start does not wait for the internet.
    "LATEST_VERSION_CHECK": "false",
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    # Label Studio would cut a file of cloud storage off after 20 seconds, while a browser loads it.
    "RESOLVER_PROXY_TIMEOUT": "300",
    # After an import of predictions, Label Studio counts again for its tasks, not for all of the project.
    "fflag_fix_back_4620_memory_efficient_predictions_import_08012025_short": "true",
    # Not the database of another Django program.
    "DJANGO_DB": "sqlite",
    "DEBUG": "false",
}


def labelstudio_environment(
    inherited: Mapping[str, str],
    *,
    data_dir: Path,
    files_root: Path | None,
    extra: Mapping[str, str],
    aws_credentials: bool = False,
) -> dict[str, str]:
    """Return Label Studio's environment; `inherited` is the gateway's.

    `extra` (the setting `environment`) wins under each of Label Studio's three names for a variable.
    `aws_credentials`: the setting.
    """
    environment = {
        name: value
        for name, value in inherited.items()
        if name in ALLOWED or name.startswith("LC_")
    }
    if aws_credentials:
        environment |= aws.notebook_variables(inherited) | aws.FIND_REGION
    safe = {
        **HARDENED,
        **({} if aws_credentials else aws.closed_places(extra)),
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir),
        "LOCAL_FILES_SERVING_ENABLED": "true" if files_root else "false",
        # Without a files root: a folder of Label Studio that holds no files.
        "LOCAL_FILES_DOCUMENT_ROOT": str(files_root or data_dir / "export"),
    }
    chosen = {_plain(name) for name in extra}
    environment.update({name: value for name, value in safe.items() if _plain(name) not in chosen})
    environment.update(extra)
    return environment


def only_in(folder: Path | str) -> dict[str, str]:
    """Return variables with which Label Studio writes to this folder, and not to the home folder.

    Root may compile it while an image is built, for the user whose home it is.
    """
    names = ("LABEL_STUDIO_BASE_DATA_DIR", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    return dict.fromkeys(names, str(folder))


def external_database(extra: Mapping[str, str]) -> bool:
    """Return True if the setting `environment` selects a database other than SQLite."""
    chosen = {_plain(name): value for name, value in extra.items()}
    return chosen.get("DJANGO_DB", "sqlite") != "sqlite"


def _plain(name: str) -> str:
    return name.removeprefix("LABEL_STUDIO_").removeprefix("HEARTEX_")
