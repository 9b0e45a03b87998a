import pytest

from textune.methods.base import REGISTRY
from textune.testing import ARCHITECTURES, check_method, tiny_model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", REGISTRY.names())
def test_every_method_keeps_its_promises(name, architecture):
    check_method(REGISTRY.get(name)(), tiny_model(architecture))


def test_the_methods_that_we_promise_are_there():
    assert {"full", "lora", "qlora", "ia3", "prompt_tuning"} <= set(REGISTRY.names())
