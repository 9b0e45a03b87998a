import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(DOCS))  # the reference is made by scripts there
sys.path.append(str(DOCS / "results"))  # as are pages of results
