"""Tokens of models that run elsewhere and are paid by the token."""

from collections.abc import Mapping
from dataclasses import dataclass

from textune.core.registry import Spec


@dataclass(frozen=True, kw_only=True)
class ServedTokens(Spec):
    """What a served model read and wrote. None: some answer came without its counts."""

    input: int | None
    output: int | None

    def plus(self, other: "ServedTokens") -> "ServedTokens":
        """Both together; what is unknown of one is unknown of both, as a part is no sum."""
        return ServedTokens(
            input=_sum(self.input, other.input), output=_sum(self.output, other.output)
        )

    @property
    def total(self) -> int | None:
        """Read and written."""
        return _sum(self.input, self.output)


ServedBy = Mapping[str, ServedTokens]
"""Name of a model at its endpoint -> its tokens."""


def together(one: ServedBy, other: ServedBy) -> dict[str, ServedTokens]:
    """The tokens of both, model by model."""
    found = dict(one)
    for model, tokens in other.items():
        found[model] = found[model].plus(tokens) if model in found else tokens
    return found


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
