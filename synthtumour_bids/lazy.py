"""A package's public names, imported when they are first asked for (PEP 562)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def public(package: str, homes: Mapping[str, str], name: str) -> Any:
    """Find a public name, for a package's ``__getattr__``.

    Parameters
    ----------
    package
        The package, as its ``__name__`` says.
    homes
        Module of the package that each public name comes from; a submodule is its own home.
    name
        What was asked for.

    Raises
    ------
    AttributeError
        If the package has no such name.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module = import_module(f"{package}.{homes[name]}")
    return module if homes[name] == name else getattr(module, name)
