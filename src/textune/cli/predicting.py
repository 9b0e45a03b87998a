"""``textune predict``."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from textune.approaches.base import Context
from textune.bundles.bundle import Bundle, load_bundle
from textune.bundles.predict import ENDINGS, predict_file
from textune.cli.output import print_json, print_lines
from textune.cli.progress import CountProgress
from textune.core.errors import ConfigError, StoreError
from textune.data.examples import Example
from textune.data.sources import iter_examples
from textune.tasks.dataset import layout_of


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    bundle: Path
    file: Path | None
    out: Path | None
    texts: tuple[str, ...]
    columns: str | None
    id: str | None
    format: str = "auto"


def run(request: Request, *, as_json: bool) -> None:
    """Label a file or the texts of the command line.

    Raises:
        ConfigError: neither or both are given, or the number of texts is wrong.
        DataError: the file has a bad row; what was labelled before it is kept.
        StoreError: the bundle is damaged or the output cannot be written.
    """
    if (request.file is None) == (not request.texts):
        raise ConfigError("give a file or --text", hint='textune predict BUNDLE --text "..."')
    out = _output(request)
    bundle = load_bundle(request.bundle, context=Context())
    if request.file is None:
        _predict_texts(bundle, request.texts, as_json=as_json)
        return
    assert out is not None
    count = CountProgress()
    rows = _examples(bundle, request)
    number = predict_file(bundle, rows, out, report=count)
    count.finish()
    if as_json:
        print_json({"output": str(out), "examples": number})
    else:
        print_lines([f"{number:,} examples labelled: {out}"])


def _output(request: Request) -> Path | None:
    if request.file is None:
        return None
    plain_name = request.file.name.removesuffix(".gz")
    out = request.out or request.file.with_name(f"{Path(plain_name).stem}.labelled.csv")
    if out.suffix not in ENDINGS:
        raise StoreError(f"cannot write {out}: unknown ending", hint=f"use {' or '.join(ENDINGS)}")
    if out.exists():
        raise StoreError(f"{out} is there already", hint="remove it, or give another --out")
    return out


def _predict_texts(bundle: Bundle, texts: tuple[str, ...], *, as_json: bool) -> None:
    wanted = bundle.task.kind.num_texts
    if len(texts) != wanted:
        raise ConfigError(
            f"task {bundle.task.name} needs {wanted} text(s), {len(texts)} given",
            hint="give --text once for each",
        )
    said = bundle.predictor.predict([Example("0", texts)])
    labels = list(bundle.task.labels)
    scores = {} if said.scores is None else dict(zip(labels, said.scores[0].tolist(), strict=True))
    if as_json:
        print_json({"label": said.answers[0], "scores": scores})
        return
    answer = said.answers[0]
    print_lines(["(no readable answer)" if answer is None else bundle.task.kind.shown(answer)])
    for label, value in sorted(scores.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"  {value:6.3f}  {label}\n")


def _examples(bundle: Bundle, request: Request) -> Iterator[Example]:
    assert request.file is not None
    layout = layout_of(bundle.task, with_answers=False)
    if request.columns:
        columns = tuple(name.strip() for name in request.columns.split(","))
        if len(columns) != len(layout.text_columns):
            raise ConfigError(
                f"task {bundle.task.name} needs {len(layout.text_columns)} text column(s), "
                f"{len(columns)} given",
                hint="--columns text, or --columns question1,question2 for a pair",
            )
        layout = replace(layout, text_columns=columns)
    layout = replace(layout, id_column=request.id, group_column=None)
    return iter_examples(request.file, layout, format=request.format)
