import json
import math

import pytest

from textune.core.errors import ConfigError, DivergedError, ImpossibleError
from textune.data.examples import Example
from textune.methods.lora import LoRA
from textune.results.record import Trial
from textune.tasks.kinds.classify import Classify
from textune.training.search import SearchSpec, Space, best, divided, search, space_of

SPACE = Space(1e-3, 10.0, {"rank": (8, 4, 16)})


def peak(number, settings):
    """Best at a rate of 4e-3 with rank 16."""
    return -((math.log10(settings["lr"] / 4e-3)) ** 2) - (settings["rank"] != 16)


def tried(trials, evaluate=peak, space=SPACE, seed=0, path=None):
    return search(space, evaluate, SearchSpec(trials=trials), seed=seed, path=path)


def test_the_first_trials_are_a_ladder_about_the_methods_own_rate():
    found = tried(3)
    assert [t.settings["lr"] for t in found] == [1e-3, 3.16e-3, 3.16e-4]
    assert {t.settings["rank"] for t in found} == {8}
    assert [t.score for t in found] == [peak(0, t.settings) for t in found]
    assert best(found) is found[1]


def test_later_trials_stay_in_the_space_and_find_better_settings():
    found = tried(25)
    assert len(found) == 25
    assert all(1e-4 <= t.settings["lr"] <= 1e-2 for t in found)
    assert {t.settings["rank"] for t in found} == {4, 8, 16}
    assert best(found).settings["rank"] == 16
    assert best(found).settings["lr"] == pytest.approx(4e-3, rel=0.5)


def test_the_same_seed_suggests_the_same():
    settings = [[t.settings for t in tried(8, seed=seed)] for seed in (0, 0, 1)]
    assert settings[0] == settings[1]
    assert settings[0] != settings[2]


def test_a_search_that_was_killed_goes_on_behind_its_last_finished_trial(tmp_path):
    whole = [(t.settings, t.score) for t in tried(6)]
    path, numbers = tmp_path / "search.json", []

    def killed(number, settings):
        numbers.append(number)
        if numbers in ([0, 1], [0, 1, 1, 2, 3, 4]):
            raise KeyboardInterrupt
        return peak(number, settings)

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            tried(6, killed, path=path)
    found = tried(6, killed, path=path)
    assert numbers == [0, 1, 1, 2, 3, 4, 4, 5]
    assert [(t.settings, t.score) for t in found] == whole
    assert len(json.loads(path.read_text())) == 6


def test_a_lost_training_is_a_trial_without_score():
    def lost(number, settings):
        if settings["lr"] > 2e-3:
            raise DivergedError("the loss is not a number after step 3", hint="")
        return peak(number, settings)

    found = tried(5, lost)
    assert found[1].score is None
    assert best(found).score is not None
    with pytest.raises(ImpossibleError, match="every trial") as raised:
        best([Trial(settings={"lr": 1.0}, score=None, seconds=1.0)])
    assert "learning rate" in raised.value.hint


def test_a_trial_that_scores_zero_beats_a_lost_one_and_ties_go_to_the_first():
    trials = [
        Trial(settings={"lr": lr}, score=score, seconds=1.0)
        for lr, score in ((1.0, None), (0.1, 0.0), (0.01, 0.0))
    ]
    assert best(trials) is trials[1]


def test_no_rate_is_above_the_highest_allowed():
    found = tried(6, lambda number, settings: settings["lr"], Space(9.0, 10.0, {}))
    assert all(t.settings["lr"] <= 10 for t in found)


def test_a_space_has_the_methods_options_only_when_it_is_over_all():
    method = LoRA(rank=8)
    assert space_of(method, 1e-3, SearchSpec()).choices == {}
    over_all = space_of(method, 1e-3, SearchSpec(over="all"))
    assert over_all.choices["rank"] == (8, *LoRA.space["rank"])
    assert over_all.lr == 1e-3


def test_trials_are_scored_on_what_they_did_not_train_on_with_groups_whole():
    rows = [Example(f"n{i}", ("text",), "ab"[i % 2], group=f"g{i // 4}") for i in range(40)]
    inner, held = divided(rows, Classify(), SearchSpec(valid_fraction=0.25), seed=3)
    assert sorted(e.id for e in [*inner, *held]) == sorted(e.id for e in rows)
    assert {e.group for e in inner}.isdisjoint({e.group for e in held})
    assert 0 < len(held) <= 10
    assert divided(rows, Classify(), SearchSpec(valid_fraction=0.25), seed=3) == (inner, held)
    assert divided(rows, Classify(), SearchSpec(valid_fraction=0.25), seed=4) != (inner, held)


@pytest.mark.parametrize("wrong", [{"trials": 0}, {"valid_fraction": 0.0}, {"valid_fraction": 1}])
def test_impossible_searches_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SearchSpec(**wrong)
