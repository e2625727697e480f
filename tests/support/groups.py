"""Which tests run together when pytest-xdist spreads the tests over several workers.

Tests of a group run in one worker, one after another. A group is

- all tests with a container engine: there is one of each kind, and tests kill and freeze it;
- all tests that measure memory or processor time (`@pytest.mark.measures`);
- all tests of a module that share a fixture of the module, such as `jupyter` or `chromium`.

Every other test is on its own. The groups that take longest start first.
"""

from __future__ import annotations

import pytest

# The fixture of each engine is the name of its group.
ENGINES = ("docker_engine", "podman_engine")
MEASURES = "measures"

# The order of the start.
ORDER = (*ENGINES, "browser/", "integration/", MEASURES, "gateway/", "fuzz/", "unit/")


def assign(items: list[pytest.Item]) -> None:
    """Mark each test with its group."""
    for item in items:
        if group := group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))


def check(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Raise UsageError where xdist ignores the groups, which it does without a word.

    It carries them in the tests' ids, which not every pytest lets it change.
    """
    if getattr(config.option, "loadgroup", False):
        for item in items:
            if (group := group_of(item)) and not item.nodeid.endswith(f"@{group}"):
                msg = f"pytest-xdist ignores groups with pytest {pytest.__version__}"
                raise pytest.UsageError(msg)


def sort(items: list[pytest.Item]) -> None:
    """Put the longest groups first; the tests of a group keep their order."""
    items.sort(key=_rank)


def group_of(item: pytest.Item) -> str | None:
    """Return the name of the test's group, or None for a test on its own."""
    fixtures = set(getattr(item, "fixturenames", ()))
    # an engine can be a parameter, too, which a fixture then asks for by its name
    callspec = getattr(item, "callspec", None)
    if callspec is not None:
        fixtures.update(value for value in callspec.params.values() if isinstance(value, str))
    for engine in ENGINES:
        if engine in fixtures:
            return engine
    if item.get_closest_marker(MEASURES):
        return MEASURES
    return _module_of(item) if _shares_a_fixture(item) else None


def _shares_a_fixture(item: pytest.Item) -> bool:
    definitions = getattr(item, "_fixtureinfo", None)
    found = definitions.name2fixturedefs.values() if definitions is not None else ()
    return any(each[-1].scope in {"module", "class", "package"} for each in found)


def _module_of(item: pytest.Item) -> str:
    """Return the module's path below `tests`; xdist appends the group to what stands after it."""
    path = item.nodeid.partition("::")[0]
    return path.removeprefix("tests/").removesuffix(".py")


def _rank(item: pytest.Item) -> int:
    name = group_of(item) or _module_of(item)
    return next(number for number, start in enumerate(ORDER) if name.startswith(start))
