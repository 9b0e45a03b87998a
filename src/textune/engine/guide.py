"""GrammarGuide: an answer kept to a grammar, by the library ``llguidance``."""

from typing import Any

import torch

from textune.core.errors import ModelError


class GrammarGuide:
    """Follows one answer; see ``engine.decoding.Guide``."""

    def __init__(self, tokens: Any, grammar: str) -> None:
        """``tokens`` as ``token_table`` gives them; ``grammar`` has a rule ``start``."""
        from llguidance import LLMatcher
        from llguidance.numpy import allocate_token_bitmask

        self._matcher = LLMatcher(tokens, grammar, log_level=0)
        self._mask = allocate_token_bitmask(1, tokens.vocab_size)
        self._check()

    def allowed(self) -> torch.Tensor:
        """Tokens that the grammar allows next."""
        from llguidance.numpy import fill_next_token_bitmask

        fill_next_token_bitmask(self._matcher, self._mask)
        self._check()
        bits = torch.from_numpy(self._mask[0].view("uint8")).unsqueeze(1)
        places = bits.bitwise_right_shift(torch.arange(8, dtype=torch.uint8)).bitwise_and(1)
        return places.flatten().nonzero().squeeze(1)

    def take(self, token: int) -> bool:
        """Go on; an answer that nothing can follow has ended."""
        self._matcher.consume_token(token)
        self._check()
        return not self._matcher.is_stopped()

    def _check(self) -> None:
        if self._matcher.is_error():
            reason = self._matcher.get_error().splitlines()[0]
            raise ModelError(
                f"an answer cannot be kept to its form: {reason}",
                hint="this is a defect of textune or of the model's tokenizer: please report it",
            )


def token_table(tokenizer: Any) -> Any:
    """The bytes of every token, as a grammar needs them; takes about half a second.

    Raises:
        ModelError: the tokenizer does not say what its tokens stand for.
    """
    from llguidance.hf import from_tokenizer

    try:
        return from_tokenizer(tokenizer, eos_token=tokenizer.eos_token_id)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        hint = "choose another model"
        raise ModelError(f"this tokenizer cannot follow a grammar: {reason}", hint=hint) from None
