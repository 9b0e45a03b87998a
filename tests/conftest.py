import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: $TEXTUNE_DATA, or ``shared/data`` beside the project."""
    named = os.environ.get("TEXTUNE_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is no folder (TEXTUNE_DATA names it)")
    return folder
