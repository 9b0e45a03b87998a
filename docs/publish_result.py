"""Turn the report of a run into a page of ``docs/results``: tables and figures, no texts of data.

python docs/publish_result.py runs/scicite "textune study studies/scicite.yaml"
"""

import argparse
import re
import shutil
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
LEFT_OUT = ("Errors",)
"""Chapters that quote the data, which may not be passed on."""
MARKER = "<!-- {}scicite-table -->"


def main() -> None:
    """Write the page, its figures and, for SciCite, the table of the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("command", help="what repeats the run")
    parser.add_argument("--note", default="", help="a paragraph for readers, before the results")
    options = parser.parse_args()
    report = options.run / "report"
    chapters = chapters_of((report / "report.md").read_text(encoding="utf-8"))
    name = options.run.name
    body = "".join(text for title, text in chapters.items() if title not in LEFT_OUT)
    RESULTS.mkdir(exist_ok=True)
    for figure in re.findall(r"\]\(figures/(\w+)\.svg\)", body):
        shutil.copy(report / "figures" / f"{figure}.png", RESULTS / f"{name}-{figure}.png")
    body = re.sub(r"\]\(figures/(\w+)\.svg\)", rf"]({name}-\1.png)", body)
    head = f"# {name}\n\nRepeat it, then open `runs/{name}/report/index.html`:\n\n"
    command = f"```bash\n{options.command}\ntextune report runs/{name}\n```\n\n"
    note = f"{options.note}\n\n" if options.note else ""
    text = head + command + note + body.rstrip() + "\n"
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    if name == "scicite":
        to_readme(first_table(chapters["Leaderboard"]))


def chapters_of(text: str) -> dict[str, str]:
    """Title -> text with its title line, in order; what stands before the first is dropped."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].removeprefix("## "): part for part in parts}


def first_table(text: str) -> str:
    """The first Markdown table of a text."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
    return "\n".join(lines[start:end])


def to_readme(table: str) -> None:
    """Put the table between its markers."""
    path = Path(__file__).parent.parent / "README.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(MARKER.format(""))
    _, _, after = rest.partition(MARKER.format("/"))
    marked = f"{MARKER.format('')}\n{table}\n{MARKER.format('/')}"
    path.write_text(before + marked + after, encoding="utf-8")


if __name__ == "__main__":
    main()
