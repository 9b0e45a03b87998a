import json
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.config import (
    PluginOf,
    added,
    dump_yaml,
    fingerprint,
    json_schema,
    parse,
    parse_yaml,
    plain,
    read_yaml,
)
from textune.core.errors import ConfigError
from textune.core.registry import Spec
from textune.methods import base as methods
from textune.methods.base import Method
from textune.methods.ia3 import IA3
from textune.methods.lora import LoRA
from textune.methods.qlora import QLoRA


@dataclass(frozen=True, kw_only=True)
class Inner(Spec):
    """A part."""

    rate: float = 0.5
    """Share of something."""


@dataclass(frozen=True, kw_only=True)
class Outer(Spec):
    """A whole."""

    name: str
    """What it is called."""
    count: int = 3
    flag: bool = False
    form: Literal["short", "long"] = "short"
    limit: int | Literal["auto"] = "auto"
    inner: Inner = field(default_factory=Inner)
    parts: dict[str, Inner] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    method: Annotated[Method, PluginOf(methods.REGISTRY)] = field(default_factory=LoRA)
    ignored: ClassVar[int] = 7


def outer(**content):
    return parse(Outer, {"name": "x", **content}, where="file.yaml")


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
OUTERS = st.builds(
    Outer,
    name=WORDS,
    count=st.integers(-(2**53), 2**53),
    flag=st.booleans(),
    form=st.sampled_from(["short", "long"]),
    limit=st.just("auto") | st.integers(0, 99),
    inner=st.builds(Inner, rate=st.floats(allow_nan=False, allow_infinity=False)),
    parts=st.dictionaries(WORDS, st.builds(Inner), max_size=2),
    words=st.lists(WORDS, max_size=3).map(tuple),
    method=st.builds(LoRA, rank=st.integers(1, 64)) | st.just(IA3()),
)


@given(OUTERS)
def test_what_is_described_in_plain_form_is_read_back(spec):
    assert parse(Outer, plain(spec), where="memory") == spec


@given(OUTERS)
def test_what_is_written_as_yaml_is_read_back(spec):
    assert parse(Outer, parse_yaml(dump_yaml(plain(spec)), where="memory"), where="memory") == spec


@given(OUTERS, OUTERS)
def test_fingerprints_are_equal_exactly_when_descriptions_are(one, other):
    same = json.dumps(plain(one), sort_keys=True) == json.dumps(plain(other), sort_keys=True)
    assert (fingerprint(one) == fingerprint(other)) == same
    assert fingerprint(one) == fingerprint(replace(one))


def test_what_says_how_to_work_is_written_down_and_changes_no_fingerprint():
    @dataclass(frozen=True)
    class Job(Spec):
        what: str
        threads: int = field(default=1, compare=False)

    assert fingerprint(Job("a", 1)) == fingerprint(Job("a", 8)) != fingerprint(Job("b", 1))
    assert plain(Job("a", 8)) == {"what": "a", "threads": 8}


def test_an_option_that_came_later_counts_only_where_it_is_used():
    @dataclass(frozen=True)
    class Before(Spec):
        what: str

    @dataclass(frozen=True)
    class After(Spec):
        what: str
        how: str = added("as ever")

    assert fingerprint(After("a")) == fingerprint(Before("a"))
    assert fingerprint(After("a", "as ever")) == fingerprint(Before("a"))
    assert fingerprint(After("a", "anew")) != fingerprint(Before("a"))
    assert plain(After("a")) == {"what": "a", "how": "as ever"}
    assert parse(After, {"what": "a"}, where="test") == After("a")


def test_fingerprints_are_the_same_on_every_machine():
    assert fingerprint("a", 1, [0.5, None], {"b": True}) == "6e5a3a68ef27257c"


def test_a_fingerprint_tells_plug_ins_of_equal_fields_apart(monkeypatch):
    before = fingerprint(IA3())
    assert before != fingerprint(plain(IA3()))
    monkeypatch.setattr(IA3, "revision", IA3.revision + 1)
    assert fingerprint([IA3()]) != fingerprint([before])
    assert fingerprint(IA3()) != before


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-4", 2e-4),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("012", 12),
        ("0o14", 12),
        ("1:30", "1:30"),
        ("~", None),
        ("", None),
    ],
)
def test_yaml_means_what_yaml_1_2_says(text, value):
    found = parse_yaml(f"key: {text}", where="memory")
    assert found == {"key": value}
    assert type(found["key"]) is type(value)


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1\nb: 2\n", 2), ("a: 1\n\tb: 2\n", 2), ("a: 'x\n", 2), ("a: 1\na: 2", 2)],
)
def test_what_is_no_yaml_is_refused_with_its_line(text, line):
    with pytest.raises(ConfigError, match=f"^file.yaml, line {line}: not YAML: ") as raised:
        parse_yaml(text, where="file.yaml")
    assert "\n" not in raised.value.message
    assert raised.value.hint


