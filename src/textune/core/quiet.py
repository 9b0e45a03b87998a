"""Libraries write what concerns their developers; a command says what concerns its user."""

import logging
import warnings

LIBRARIES = ("bitsandbytes", "transformers", "accelerate", "peft")


def quiet_libraries() -> None:
    """Silence what model libraries write to stderr, short of errors."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
