"""The tables and claims of a paper, from a run of its small study, as Markdown.

    python docs/results/paper_tables.py liu runs/liu2025-small
    python docs/results/paper_tables.py han runs/han2025-small

What a run lacks is left out. Scores, intervals and tests are those of the package.
"""

import argparse
import sys
from pathlib import Path

from papers import han, liu

from textune.core.errors import TextuneError

PAPERS = {"liu": liu.markdown, "han": han.markdown}


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paper", choices=PAPERS)
    parser.add_argument("run", type=Path, help="folder of the run")
    options = parser.parse_args()
    try:
        print(PAPERS[options.paper](options.run), end="")
    except TextuneError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
