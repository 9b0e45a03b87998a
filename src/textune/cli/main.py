"""The command ``textune``; each command lives in a module that is imported when it is called."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from textune.core.errors import TextuneError
from textune.core.quiet import quiet_libraries

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: to import rich for it took two fifths of the time
    help="Find the best way of adapting a language model to a text task, with evidence and costs.",
)

SHARE_CORES = ("GOMP_SPINCOUNT", "1000")
"""Threads that wait sleep early: another busy program then halves the speed, no worse."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Format = Annotated[str, typer.Option(help="Format of the file; by columns or ending without it.")]
INTERRUPTED = 130
"""How typer ends after Ctrl-C: 128 and the number of the signal."""

RunFolder = Annotated[Path, typer.Argument(help="Folder of a run, e.g. runs/demo.")]
Part = Annotated[
    str | None, typer.Option(help="One part of a study that has parts; all without it.")
]
StudyPath = Annotated[Path, typer.Argument(help="Study file (YAML).")]


def run() -> None:
    """Run a command; a user's mistake is one message and exit 2, never a traceback."""
    quiet_libraries()
    os.environ.setdefault(*SHARE_CORES)
    try:
        app(prog_name="textune")
    except TextuneError as error:
        sys.stderr.write(f"error: {error.message}\nhint: {error.hint}\n")
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            sys.stderr.write("\nstopped; the same command goes on where this one stopped\n")
        raise


@app.command("list")
def list_(
    what: Annotated[
        str, typer.Argument(help="tasks, models, methods or approaches; everything without it.")
    ] = "all",
    json: Json = False,
) -> None:
    """What textune knows: tasks, models, tuning methods, approaches."""
    from textune.cli import listing

    listing.show(what, as_json=json)


@app.command()
def check(  # noqa: PLR0913  # options of a command
    source: Annotated[str, typer.Argument(help="A task's name or file, or a labelled data file.")],
    text: Annotated[str, typer.Option(help="Column of the text; two as a,b for a pair.")] = "auto",
    label: Annotated[str, typer.Option(help="Column of the label.")] = "auto",
    id: Annotated[str | None, typer.Option(help="Column of a unique id.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of what belongs together.")] = None,
    format: Format = "auto",
    model: Annotated[
        list[str] | None,
        typer.Option(help="Also count tokens for this model, and what it would cut; may recur."),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(help="Write a study file here, with the recommended protocol."),
    ] = None,
    json: Json = False,
) -> None:
    """Look at data before spending anything. Balance, repeats, leaks, artefacts, a protocol."""
    from textune.cli import checking
    from textune.cli.sources import ColumnNames

    columns = ColumnNames(text, label, id, group, format)
    checking.show(source, columns, models=model or (), study=study, as_json=json)


@app.command()
def plan(study: StudyPath, part: Part = None, json: Json = False) -> None:
    """What a study will take: memory, time and price. What is impossible in it, and why."""
    from textune.cli import planning

    planning.show(study, part, as_json=json)


@app.command()
def study(  # noqa: PLR0913  # each is an option
    study: StudyPath,
    part: Part = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run; runs/<name of the study> without it.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    retry_failed: Annotated[bool, typer.Option(help="Do failed cells again.")] = False,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="Least time between two training checkpoints.")
    ] = 30.0,
    memory: Annotated[
        str | None,
        typer.Option(help="Most memory of all workers together, e.g. 8GiB; 90 % without it."),
    ] = None,
    side_by_side: Annotated[
        int,
        typer.Option(min=1, help="Folds or seeds of LoRA that are trained in one pass, at most."),
    ] = 1,
    json: Json = False,
) -> None:
    """Run what is not done yet; stop and go on at will."""
    from textune.cli import studying
    from textune.cli.sizes import bytes_of
    from textune.study.run import Options

    options = Options(
        workers=workers,
        retry_failed=retry_failed,
        checkpoint_seconds=checkpoint_seconds,
        memory=bytes_of(memory, "--memory"),
        side_by_side=side_by_side,
    )
    sys.exit(studying.run(study, part, run, options, as_json=json))


