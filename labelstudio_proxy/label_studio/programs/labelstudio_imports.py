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


def import_later(name: str, class_name: str) -> None:
    """Import the module `name` when it is used, or when its class is called."""
    module = Later(name)

    def make(*args: Any, **kwargs: Any) -> Any:
        found = module.__getattr__(class_name)
        for attribute, value in vars(make).items():  # Label Studio's SDK sets one on the class
            setattr(found, attribute, value)
        return found(*args, **kwargs)

    if class_name:
        setattr(module, class_name, make)
    sys.modules.setdefault(name, module)


def use_libyaml() -> None:
    """Let PyYAML parse with libyaml. Otherwise, templates and feature flags take 0.3 s."""
    import yaml

    if yaml.__with_libyaml__:
        yaml.SafeLoader, yaml.FullLoader = yaml.CSafeLoader, yaml.CFullLoader


def import_less() -> None:
    """Call it before Label Studio is imported."""
    for name in LEFT_OUT:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    for name, class_name in SELDOM_USED.items():
        import_later(name, class_name)
    use_libyaml()
