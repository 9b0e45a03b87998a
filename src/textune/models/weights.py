"""All weights of a network in one safetensors file."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from textune.core.errors import StoreError


def save_weights(network: nn.Module, path: Path) -> None:
    """Everything that the network learnt."""
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, path, metadata={"format": "pt"})


def load_weights(network: nn.Module, path: Path) -> None:
    """Put what ``save_weights`` wrote into a network of the same shape.

    Raises:
        StoreError: missing, damaged or of another shape; names the file.
    """
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        hint = "fit it again, or take it from a copy"
        raise StoreError(f"damaged weights {path}: {reason}", hint=hint) from None
