"""Textune: the best way of adapting a language model to a text task, with evidence and costs."""

from importlib.metadata import version

__version__ = version("textune")
