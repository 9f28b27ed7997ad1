"""The package's version, as pip knows it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("siglip-hd-client")
except PackageNotFoundError:  # imported from a source tree that nobody installed
    __version__ = "0"
