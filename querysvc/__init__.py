"""querysvc: SQL over objects in S3, in place."""

from importlib.metadata import version

__version__ = version("querysvc")
