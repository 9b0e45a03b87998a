from pathlib import Path

import pytest
from make_reference import FOLDER, pages

MADE = pages()


@pytest.mark.parametrize("name", MADE)
def test_the_page_says_what_the_code_says(name):
    committed = (Path(FOLDER) / name).read_text(encoding="utf-8")
    assert committed == MADE[name], "run: python docs/make_reference.py"
