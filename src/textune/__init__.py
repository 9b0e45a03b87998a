"""Textune: the best way of adapting a language model to a text task, with evidence and costs."""

__version__: str


def __getattr__(name: str) -> str:
    """``__version__``: reading it takes longer than importing this package, so when asked for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("textune")
