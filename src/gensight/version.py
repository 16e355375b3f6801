"""The package's version, for whoever must not import the public API."""

__version__ = "0.1.0"
