"""How much the repeats in SciCite's dev file cost each approach of a run of studies/scicite.yaml.

A dev sentence counts as a repeat when a training sentence has a cosine of 0.5 or more with it
(TF-IDF of words and pairs of words). Sentences are cited more than once, and the labels of such
twins need not agree.

    python docs/results/scicite_repeats.py runs/scicite
"""

import argparse
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score

from textune.results.run import load_run
from textune.results.store import Store
from textune.tasks.dataset import load_dataset

LEAST = 0.5


def main() -> None:
    """Print the counts, then one line for each approach."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run")
    root = parser.parse_args().run
    run = load_run(root)
    dataset = load_dataset(run.task)
    assert dataset.test is not None
    train, dev = dataset.train.rows, dataset.test.rows
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    known = vectorizer.fit_transform([e.texts[0] for e in train])
    alike = (vectorizer.transform([e.texts[0] for e in dev]) @ known.T).toarray()
    near, cosine = alike.argmax(1), alike.max(1)
    repeats = [i for i in range(len(dev)) if cosine[i] >= LEAST]
    other = {i for i in repeats if train[near[i]].answer != dev[i].answer}
    print(f"{len(dev)} dev sentences, {len(repeats)} repeats, {len(other)} with another label")
    kept = [i for i in range(len(dev)) if i not in other]
    store = Store(root)
    for planned in run.cells:
        scored = store.predictions(planned.fingerprint)
        gold, said = scored.gold, scored.predictions.answers
        assert gold == [e.answer for e in dev]
        scores = [
            100 * f1_score([gold[i] for i in part], [said[i] for i in part], average="macro")
            for part in (range(len(dev)), kept)
        ]
        name = planned.cell.approach
        print(f"{name}: macro F1 {scores[0]:.1f}, without those {scores[1]:.1f}")


if __name__ == "__main__":
    main()
