"""Keeps what Label Studio seldom uses out of its start, where it takes more than a third of the time.

Label Studio gets it as usual when it uses it.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

# Their importers do without them.
LEFT_OUT = (
    # For URIs in JSON schemas, which Label Studio does not have. It builds a grammar.
    "rfc3987_syntax",
    # For Azure's asynchronous clients, which Label Studio does not use.
    "azure.core.pipeline.transport._aiohttp",
)

# Modules, and the one class that is imported from them by name, if any.
SELDOM_USED = {
    "pandas": "",  # reads and writes tables
    "jsf.parser": "JSF",  # makes up labels for a preview
    "nltk.tokenize.treebank": "TreebankWordTokenizer",  # for exports to CoNLL
}


class Later(ModuleType):
    """A module that is imported when something of it is used first."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__" and "." in self.__name__:  # `from` asks whether it is a package
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


class LaterClass:
    """In the place of a class, whose module is imported when the class is used first."""

    def __init__(self, module: Later, name: str) -> None:
        self.__dict__.update(_module=module, _name=name)

    def _found(self) -> Any:
        found = self._module.__getattr__(self._name)
        for name, value in vars(self).items():  # Label Studio's SDK sets one on the class
            if name not in {"_module", "_name"}:
                setattr(found, name, value)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._found()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found(), name)

    def __mro_entries__(self, _: Any) -> tuple[Any, ...]:
        """Called by Python for a class that is derived from this one."""
        return (self._found(),)

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, self._found())


def import_later(name: str, class_name: str) -> None:
    """Import the module `name` when it is used, or when its class is used."""
    module = Later(name)
    if class_name:
        setattr(module, class_name, LaterClass(module, class_name))
    sys.modules.setdefault(name, module)


def use_libyaml() -> None:
    """Let PyYAML parse with libyaml. Otherwise, templates and feature flags take 0.3 s."""
    import yaml

    if yaml.__with_libyaml__:
        yaml.SafeLoader, yaml.FullLoader = yaml.CSafeLoader, yaml.CFullLoader


def import_less() -> None:
    """Call it before Label Studio is imported."""
    for name in LEFT_OUT:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # its import fails
    for name, class_name in SELDOM_USED.items():
        import_later(name, class_name)
    use_libyaml()
