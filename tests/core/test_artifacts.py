import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textune.core.artifacts import read_arrays, read_json, write_arrays, write_json
from textune.core.errors import StoreError

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONTENT)
def test_words_come_back_as_they_were(tmp_path, content):
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content


def test_numbers_come_back_as_they_were(tmp_path):
    arrays = {"weights": np.arange(12.0).reshape(3, 4).T, "bias": np.array([np.inf, -0.0, 1e-300])}
    write_arrays(tmp_path / "a.safetensors", arrays)
    found = read_arrays(tmp_path / "a.safetensors", ["bias", "weights"])
    assert list(found) == ["bias", "weights"]
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("damage", [None, b"", b'{"half": ', b"\xff\xfe"])
def test_damaged_words_are_refused_by_name(tmp_path, damage):
    if damage is not None:
        (tmp_path / "a.json").write_bytes(damage)
    with pytest.raises(StoreError, match=r"damaged bundle file .*a\.json") as raised:
        read_json(tmp_path / "a.json")
    assert raised.value.hint


@pytest.mark.parametrize("keep", [None, 0, 4, 40, -3])
def test_damaged_numbers_are_refused_by_name(tmp_path, keep):
    path = tmp_path / "a.safetensors"
    if keep is not None:
        write_arrays(path, {"weights": np.ones(9)})
        path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreError, match=r"damaged bundle file .*a\.safetensors"):
        read_arrays(path, ["weights"])


def test_a_missing_array_is_named(tmp_path):
    write_arrays(tmp_path / "a.safetensors", {"weights": np.ones(2)})
    with pytest.raises(StoreError, match="bias"):
        read_arrays(tmp_path / "a.safetensors", ["weights", "bias"])
