"""In a fresh interpreter: what a first cell imports later than its warm-up, it is timed with."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
from textune.approaches.base import REGISTRY, Context
from textune.core.config import PluginOf
from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset

def packages():
    return {".".join(name.split(".")[:2]) for name in sys.modules}

task = load_task("questions-sample")
train = load_dataset(task).train.rows[:24]
approach = PluginOf(REGISTRY).build(json.loads(sys.argv[1]), where="test")
approach.warm_up(Context())
before = packages()
approach.fit(task.sealed, train, [], seed=0, context=Context())
print(json.dumps(sorted(packages() - before)))
"""


@pytest.mark.parametrize("name", ["tfidf", "nearest", "bi_encoder"])
def test_a_fit_imports_no_library_that_warming_up_has_not(name, tiny_encoder):
    options = {} if name == "tfidf" else {"model": str(tiny_encoder)}
    if name == "bi_encoder":
        options["training"] = {"epochs": 1}
    command = [sys.executable, "-c", SCRIPT, json.dumps({name: options})]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    late = json.loads(done.stdout.splitlines()[-1])
    libraries = ("sklearn", "scipy", "torch", "transformers", "accelerate", "pandas")
    assert [each for each in late if each.split(".")[0] in libraries] == []
