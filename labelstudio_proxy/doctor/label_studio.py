"""Label Studio: whether there is one, which, and why this one."""

from __future__ import annotations

from .._version import LABEL_STUDIO_VERSION
from ..backends.factory import process_environment, runs_as_process
from ..backends.process.installation import command_to_install, find_installation
from ..data_directory.migrations import VersionRecord, is_newer
from ..installation.folder import InstallFolder
from ..problem import Problem
from .finding import Finding, error, of_problem, ok, warning
from .situation import Situation

SUBJECT = "Label Studio"


async def check(situation: Situation) -> list[Finding]:
    """Find Label Studio as a start does, and compare its version."""
    settings = situation.settings
    if not runs_as_process(settings):
        why = (
            "the setting `backend` says so" if settings.backend == "docker" else "none is installed"
        )
        return [ok(SUBJECT, f"runs as a container, because {why}: {settings.image}")]
    try:
        found = await find_installation(
            settings.label_studio,
            process_environment(settings, files_root=None),
            InstallFolder(settings.install_directory()),
            can_install=False,
        )
    except Problem as problem:
        return [of_problem(SUBJECT, problem)]
    findings = [ok(SUBJECT, f"version {found.version}, for {found.python}. {found.origin}.")]
    used = VersionRecord.read(situation.directory).label_studio
    if is_newer(used, found.version):
        findings.append(
            error(
                SUBJECT,
                f"Its version {found.version} is older than {used}, which has used the database.",
                f"Run `{command_to_install(f'label-studio=={used}', found.python)}`.",
            )
        )
    elif is_newer(found.version, LABEL_STUDIO_VERSION):
        findings.append(
            warning(
                SUBJECT,
                f"labelstudio-proxy was tested with {LABEL_STUDIO_VERSION}, not with "
                f"{found.version}.",
                "If something does not work, look for a newer labelstudio-proxy.",
            )
        )
    return findings
