import pytest

from textune.cli.sizes import bytes_of
from textune.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2**31), (".5GiB", 2**29), ("1.5 gb", 1_500_000_000), ("800MB", 8 * 10**8), ("7", 7)],
)
def test_a_size_is_a_number_with_a_unit(text, size):
    assert bytes_of(text, "--memory") == size


@pytest.mark.parametrize("text", ["", ".", "1.2.3GB", "GB", "2 GiB more", "0MB", "-1GB", "lots"])
def test_what_is_no_size_is_refused_by_the_name_of_its_option(text):
    with pytest.raises(ConfigError, match="--memory: cannot read"):
        bytes_of(text, "--memory")


def test_an_option_that_is_not_given_has_no_size():
    assert bytes_of(None, "--memory") is None