@app.command()
def report(
    run: RunFolder,
    max_memory: Annotated[
        str | None, typer.Option(help="Most memory the choice may need, e.g. 2GiB or 800MB.")
    ] = None,
    max_price: Annotated[
        float | None, typer.Option(min=0, help="Most it may cost to fit and predict the test.")
    ] = None,
    max_latency: Annotated[
        float | None, typer.Option(min=0, help="Most seconds for one prediction (p95).")
    ] = None,
    json: Json = False,
) -> None:
    """Report page and recommendation of a run. Also Markdown, CSV, LaTeX and figures."""
    from textune.cli import reporting

    limits = reporting.limits_of(max_memory, max_price, max_latency)
    reporting.run(run, limits, as_json=json)


@app.command()
def fit(
    source: Annotated[
        str, typer.Argument(help="Folder of a run (its recommended approach), or a task.")
    ],
    approach: Annotated[
        str | None,
        typer.Option(help="Label in the run, or an approach in YAML: 'tuned: {method: ia3}'."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the bundle; <run>/winner or <task>-bundle.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of training.")] = 0,
    json: Json = False,
) -> None:
    """Fit an approach on all data: a bundle, ready to use."""
    from textune.cli import fitting

    fitting.run(source, approach, out, seed=seed, as_json=json)


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    file: Annotated[
        Path | None, typer.Argument(help="File to label, of any format that is read.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output (.csv or .jsonl); <file>.labelled.csv without it.")
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A text given here; twice for a pair.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Column of the text in the file; two as a,b for a pair.")
    ] = None,
    id: Annotated[str | None, typer.Option(help="Column of a unique id in the file.")] = None,
    format: Format = "auto",
    json: Json = False,
) -> None:
    """Label a file (resumable) or one text with a bundle."""
    from textune.cli import predicting

    request = predicting.Request(bundle, file, out, tuple(text or ()), columns, id, format)
    predicting.run(request, as_json=json)


@app.command()
def export(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle with a tuned model.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; must not exist.")],
    score: Annotated[
        Path | None,
        typer.Option(help="Labelled file: compare the model's answers with the bundle's on it."),
    ] = None,
    lora: Annotated[
        int | None,
        typer.Option(
            min=1, help="Make a bundle whose adapter is a LoRA of this rank, not a plain model."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Fold a tuned bundle into a plain model folder. Other programs can load that."""
    from textune.cli import exporting

    exporting.run(bundle, out, score, lora, as_json=json)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="A task's name or file, or a labelled data file.")],
    out: Annotated[Path, typer.Argument(help="Folder to write to; may hold other files.")],
    to: Annotated[str, typer.Option(help="alpaca, sharegpt, messages, jsonl, csv or conll.")],
    format: Format = "auto",
    json: Json = False,
) -> None:
    """Write a task's data in another format, for other programs."""
    from textune.cli import converting
    from textune.cli.sources import ColumnNames

    converting.convert(source, out, to, ColumnNames(format=format), as_json=json)


@app.command()
def glue(
    part: Annotated[str, typer.Argument(help="Test part: CoLA, MNLI-m, RTE, ...")],
    predictions: Annotated[
        Path, typer.Argument(help="What textune predict wrote for the benchmark's test file.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the submission.")],
    task: Annotated[
        str | None,
        typer.Option(help="Task whose values translate its labels into the benchmark's."),
    ] = None,
    json: Json = False,
) -> None:
    """Write predictions as the server of the GLUE benchmark wants them."""
    from textune.cli import converting

    converting.submit(part, predictions, out, task, as_json=json)


@app.command()
def schema() -> None:
    """JSON schema of a study file, for editors."""
    from textune.cli import listing

    listing.show_schema()


@app.command()
def version() -> None:
    """Version of textune."""
    from textune import __version__

    sys.stdout.write(f"{__version__}\n")