def test_an_unprintable_character_is_no_yaml():
    with pytest.raises(ConfigError, match=r"^file.yaml: not YAML: ") as raised:
        parse_yaml("a: \x00\n", where="file.yaml")
    assert "\n" not in raised.value.message


def test_a_yaml_file_must_be_there_and_be_utf_8(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "gone.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"cannot read .*latin.yaml") as raised:
        read_yaml(tmp_path / "latin.yaml")
    assert raised.value.hint == "save it as UTF-8 text"
    (tmp_path / "good.yaml").write_text("name: caf\xe9", encoding="utf-8")
    assert read_yaml(tmp_path / "good.yaml") == {"name": "caf\xe9"}


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ({"cuont": 1}, "file.yaml: unknown key 'cuont'", "did you mean 'count'?"),
        ({"inner": {"rat": 1}}, "file.yaml: unknown key 'inner.rat'", "did you mean 'rate'?"),
        ({"parts": {"a": {"rte": 1}}}, "unknown key 'parts.a.rte'", "did you mean 'rate'?"),
        ({"count": "3"}, 'file.yaml: count cannot be "3"', "it should be a valid integer"),
        ({"count": True}, "count cannot be true", "it should be a valid integer"),
        ({"count": 2.5}, "count cannot be 2.5", "it should be a valid integer"),
        ({"flag": 1}, "flag cannot be 1", "it should be a valid boolean"),
        ({"flag": "yes"}, 'flag cannot be "yes"', "it should be a valid boolean"),
        ({"name": 7}, "name cannot be 7", "it should be a valid string"),
        ({"form": "long "}, 'form cannot be "long "', "it should be 'short' or 'long'"),
        ({"limit": "all"}, 'limit cannot be "all"', "it should be"),
        ({"inner": None}, "inner cannot be null", "it should be"),
        ({"words": "one"}, 'words cannot be "one"', "it should be a valid array"),
        ({"words": ["one", 2]}, "words.1 cannot be 2", "it should be a valid string"),
        ({"method": "lorra"}, "file.yaml: method: unknown method 'lorra'", "did you mean 'lora'?"),
        ({"method": {"lora": {"rnk": 1}}}, "method: lora: unknown key 'rnk'", "'rank'?"),
        ({"method": {"lora": {"rank": "8"}}}, 'method: lora: rank cannot be "8"', "integer"),
        ({"method": {"lora": 8}}, "method: lora: expected a mapping, found 8", "key: value"),
        ({"method": {"lora": {}, "ia3": {}}}, "method: expected one method", "write a name"),
        ({"method": 3}, "method: expected one method, found 3", "write a name"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(content, message, hint):
    with pytest.raises(ConfigError) as raised:
        outer(**content)
    assert message in raised.value.message
    assert raised.value.message.startswith("file.yaml: ")
    assert hint in raised.value.hint


def test_a_missing_key_is_named():
    with pytest.raises(ConfigError, match=r"file.yaml: 'name' is missing"):
        parse(Outer, {}, where="file.yaml")


def test_a_misspelt_key_is_named_before_the_one_that_is_missing_for_it():
    with pytest.raises(ConfigError, match="unknown key 'nmae'") as raised:
        parse(Outer, {"nmae": "x"}, where="file.yaml")
    assert raised.value.hint == "did you mean 'name'?"


@pytest.mark.parametrize("content", [None, [], "text", 3])
def test_only_a_mapping_is_a_description(content):
    with pytest.raises(ConfigError, match=r"file.yaml: expected a mapping, found"):
        parse(Outer, content, where="file.yaml")


def test_a_long_value_is_shown_in_short():
    with pytest.raises(ConfigError) as raised:
        outer(count="x" * 500)
    assert len(raised.value.message) < 100


@pytest.mark.parametrize("reference", ["ia3", {"ia3": None}, {"ia3": {}}])
def test_a_plug_in_is_named_or_spelled_out(reference):
    assert outer(method=reference).method == IA3()


def test_the_schema_has_every_key_with_its_text_and_every_plug_in():
    schema = json_schema(Outer)
    assert set(schema["properties"]) == set(plain(outer()))
    assert schema["properties"]["name"]["description"] == "What it is called."
    assert schema["$defs"]["Inner"]["properties"]["rate"]["description"] == "Share of something."
    assert schema["additionalProperties"] is False
    names, *forms = schema["properties"]["method"]["anyOf"]
    assert names["enum"] == methods.REGISTRY.names()
    assert [next(iter(form["properties"])) for form in forms] == methods.REGISTRY.names()
    rank = next(f for f in forms if "lora" in f["properties"])["properties"]["lora"]
    assert rank["properties"]["rank"]["description"]


def test_inherited_options_keep_their_texts():
    inherited = json_schema(QLoRA)["properties"]
    own = json_schema(LoRA)["properties"]
    assert inherited["rank"]["description"] == own["rank"]["description"] != ""
