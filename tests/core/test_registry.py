import subprocess
import sys

import pytest

from textune.approaches.base import REGISTRY, Approach
from textune.core.config import PluginOf, fingerprint, plain
from textune.core.errors import ConfigError
from textune.core.registry import Registry
from textune.data.readers import base as readers
from textune.methods import base as methods
from textune.tasks.kinds import base as kinds

REGISTRIES = [REGISTRY, methods.REGISTRY, readers.REGISTRY, kinds.REGISTRY]
ENTRY_POINTS = "[textune.approaches]\n{name} = {module}\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a package with one approach and its entry point onto the path."""

    def call(name: str, code: str, *, module: str = "") -> None:
        module = module or name
        (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(ENTRY_POINTS.format(name=name, module=module))
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(tmp_path)

    return call


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.noun)
def test_every_file_of_a_folder_is_a_plug_in_named_after_it(registry):
    assert registry.names() == sorted(set(registry.names()))
    for name in registry.names():
        plugin = registry.get(name)
        assert plugin.name == name
        assert issubclass(plugin, registry.base)
        assert plugin.summary().endswith("."), f"{name} has no summary"


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        (REGISTRY, {"majority", "tfidf", "nearest", "prompted", "tuned"}),
        (methods.REGISTRY, {"full", "lora", "qlora", "ia3", "prompt_tuning"}),
        (readers.REGISTRY, {"csv", "tsv", "jsonl", "parquet"}),
        (kinds.REGISTRY, {"classify", "pair"}),
    ],
    ids=lambda value: getattr(value, "noun", ""),
)
def test_no_plug_in_that_was_there_is_gone(registry, expected):
    assert expected <= set(registry.names())


def test_all_are_what_names_give_one_by_one_those_of_other_packages_too(outside):
    found = REGISTRY.all()
    assert [plugin.name for plugin in found] == REGISTRY.names()
    assert found == [REGISTRY.get(name) for name in REGISTRY.names()]
    assert {"staged", "tfidf"} <= {plugin.name for plugin in found}


def test_names_are_listed_without_importing_a_plug_in():
    code = (
        "import sys; from textune.methods.base import REGISTRY; REGISTRY.names(); "
        "print(sorted(m for m in sys.modules if m.startswith('textune.methods.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['textune.methods.base']"


def test_a_plug_in_of_another_package_is_one_like_any_other(outside):
    assert {"staged", "pairs_only", "tfidf"} <= set(REGISTRY.names())
    staged = PluginOf(REGISTRY).build({"staged": {"act": "fail"}}, where="test")
    assert isinstance(staged, Approach)
    assert plain(staged) == {"staged": {"act": "fail", "marker": ""}}
    assert fingerprint(staged) != fingerprint(PluginOf(REGISTRY).build("staged", where="test"))


def test_a_plug_in_of_another_package_is_gone_with_it(outside, monkeypatch):
    assert "staged" in REGISTRY.names()
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(outside)])
    assert "staged" not in REGISTRY.names()


@pytest.mark.parametrize(
    "code",
    ["", "from textune.approaches.majority import Majority\n", "class Odd:\n    pass\n"],
    ids=["nothing", "somebody else's", "no approach"],
)
def test_a_module_without_a_plug_in_of_its_own_is_refused(install, code):
    install("odd", code)
    with pytest.raises(ConfigError, match=r"odd must hold exactly one Approach .* found 0"):
        REGISTRY.get("odd")


def test_a_module_with_two_plug_ins_is_refused(install):
    twice = "class {}(Approach):\n    pass\n"
    code = "from textune.approaches.base import Approach\n" + twice.format("A") + twice.format("B")
    install("double", code)
    with pytest.raises(ConfigError, match="found 2"):
        REGISTRY.get("double")


def test_an_entry_point_must_be_called_like_its_module(install):
    code = "from textune.approaches.base import Approach\nclass Fine(Approach):\n    pass\n"
    install("alias", code, module="original")
    with pytest.raises(ConfigError, match=r"original must hold .* be the module 'alias'"):
        REGISTRY.get("alias")


def test_a_module_that_cannot_be_imported_is_refused(install):
    install("broken", "import a_package_that_nobody_has\n")
    with pytest.raises(
        ConfigError, match=r"cannot import .*broken.*a_package_that_nobody_has"
    ) as r:
        REGISTRY.get("broken")
    assert "install" in r.value.hint


def test_an_unknown_name_is_refused_with_the_closest():
    with pytest.raises(ConfigError, match="unknown approach 'majorty'") as raised:
        REGISTRY.get("majorty")
    assert raised.value.hint == "did you mean 'majority'?"


def test_the_base_of_a_folder_is_no_plug_in():
    assert "base" not in REGISTRY.names()
    with pytest.raises(ConfigError, match="unknown approach 'base'"):
        REGISTRY.get("base")


def test_what_plug_ins_share_is_no_plug_in():
    assert "_word_network" not in REGISTRY.names()
    assert issubclass(REGISTRY.get("siamese_cnn"), Approach)


def test_the_group_of_entry_points_is_named_after_the_folder():
    assert REGISTRY.group == "textune.approaches"
    assert Registry("textune.tasks.kinds", kinds.Kind, noun="kind").group == "textune.kinds"
