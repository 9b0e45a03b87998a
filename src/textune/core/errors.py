"""Every error that textune raises on purpose.

    TextuneError              a user's mistake or an outside fault: one line and a hint, exit 2
    |- ConfigError            a study, task or option says something that cannot be
    |- DataError              a file, a row or a set of examples cannot be used
    |- ModelError             weights are missing, altered or unreachable
    |- ImpossibleError        the parts exist but do not go together (method x model x kind)
    |  `- DivergedError       training was lost: its loss is not a number any more
    `- StoreError             a run folder or bundle is damaged, locked or cannot be written

Our own mistakes are assertions and stay tracebacks.
"""

from collections.abc import Iterable


class TextuneError(Exception):
    """A mistake that the user can mend; printed as one line and a hint, never as a traceback."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}"

    def within(self, place: str) -> "TextuneError":
        """The same error, saying what it happened in."""
        return type(self)(f"{place}: {self.message}", hint=self.hint)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (_rebuild, (type(self), self.message, self.hint))


class ConfigError(TextuneError):
    """A study, task or option says something that cannot be."""


class DataError(TextuneError):
    """A file, a row or a set of examples cannot be used."""


class ModelError(TextuneError):
    """Weights are missing, altered or unreachable."""


class ImpossibleError(TextuneError):
    """The parts exist but do not go together."""


class DivergedError(ImpossibleError):
    """The loss of a training is not a number any more."""


class StoreError(TextuneError):
    """A run folder, record or bundle is damaged, locked or cannot be written."""


def _rebuild(kind: type[TextuneError], message: str, hint: str) -> TextuneError:
    return kind(message, hint=hint)


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """A hint that names the closest allowed word, or all of them when none is close."""
    import difflib

    names = sorted(allowed)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"allowed: {', '.join(names)}" if names else "nothing is allowed here"
