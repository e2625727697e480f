"""Replace all predictions of a model version at once.

A request to Label Studio removes either one prediction or all of a version. So the new predictions first
become a second version, the replacement. People see the replacement while the version itself is removed and
added again. The replacement is removed last. If Label Studio or the gateway stops in between, one of the two is
complete, and the next call for the version continues.
"""

from __future__ import annotations

from ...aio import finished
from .label_studio_api import LabelStudioAPI
from .prediction_batches import add_in_batches
from .stream import Report


def replacement_of(version: str) -> str:
    """Return the name of the replacement of `version`."""
    return f"{version} (replacement)"


async def replace_all(api: LabelStudioAPI, project: int, version: str, report: Report) -> None:
    """Replace the predictions of `version` by those of its replacement, and show them to people.

    A cancellation waits until this is complete. Raises Problem; then the next call continues.
    """
    await finished(_replace_all(api, project, version, report))


async def continue_replacement(
    api: LabelStudioAPI, project: int, version: str, report: Report
) -> None:
    """Complete a replacement that an earlier call for `version` began, or undo it; raises Problem."""
    replacement = await api.predictions(project, replacement_of(version))
    if not replacement:
        return
    first = min(each["id"] for each in replacement)
    # Predictions older than the replacement are removed only after it is complete.
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
