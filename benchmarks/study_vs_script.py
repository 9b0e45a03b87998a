"""A whole study, textune against a script of TRL and lm-evaluation-harness: seconds.

Five tuning methods in folds and prompting without demonstrations, on SciCite sentences. Textune's
side is ``textune study`` from call to end, with a worker for each core. The script does what
people write: for every method and fold it loads the model, trains with SFTTrainer, and has the
harness score the labels of the fold's test part. It does ``--peer-folds`` folds of each method,
and its seconds count for all folds, whose work is the same.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison import Round, keep
from fresh import in_fresh_process, print_heading
from peers import MODEL, causal_peer, lora_peer, sft_trainer
from scicite import items_of, prompter_of, sentences
from train_vs_trl import MAX_LENGTH, PACKAGES

METHODS = ("lora", "ia3", "prompt_tuning", "p_tuning", "full")


@dataclass(frozen=True)
class Job:
    """What both sides do."""

    num_examples: int
    folds: int
    batch_size: int
    peer_folds: int


@dataclass(frozen=True)
class Run:
    """One method in one fold of the script; prompting has no method."""

    job: Job
    method: str = ""


def study_textune(job: Job) -> float:
    """Seconds of ``textune study``."""
    training = f"{{epochs: 1, batch_size: {job.batch_size}}}"
    tuned = [f"  - tuned: {{method: {name}, training: {training}}}" for name in METHODS]
    protocol = f"{{split: kfold, folds: {job.folds}, examples: {job.num_examples}}}"
    lines = [
        "name: whole",
        "task: scicite",
        f"protocol: {protocol}",
        "approaches:",
        "  - prompted",
    ]
    textune = str(Path(sys.executable).with_name("textune"))
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "whole.yaml").write_text("\n".join([*lines, *tuned]), encoding="utf-8")
        command = [textune, "study", "whole.yaml", "--workers", str(os.cpu_count())]
        start = time.perf_counter()
        subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


def run_script(run: Run) -> float:
    """Seconds of one method in one fold, or of prompting all examples."""
    import contextlib

    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    start = time.perf_counter()
    model, tokenizer = causal_peer(MODEL)
    prompter, examples = prompter_of(tokenizer, "usual"), sentences("train", run.job.num_examples)
    tested = examples
    if run.method:
        size = len(examples) // run.job.folds
        tested, train = examples[:size], examples[size:]
        model = _trained(run, model, tokenizer, items_of(prompter, train))
    with contextlib.redirect_stdout(sys.stderr):
        lm = HFLM(pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=16)
        pairs = [
            (prompter.prompt.text(prompter.task.kind.input_text(example)), label)
            for example in tested
            for label in prompter.task.words.values()
        ]
        requests = [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(pairs)]
        lm.loglikelihood(requests, disable_tqdm=True)
    return time.perf_counter() - start


def _trained(run: Run, model: Any, tokenizer: Any, items: Sequence[Any]) -> Any:
    import peft

    task: Any = {"task_type": "CAUSAL_LM"}
    adapters = {
        "lora": lora_peer,
        "ia3": lambda: peft.IA3Config(**task),
        "prompt_tuning": lambda: peft.PromptTuningConfig(**task, num_virtual_tokens=20),
        "p_tuning": lambda: peft.PromptEncoderConfig(
            **task, num_virtual_tokens=20, encoder_hidden_size=model.config.hidden_size
        ),
        "full": lambda: None,
    }
    sizes = {"batch_size": run.job.batch_size, "max_length": MAX_LENGTH}
    adapter = adapters[run.method]()
    with tempfile.TemporaryDirectory() as scratch:
        trainer = sft_trainer(model, tokenizer, items, adapter, scratch, **sizes)
        trainer.train()
        return trainer.model.eval()


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=500, help="sentences of SciCite")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--peer-folds", type=int, default=1, help="folds that the script does")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is measured")
    asked = parser.parse_args()
    job = Job(asked.examples, asked.folds, asked.batch_size, asked.peer_folds)
    packages = (*PACKAGES, "lm-eval")
    print_heading(*packages)
    rounds = []
    for number in range(1, asked.rounds + 1):
        ours = study_textune(job)
        print(f"round {number}, textune: {ours:.0f} s", flush=True)
        theirs = in_fresh_process(run_script, Run(job))
        print(f"round {number}, script, prompting: {theirs:.0f} s", flush=True)
        for method in METHODS:
            took = [in_fresh_process(run_script, Run(job, method)) for _ in range(job.peer_folds)]
            theirs += sum(took) * job.folds / job.peer_folds
            print(f"round {number}, script, {method}: {took[0]:.0f} s a fold", flush=True)
        rounds.append(Round(3600 / ours, 3600 / theirs))
    keep("study", rounds, job, packages=packages)


if __name__ == "__main__":
    main()
