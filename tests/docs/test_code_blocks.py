"""Every fenced block of the pages runs, parses or names what exists.

The first word of a fence is the language, the second says what is done with the block:

    bash run              runs in the page's folder, in the order of the page
    bash                  every textune command and make target in it must exist
    python                runs, in the page's folder
    python compile        compiles, and what it imports from textune must exist
    LANGUAGE file=NAME    is saved in the page's folder under that name
    yaml                  must be a study, task or price file, or some keys of one
    text                  output; nothing is checked
"""

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from command_list import commands

from textune.core.config import parse, parse_yaml, plain
from textune.cost.price import PriceTable
from textune.study.spec import StudyFile, build_studies
from textune.tasks.base import TaskSpec, load_task

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\S+)[ \t]*(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(textune [^`]+)`")
OPTIONS = {command.name: command.options for command in commands()}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
STUDY = {"name": "part", "task": "citation-sample", "approaches": ["majority"]}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    mode: str
    code: str

    @property
    def file(self) -> str:
        """The name that it is to be saved under, or nothing."""
        return self.mode.removeprefix("file=") if self.mode.startswith("file=") else ""


def blocks_of(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_the_page_works(page, tmp_path):
    for block in blocks_of(page):
        if block.file:
            path = tmp_path / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code, encoding="utf-8")
        CHECKS[block.language](block, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_named_in_the_text_exist(page):
    for words in INLINE.findall(page.read_text(encoding="utf-8")):
        check_words(words.split(), words)


def check_bash(block: Block, folder: Path) -> None:
    if block.mode == "run":
        execute(["bash", "-euo", "pipefail", "-c", block.code], folder)
        return
    assert not block.mode, f"unknown mode {block.mode!r}"
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        check_words(words, line)


def check_words(words: list[str], line: str) -> None:
    """A command line: if it is textune or make, it must name what exists."""
    if words[:1] == ["make"]:
        assert set(words[1:]) <= TARGETS, line
    if words[:1] != ["textune"] or words[1:2] == ["--help"]:
        return
    assert words[1] in OPTIONS, line
    used = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
    assert used <= OPTIONS[words[1]], f"{line}: {used - OPTIONS[words[1]]}"


def check_python(block: Block, folder: Path) -> None:
    tree = ast.parse(block.code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("textune"):
            for alias in node.names:
                assert alias.name in names_of(str(node.module)), f"{node.module}: {alias.name}"
    if not block.mode:
        execute([sys.executable, "-c", block.code], folder)
    assert block.mode in ("", "compile") or block.file, f"unknown mode {block.mode!r}"


def names_of(module: str) -> set[str]:
    """What a module defines, and what a package takes from its own modules, read from the source:
    importing some of them takes seconds."""
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"no module {module}"
    assert spec.origin is not None, f"{module} has no file"
    names: set[str] = set()
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{module}."):
            names |= {alias.name for alias in node.names}
    return names


def check_yaml(block: Block, folder: Path) -> None:
    """A whole file, or some keys of one: what is missing is then filled in."""
    content = parse_yaml(block.code, where="page")
    assert isinstance(content, dict), block.code
    if is_part(content, PriceTable):
        parse(PriceTable, content, where="page")
    elif is_part(content, StudyFile):
        build_studies({**STUDY, **content, "task": STUDY["task"]}, where="page", beside=folder)
    else:
        whole = is_part({"kind", "name", "instruction", "labels", "data"}, content)
        filled = {} if whole else plain(load_task("citation-sample"))
        assert isinstance(filled, dict)
        parse(TaskSpec, {**filled, **content}, where="page")


def is_part(keys, whole) -> bool:
    names = whole if isinstance(whole, dict) else {field.name for field in fields(whole)}
    return set(keys) <= set(names)


def execute(command: list[str], folder: Path) -> None:
    """Run in the page's folder, with this environment's programs, no TEXTUNE_*, no network."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TEXTUNE_")}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    offline = {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1"}
    environment = {**kept, **offline, "PATH": programs, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"


def check_nothing(block: Block, folder: Path) -> None:
    assert not block.mode or block.file, f"unknown mode {block.mode!r}"


CHECKS: dict[str, Callable[[Block, Path], None]] = {
    "bash": check_bash,
    "python": check_python,
    "yaml": check_yaml,
    "text": check_nothing,
    "csv": check_nothing,
    "jsonl": check_nothing,
}
