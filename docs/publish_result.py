"""Turn the report of a run into a page of ``docs/results``: tables and figures, no texts of data.

python docs/publish_result.py runs/scicite "textune study studies/scicite.yaml"
python docs/publish_result.py runs/han2025-small "textune study ..." --paper han

With ``--paper`` the claims and tables of ``docs/results/paper_tables.py`` stand first. With
``--records`` the records and predictions of all cells are kept in ``docs/results/records``,
without texts and weights: unpacked into ``runs``, ``textune study`` goes on from them.

What readers should know before the tables is written into the page by hand, between the command
and the first chapter; it stays when the page is made again.
"""

import argparse
import io
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
LEFT_OUT = ("Errors",)
"""Chapters that quote the data, which may not be passed on."""
TABLES = RESULTS / "paper_tables.py"
RECORDS = ("parts.yaml", "study.yaml", "cells.json", "record.json", "predictions.parquet")
"""Files of a run that hold what came out of it."""
MARKER = "<!-- {}scicite-table -->"


def main() -> None:
    """Write the pages and their figures, and for SciCite the table of the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("command", help="what repeats the run")
    parser.add_argument("--paper", choices=("liu", "han"), help="whose tables stand first")
    parser.add_argument("--records", action="store_true", help="keep what came out of cells, too")
    options = parser.parse_args()
    run, name = options.run, options.run.name
    RESULTS.mkdir(exist_ok=True)
    parts = sorted(
        folder.parent for folder in run.glob("*/report") if (folder / "report.md").is_file()
    )
    head = f"# {name}\n\nRepeat it, then open `runs/{name}/report/index.html`:\n\n"
    commands = [options.command, f"textune report runs/{name}"]
    chapters = chapters_of((run / "report" / "report.md").read_text(encoding="utf-8"))
    if options.paper:
        commands += [f"python docs/results/{TABLES.name} {options.paper} runs/{name}"]
        chapters = chapters_of(paper_tables(options.paper, run)) | chapters
    head += "\n".join(["```bash", *commands, "```\n\n"])
    head += by_hand(RESULTS / f"{name}.md")
    write_page(name, head, chapters, run / "report")
    if name == "scicite":
        to_readme(first_table(chapters["Leaderboard"]))
    if options.records:
        keep_records(run)
    for part in parts:
        chapters = chapters_of((part / "report" / "report.md").read_text(encoding="utf-8"))
        head = f"# {name}: {part.name}\n\nA part of [{name}]({name}.md).\n\n"
        write_page(f"{name}-{part.name}", head, chapters, part / "report")


def write_page(name: str, head: str, chapters: dict[str, str], report: Path) -> None:
    """A page of a report's chapters, with copies of the figures that it shows."""
    body = "".join(text for title, text in chapters.items() if title not in LEFT_OUT)
    for figure in re.findall(r"\]\(figures/(\w+)\.svg\)", body):
        shutil.copy(report / "figures" / f"{figure}.png", RESULTS / f"{name}-{figure}.png")
    body = re.sub(r"\]\(figures/(\w+)\.svg\)", rf"]({name}-\1.png)", body)
    body = re.sub(r"\]\(\.\./(\w+)/report[^)]*\)", rf"]({name}-\1.md)", body)
    (RESULTS / f"{name}.md").write_text(head + body.rstrip() + "\n", encoding="utf-8")


def keep_records(run: Path) -> None:
    """An archive of a run's records, the same bytes for the same records."""
    path = RESULTS / "records" / f"{run.name}.tar.xz"
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:xz") as archive:
        for file in sorted(run.rglob("*")):
            if file.name in RECORDS:
                member = tarfile.TarInfo(str(run.name / file.relative_to(run)))
                content = file.read_bytes()
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def paper_tables(paper: str, run: Path) -> str:
    """What the script of the papers' tables prints, with a blank line at its end."""
    command = [sys.executable, str(TABLES), paper, str(run)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout + "\n"


def by_hand(page: Path) -> str:
    """What a page that is there already holds between its command and its first chapter."""
    if not page.is_file():
        return ""
    opening = page.read_text(encoding="utf-8").partition("\n## ")[0]
    text = opening.partition("\n```\n")[2].strip()
    return f"{text}\n\n" if text else ""


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
