"""Layers of known families of transformers that are put in the place of their own.

They compute the same, keep less for the way back and make fewer passes over memory:
``models.lean_parts`` has norms, gated units and rotary positions, ``models.lean_layer`` whole
decoder layers, ``models.dropout`` dropout.
"""

import sys

from torch import nn

from textune.models import lean_layer, lean_parts
from textune.models.dropout import LeanDropout


def make_lean(model: nn.Module) -> None:
    """Let layers of known families compute leanly, in place; weights and names stay."""
    for module in model.modules():
        name = type(module).__name__
        if name in _names("RMSNorm"):
            module.__class__ = _lean(lean_parts.LeanNorm, type(module))
        elif name in _names("MLP") and type(module.act_fn).__name__ in ("SiLU", "SiLUActivation"):
            module.__class__ = _lean(lean_parts.LeanUnit, type(module))
        elif name in _names("Attention"):
            _rotate_leanly(type(module).__module__)
        elif name in _names("DecoderLayer", lean_layer.FAMILIES):
            module.__class__ = _lean(lean_layer.LeanLayer, type(module))
        elif type(module) is nn.Dropout:
            module.__class__ = LeanDropout


def _names(suffix: str, families: tuple[str, ...] = lean_parts.FAMILIES) -> set[str]:
    return {family + suffix for family in families}


def _lean(mixin: type, original: type) -> type:
    return type(original.__name__, (mixin, original), {})


def _rotate_leanly(module_name: str) -> None:
    """Put the lean rotation in the place of the function that a family's attention calls.

    It is the same for every model of the process, and the original where no kernel can do it.
    """
    module = sys.modules[module_name]
    original = module.apply_rotary_pos_emb
    if not isinstance(original, lean_parts.LeanRotation):
        vars(module)["apply_rotary_pos_emb"] = lean_parts.LeanRotation(original)
