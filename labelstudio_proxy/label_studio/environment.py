"""The environment that Label Studio gets: an allow list, then what makes it safe, then the user's.

Label Studio reads `LABEL_STUDIO_X`, `HEARTEX_X` and plain `X` alike, so whatever happens to be in a
notebook's environment would configure it: conda's HOST, a foreign SECRET_KEY or DEBUG, Kubernetes'
LABEL_STUDIO_PORT.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# What a program needs to find its files, its language and its way to the network.
ALLOWED = (
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
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
    # Only whoever comes through Jupyter gets in.
    "DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "CORS_ALLOW_ALL_ORIGINS": "false",
    # No import, storage or webhook reaches this machine or its cloud, whatever the version's default.
    "SSRF_PROTECTION_ENABLED": "true",
    # Nothing is sent elsewhere, and a start does not wait for the internet.
    "LATEST_VERSION_CHECK": "false",
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    # Without it, Label Studio takes PostgreSQL where DJANGO_DB is inherited from elsewhere.
    "DJANGO_DB": "sqlite",
    "DEBUG": "false",
}


def labelstudio_environment(
    inherited: Mapping[str, str],
    *,
    data_dir: Path,
    files_root: Path | None,
    extra: Mapping[str, str],
) -> dict[str, str]:
    """Build Label Studio's environment from the gateway's (`inherited`) and the settings.

    `extra` (the setting `environment`) comes last and wins, whichever of Label Studio's three names
    for a variable it uses.
    """
    environment = {
        name: value
        for name, value in inherited.items()
        if name in ALLOWED or name.startswith("LC_")
    }
    ours = {
        **HARDENED,
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir),
        "LOCAL_FILES_SERVING_ENABLED": "true" if files_root else "false",
        # Where there is no files root: a folder of Label Studio's own that holds no files.
        "LOCAL_FILES_DOCUMENT_ROOT": str(files_root or data_dir / "export"),
    }
    chosen = {_plain(name) for name in extra}
    environment.update({name: value for name, value in ours.items() if _plain(name) not in chosen})
    environment.update(extra)
    return environment


def external_database(extra: Mapping[str, str]) -> bool:
    """Whether the setting `environment` takes Label Studio to another database than SQLite."""
    chosen = {_plain(name): value for name, value in extra.items()}
    return chosen.get("DJANGO_DB", "sqlite") != "sqlite"


def _plain(name: str) -> str:
    return name.removeprefix("LABEL_STUDIO_").removeprefix("HEARTEX_")
