"""Replace all predictions of a model version at once.

Label Studio removes one prediction in a request, or all of a version. So a second version gets those
that shall be there. People see it while the first one is emptied and filled again; it is removed last.
A stop in between leaves one of the two whole, and the next call for the version continues.
"""

from __future__ import annotations

from ...aio import finished
from .label_studio_api import LabelStudioAPI
from .prediction_batches import add_in_batches
from .stream import Report


def replacement_of(version: str) -> str:
    """Return the name of the version that is about to replace `version`."""
    return f"{version} (replacement)"


async def replace_all(api: LabelStudioAPI, project: int, version: str, report: Report) -> None:
    """Let the predictions of the replacement become those of `version`, and show people these.

    A cancellation waits until that is done. Raises Problem; the next call then has to continue.
    """
    await finished(_replace_all(api, project, version, report))


async def continue_replacement(
    api: LabelStudioAPI, project: int, version: str, report: Report
) -> None:
    """Complete what an earlier call for `version` has begun, or undo it; raises Problem."""
    replacement = await api.predictions(project, replacement_of(version))
    if not replacement:
        return
    first = min(each["id"] for each in replacement)
    # Those that are older than the replacement are removed only after that is whole.
    if all(each["id"] > first for each in await api.predictions(project, version)):
        await replace_all(api, project, version, report)
    else:
        await api.delete_predictions(project, replacement_of(version))


async def show(api: LabelStudioAPI, project: int, version: str) -> None:
    """Let people see the predictions of `version`."""
    await api.change_project(project, model_version=version, show_collab_predictions=True)


async def _replace_all(api: LabelStudioAPI, project: int, version: str, report: Report) -> None:
    found = await api.predictions(project, replacement_of(version))
    report(0, 0, "Removing earlier predictions of this model version")
    await show(api, project, replacement_of(version))
    await api.delete_predictions(project, version)
    await add_in_batches(api, project, version, found, report)
    report(0, 0, "Removing earlier predictions of this model version")
    await show(api, project, version)
    await api.delete_predictions(project, replacement_of(version))
