from dataclasses import replace

import pytest
from safetensors.torch import load_file, save_file

from textune.approaches.base import Context
from textune.approaches.bilstm_crf import BilstmCrf
from textune.core.errors import ConfigError, DataError, ImpossibleError, StoreError
from textune.data.entities import read_entities
from textune.data.examples import Example
from textune.testing import check_approach
from textune.training.objective import main_score
from textune.training.settings import TrainingSpec


def tagger(**training):
    settings = TrainingSpec(**{"epochs": 1, "batch_size": 8, **training})
    return BilstmCrf(dimension=16, units=16, dropout=0.2, training=settings)


def test_it_keeps_the_promises(extract_task, extract_examples):
    check_approach(tagger(), extract_task, extract_examples)


@pytest.mark.parametrize("num_labels", [2, 13])
def test_it_keeps_the_promises_with_few_types_and_many(num_labels, planted):
    check_approach(tagger(), *planted("extract", num_labels))


def test_it_finds_new_names_by_their_capitals_and_years_by_their_digits(
    extract_task, extract_examples
):
    train, test = extract_examples[:45], extract_examples[45:]
    predictor = tagger(epochs=14, batch_size=4).fit(
        extract_task, train, (), seed=0, context=Context()
    )
    assert main_score(predictor.predict(test), extract_task, test) > 0.9


def test_the_best_epoch_is_kept_by_validation(extract_task, extract_examples):
    train, valid = extract_examples[:40], extract_examples[40:]
    predictor = tagger(epochs=3).fit(extract_task, train, valid, seed=0, context=Context())
    assert predictor.notes["best_epoch"] in (1, 2, 3)


def test_texts_without_words_have_no_entities_and_teach_nothing(extract_task, extract_examples):
    blank = Example("blank", (" \n ",), "[]")
    train = [blank, *extract_examples[:16]]
    predictor = tagger().fit(extract_task, train, (), seed=0, context=Context())
    with_words = tagger().fit(extract_task, train[1:], (), seed=0, context=Context())
    assert predictor.notes == with_words.notes
    alone = predictor.predict([train[1]]).answers[0]
    assert predictor.predict([blank, train[1], blank]).answers == ["[]", alone, "[]"]
    with pytest.raises(DataError, match="no text of the training part has a word"):
        tagger().fit(extract_task, [blank], (), seed=0, context=Context())


def test_what_was_never_seen_is_read(extract_task, extract_examples):
    predictor = tagger().fit(extract_task, extract_examples[:8], (), seed=0, context=Context())
    strange = Example("a", ("Überraschung 漢字 \U0001f600 \ud83d " + "Donau" * 100,))
    for found in read_entities(predictor.predict([strange]).answers[0]):
        assert strange.texts[0][found.start : found.end] == found.surface


def test_it_goes_on_after_a_kill_to_the_same_answers(extract_task, extract_examples, tmp_path):
    approach, train = tagger(epochs=4), extract_examples[:40]
    whole = approach.fit(extract_task, train, (), seed=0, context=Context())
    done = []

    def report(step, total, loss):
        done.append(step)
        if step == 9 and done.count(9) == 1:
            raise KeyboardInterrupt

    context = Context(work=tmp_path, report=report, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        approach.fit(extract_task, train, (), seed=0, context=context)
    again = approach.fit(extract_task, train, (), seed=0, context=context)
    assert done.count(8) == 1, "what was kept is not done again"
    assert again.notes == whole.notes
    test = extract_examples[40:]
    assert again.predict(test).answers == whole.predict(test).answers


def test_damaged_files_are_refused(extract_task, extract_examples, tmp_path):
    approach = tagger()
    predictor = approach.fit(extract_task, extract_examples[:16], (), seed=0, context=Context())
    predictor.save(tmp_path)
    path = tmp_path / "tagger.safetensors"
    tensors = load_file(path)
    del tensors["chain.transition_CC"]
    save_file(tensors, path)
    with pytest.raises(StoreError, match=r"damaged weights .*tagger\.safetensors"):
        approach.load(extract_task, tmp_path, context=Context())
    (tmp_path / "vocabulary.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StoreError, match=r"vocabulary\.json"):
        approach.load(extract_task, tmp_path, context=Context())


def test_kinds_without_entities_are_refused(classify_task):
    with pytest.raises(ImpossibleError, match="bilstm_crf cannot do tasks of kind classify"):
        BilstmCrf().check(classify_task)


@pytest.mark.parametrize(
    ("option", "value"), [("units", 0), ("dimension", -1), ("min_count", 0), ("dropout", 1.0)]
)
def test_impossible_sizes_are_refused(option, value):
    with pytest.raises(ConfigError, match=f"{option} cannot be {value}"):
        replace(BilstmCrf(), **{option: value})
