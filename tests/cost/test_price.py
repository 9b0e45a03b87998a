import datetime

import pytest

from textune.core.config import json_schema
from textune.core.errors import ConfigError
from textune.cost.price import Money, PriceTable, TokenPrice, load_prices, price, token_price
from textune.cost.served import ServedTokens

OWN = """\
name: our cluster
date: 2026-01-31
currency: EUR
machines:
  node: {per: machine, hour: 2, about: the old one}
  core: {per: core, hour: 0.1}
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "prices.yaml"
    path.write_text(OWN)
    return path


@pytest.fixture(autouse=True)
def no_own_table(monkeypatch):
    monkeypatch.delenv("TEXTUNE_PRICES", raising=False)


def test_the_table_that_comes_along_is_dated_and_says_what_its_machines_are():
    table = load_prices()
    assert datetime.date.fromisoformat(table.date).year >= 2026
    assert {"cpu", "gpu-small", "gpu-large"} <= set(table.machines)
    assert all(machine.about and machine.hour > 0 for machine in table.machines.values())
    assert "assumptions" in table.name


def test_a_machine_paid_by_the_core_costs_by_the_core(own):
    table = load_prices(own)
    cost = price(1800, machine="core", cores=4, table=table)
    assert cost == Money(pytest.approx(0.2), "EUR", "our cluster, 2026-01-31")


def test_a_machine_paid_as_a_whole_costs_the_same_for_any_cores(own):
    table = load_prices(own)
    assert price(3600, machine="node", cores=64, table=table).amount == 2
    assert price(3600, machine="node", table=table).amount == 2


def test_the_environment_names_an_own_table_and_a_path_goes_before_it(own, monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTUNE_PRICES", str(own))
    assert price(3600, machine="node").currency == "EUR"
    other = tmp_path / "other.yaml"
    other.write_text(OWN.replace("our cluster", "theirs"))
    assert load_prices(other).name == "theirs"


def test_an_unknown_machine_is_an_error_that_names_the_table(own):
    with pytest.raises(ConfigError, match="our cluster, 2026-01-31: no machine 'nod'") as caught:
        price(1, machine="nod", table=load_prices(own))
    assert caught.value.hint == "did you mean 'node'?"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hour: 0.1", "hour: -1", "zero or more"),
        ("hour: 0.1", "hour: .nan", "core"),
        ("per: core", "per: socket", "per"),
        ("currency: EUR", "money: EUR", "currency"),
        ("hour: 0.1", "hour: cheap", "hour"),
    ],
)
def test_a_wrong_table_is_an_error_that_names_file_and_place(own, old, new, message):
    own.write_text(OWN.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        load_prices(own)
    assert "prices.yaml" in caught.value.message


def test_a_missing_table_is_an_error_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTUNE_PRICES", str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        load_prices()


def test_the_form_of_a_table_has_a_schema():
    keys = {"name", "date", "currency", "machines", "served"}
    assert set(json_schema(PriceTable)["properties"]) == keys


def test_tokens_are_paid_by_the_million_read_and_written_apart(own):
    own.write_text(
        OWN + "served: {small: {input: 0.5, output: 2}, large: {input: 4, output: 8}}\n"
    )
    table = load_prices(own)
    small = ServedTokens(input=3_000_000, output=500_000)
    large = ServedTokens(input=1_000, output=0)
    assert token_price({"small": small}, table) == pytest.approx(1.5 + 1.0)
    assert token_price({"small": small, "large": large}, table) == pytest.approx(2.504)
    assert token_price({}, table) == 0
    assert token_price({"small": small, "other": large}, table) is None
    assert token_price({"small": ServedTokens(input=1, output=None)}, table) is None


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_a_price_of_tokens_is_zero_or_more(wrong):
    with pytest.raises(ValueError, match="zero or more"):
        TokenPrice(input=wrong, output=1.0)


def test_the_built_in_table_assumes_no_price_of_a_served_model():
    assert load_prices().served == {}
