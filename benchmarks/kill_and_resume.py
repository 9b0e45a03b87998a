"""Kill a running study with SIGKILL at random moments; the end must equal an undisturbed run.

Both runs use the same study file. Compared are the cells, their scores and notes, and every stored
prediction, bit for bit. Cells that were done before a kill must not be done again (the time of
their record does not change).
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

STUDY = """\
name: killed
task: citation-sample
protocol: {folds: 2, sizes: [48]}
approaches:
  - tfidf
  - prompted
  - tuned: {method: lora, training: {epochs: 2, batch_size: 8}}
  - tuned: {method: prompt_tuning, training: {epochs: 2, batch_size: 8}}
"""


def main() -> int:
    """Run both, compare, print; 0 when they are equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, help="a study file; a small one without it")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        study = options.study or root / "study.yaml"
        if options.study is None:
            study.write_text(STUDY, encoding="utf-8")
        start = time.monotonic()
        subprocess.run(command(study, root / "calm"), check=True, capture_output=True)
        calm_seconds = time.monotonic() - start
        print(f"undisturbed: {len(cells(root / 'calm'))} cells in {calm_seconds:.0f} s")
        kill_at_random(study, root / "killed", options.kills, options.seed, calm_seconds)
        differences = compare(root / "calm", root / "killed")
    print("\n".join(differences) or "equal: same cells, scores, notes and predictions")
    return 1 if differences else 0


def command(study: Path, run: Path) -> list[str]:
    """The study, with a checkpoint as often as it can be."""
    words = [sys.executable, "-m", "textune", "study", str(study), "--run", str(run)]
    return [*words, "--checkpoint-seconds", "0"]


def kill_at_random(study: Path, run: Path, kills: int, seed: int, calm_seconds: float) -> None:
    """Start and kill until the kills are used up, then let it end."""
    draw = random.Random(seed)
    written: dict[str, float] = {}
    for number in range(kills):
        process = subprocess.Popen(
            command(study, run), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait = draw.uniform(0.5, 3 * calm_seconds / kills)
        try:
            process.wait(wait)
            print(f"kill {number + 1}: the study had ended by itself")
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            print(f"kill {number + 1}: after {wait:.1f} s, {len(cells(run))} cells done")
        now = {name: path.stat().st_mtime for name, path in cells(run).items()}
        again = [name for name, when in written.items() if now.get(name) != when]
        if again:
            raise SystemExit(f"done twice: {again}")
        written = now
    last = subprocess.run(command(study, run), check=True, capture_output=True, text=True)
    print("last run:", last.stdout.strip().splitlines()[-1])


def cells(run: Path) -> dict[str, Path]:
    """Fingerprint -> record."""
    return {p.parent.name: p for p in sorted(run.glob("cells/*/record.json"))}


def compare(calm: Path, killed: Path) -> list[str]:
    """What differs between two runs, in words."""
    first, second = cells(calm), cells(killed)
    if first.keys() != second.keys():
        return [f"other cells: {sorted(first.keys() ^ second.keys())}"]
    found = []
    for name in first:
        records = [json.loads(run[name].read_text("utf-8")) for run in (first, second)]
        found += [
            f"{name}: {part}: {records[0][part]} != {records[1][part]}"
            for part in ("status", "cell", "scores", "notes")
            if records[0][part] != records[1][part]
        ]
        tables = [
            pq.read_table(run[name].parent / "predictions.parquet") for run in (first, second)
        ]
        if not tables[0].equals(tables[1]):
            found.append(f"{name}: predictions differ")
    return found


if __name__ == "__main__":
    sys.exit(main())
