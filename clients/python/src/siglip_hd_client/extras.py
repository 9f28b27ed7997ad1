"""Says how to install what an import lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(package: str, user: str, install: str) -> Iterator[None]:
    """Names the user of a package that is not installed, and how to install it.

    Raises:
        ModuleNotFoundError: The package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        # A package that is installed may lack one of its own.
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ModuleNotFoundError(f"{user} needs {package}: pip install '{install}'", name=package) from error
