import json
import logging
import multiprocessing
import os
import threading
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from textune.approaches.base import Context, Parts
from textune.approaches.engineered import Engineered
from textune.approaches.served import Served
from textune.bundles.bundle import load_bundle, save_bundle
from textune.core.config import fingerprint
from textune.core.errors import ConfigError, ImpossibleError, ModelError, StoreError
from textune.cost.meter import meter
from textune.cost.price import TokenPrice, load_prices
from textune.data.examples import Example
from textune.models.endpoint import Pace, key_variable
from textune.prompts.choosers.bm25 import Bm25
from textune.results.store import Store
from textune.study.estimate import Estimator
from textune.study.plan import make_plan
from textune.study.run import Options, run_study
from textune.study.spec import build_study
from textune.study.work import Bench, run_cell
from textune.tasks.base import load_task
from textune.testing import check_approach

SECRET = "sk-do-not-write-this-down-0123456789"


def first_label(body):
    """Deterministic: one of the labels that the prompt lists, by the letters of the input."""
    instruction, asked = body["messages"][0]["content"], body["messages"][-1]["content"]
    lines = [line[2:] for line in instruction.splitlines() if line.startswith("- ")]
    labels = [line.split(": ")[0] for line in lines]
    return labels[sum(map(ord, asked)) % len(labels)]


class FakeEndpoint(ThreadingHTTPServer):
    """Answers at once and as it is told; what it was asked is kept."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.asked = []
        """The body of every request."""
        self.answered = []
        """Of those that got an answer."""
        self.keys = set()
        """What stood in the header."""
        self.turn = threading.Lock()
        self.faults = []
        """What the next requests get instead of an answer."""
        self.answer = first_label
        self.wanted_key = None
        self.is_away = lambda: False
        self.has_usage = True
        self.ended = "stop"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Authorization"].removeprefix("Bearer ")
        with server.turn:
            server.asked.append(body)
            server.keys.add(key)
            fault = server.faults.pop(0) if server.faults else None
            is_away = server.is_away()
        if is_away or fault == "away":
            return
        if fault == "half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices": [{"mess')
        elif fault == "nonsense":
            self.say(200, {"hello": "world"})
        elif fault == "no message":
            self.say(200, {"choices": [{"message": None}]})
        elif fault == "no json":
            self.say(200, None)
        elif isinstance(fault, int):
            self.say(fault, {"error": {"message": f"no luck with {key}"}})
        elif server.wanted_key not in (None, key):
            self.say(401, {"error": {"message": f"Incorrect API key provided: {key}"}})
        elif not self.path.endswith("/v1/chat/completions"):
            self.say(404, {"detail": "Not Found"})
        else:
            with server.turn:
                server.answered.append(body)
            self.say(200, self.completion(body))

    def completion(self, body):
        text = self.server.answer(body)
        letters = sum(len(turn["content"]) for turn in body["messages"])
        content = {
            "model": f"{body['model']}-2026-01-01",
            "system_fingerprint": "fp_1",
            "choices": [{"message": {"content": text}, "finish_reason": self.server.ended}],
        }
        if self.server.has_usage:
            content["usage"] = {"prompt_tokens": letters // 4, "completion_tokens": len(text)}
        return content

    def say(self, status, content):
        text = b"<html>sorry</html>" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Retry-After-Ms", "1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint(tmp_path, monkeypatch):
    for name in ("OPENAI_API_KEY", "TEXTUNE_KEY_127_0_0_1", "TEXTUNE_PRICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    with FakeEndpoint() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server
        server.shutdown()


@pytest.fixture
def ask(endpoint, classify_task):
    """Predicts examples with some options."""

    def call(examples, task=classify_task, **options):
        approach = Served(**{"model": "fake", "retries": 2, **options}).resolved()
        predictor = approach.fit(task, (), (), seed=0, context=Context())
        return predictor.predict(examples)

    return call


def numbered(number):
    return [Example(str(i), (f"text number {i}",)) for i in range(number)]


def replies_on_disk(tmp_path):
    return sorted((tmp_path / "cache" / "served").glob("??/*.json"))


@pytest.mark.parametrize("shots", [0, 4])
def test_it_keeps_the_promises_on_classify(endpoint, shots, classify_task, classify_examples):
    check_approach(Served(model="fake", shots=shots), classify_task, classify_examples)


def test_it_keeps_the_promises_on_pairs(endpoint, pair_task, pair_examples):
    check_approach(Served(model="fake", shots=2), pair_task, pair_examples)


def test_it_keeps_the_promises_on_grades(endpoint, grade_task, grade_examples):
    check_approach(Served(model="fake"), grade_task, grade_examples)


def test_it_keeps_the_promises_on_sets_of_labels(endpoint, sets_task, sets_examples):
    check_approach(Served(model="fake", shots=2), sets_task, sets_examples)


def test_it_keeps_the_promises_on_entities(endpoint, extract_task, extract_examples):
    endpoint.answer = lambda body: "Year: 2019" if "2019" in str(body["messages"][-1]) else "none"
    check_approach(Served(model="fake", shots=2), extract_task, extract_examples)


def test_it_keeps_the_promises_with_thirteen_labels(endpoint, classify_task):
    labels = {f"label {name}": "" for name in "abcdefghijklm"}
    task = replace(classify_task, labels=labels, answers={}, data=replace(classify_task.data))
    examples = [Example(str(i), (f"text {i}",), list(labels)[i % len(labels)]) for i in range(45)]
    check_approach(Served(model="fake", shots=13), task, examples)


def test_demonstrations_can_be_the_nearest_ones(endpoint, classify_task, classify_examples):
    approach = Served(model="fake", shots=2, choose=Bm25())
    check_approach(approach, classify_task, classify_examples)
    conversations = {str(b["messages"][:-1]) for b in endpoint.asked}
    assert len(conversations) > 10, "everybody has others"
    assert approach.label() == "fake, 2-shot, nearest (BM25)"


def test_its_wording_can_be_chosen_inside_the_training_part(
    endpoint, classify_task, classify_examples
):
    approach = Engineered(of=Served(model="fake"), examples=10)
    check_approach(approach, classify_task, classify_examples)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Background? No. It compares.\n\nAnswer: result", "result"),
        ("It might be a method.\nThe answer is: *result*.", "result"),
        ("It is no method.\n\nresult", "result"),
        ("method or result", None),
        ("Answer: method\nBut no.\nAnswer: result", "result"),
    ],
)
def test_of_a_reasoning_the_answer_is_read(endpoint, ask, text, answer):
    endpoint.answer = lambda body: text
    assert ask(numbered(1), reasoned=True).answers == [answer]
    assert "step by step" in endpoint.asked[0]["messages"][0]["content"]


def test_what_a_model_thinks_of_its_own_accord_is_no_answer(endpoint, ask):
    endpoint.answer = lambda body: "<think>method? result?</think>\n\nmethod"
    said = ask(numbered(1))
    assert said.answers == ["method"]
    assert said.raw == ["<think>method? result?</think>\n\nmethod"]


def test_answers_come_in_the_order_of_the_examples_however_many_are_asked_at_once(endpoint, ask):
    late = threading.Event()

    def answer(body):
        number = int(body["messages"][-1]["content"].rpartition(" ")[2])
        if number == 0:
            late.wait(10)  # the first answer comes last
        elif len(endpoint.answered) == 20:
            late.set()
        return f"number {number}"

    endpoint.answer = answer
    said = ask(numbered(20), concurrency=8)
    assert said.raw == [f"number {i}" for i in range(20)]
    assert said.answers == [None] * 20, "no label: not readable, and not guessed"
    assert said.scores is None


def test_a_prompt_is_the_conversation_that_a_local_model_gets(endpoint, ask, classify_task):
    ask(numbered(1), max_tokens=7, extra={"top_p": 0.5})
    (body,) = endpoint.asked
    assert body["temperature"] == 0
    assert (body["model"], body["max_tokens"], body["top_p"]) == ("fake", 7, 0.5)
    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert body["messages"][0]["content"].endswith("\n\nText: text number 0")
    assert "seed" not in body
    ask(numbered(1), temperature=0.5, extra={"max_tokens": None, "max_completion_tokens": 9})
    assert endpoint.asked[1]["seed"] == 0
    assert "max_tokens" not in endpoint.asked[1]
    assert endpoint.asked[1]["max_completion_tokens"] == 9


@pytest.mark.parametrize("fault", [429, 500, 503, "half", "away"])
def test_what_may_have_more_luck_later_is_sent_again(endpoint, ask, fault):
    endpoint.faults = [fault, fault]
    assert ask(numbered(1)).answers != [None]
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(
    ("fault", "line", "hint"),
    [
        (401, r"refuses the key", "OPENAI_API_KEY"),
        (403, r"refuses the key", "OPENAI_API_KEY"),
        (400, r"refuses the request: no luck", "max_tokens"),
        (404, r"knows no model 'fake'", "/v1"),
        ("nonsense", r"does not answer as one", "/v1"),
        ("no json", r"does not answer as one", "/v1"),
        ("no message", r"does not answer as one", "/v1"),
    ],
)
def test_what_cannot_get_better_is_not_sent_again(endpoint, ask, fault, line, hint):
    endpoint.faults = [fault]
    with pytest.raises(ModelError, match=line) as caught:
        ask(numbered(1))
    assert len(endpoint.asked) == 1
    assert endpoint.url in caught.value.message
    assert "\n" not in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("fault", "line"),
    [(429, "wants fewer requests"), (500, "fails: no luck"), ("away", "cannot reach")],
)
def test_after_all_attempts_one_line_says_what_happened(endpoint, ask, fault, line):
    endpoint.faults = [fault] * 3
    with pytest.raises(ModelError, match=line) as caught:
        ask(numbered(1))
    assert len(endpoint.asked) == 3
    assert caught.value.__suppress_context__, "no traceback of a library"


def test_a_server_that_is_not_there_is_one_line(endpoint, ask):
    with pytest.raises(ModelError, match=r"cannot reach the endpoint http://127.0.0.1:1/v1"):
        ask(numbered(1), url="http://127.0.0.1:1/v1", retries=0)


def test_a_request_is_asked_once(endpoint, ask, tmp_path):
    first = ask(numbered(5) + numbered(5))
    again = ask(numbered(7))
    assert len(endpoint.asked) == 7
    assert again.raw[:5] == first.raw[:5] == first.raw[5:]
    for options in ({"model": "other"}, {"max_tokens": 3}, {"temperature": 0.1}):
        ask(numbered(1), **options)
    assert len(endpoint.asked) == 10
    ask(numbered(1), concurrency=1, timeout=1.0, retries=0, requests_per_minute=1)
    assert len(endpoint.asked) == 10


def test_a_damaged_reply_on_disk_is_asked_for_again(endpoint, ask, tmp_path):
    said = ask(numbered(3))
    whole, cut, other = replies_on_disk(tmp_path)
    cut.write_bytes(whole.read_bytes()[:20])
    other.write_text('{"text": 5}')
    assert ask(numbered(3)).raw == said.raw
    assert len(endpoint.asked) == 5
    assert len(replies_on_disk(tmp_path)) == 3


def test_a_reply_that_cannot_be_kept_stops_the_study(endpoint, ask, full_disk):
    with full_disk(), pytest.raises(StoreError, match="cannot write"):
        ask(numbered(1))


def test_answers_that_ended_at_the_limit_are_counted_once(endpoint, classify_task):
    endpoint.ended = "length"
    predictor = Served(model="fake").fit(classify_task, (), (), seed=0, context=Context())
    predictor.predict(numbered(3))
    predictor.predict(numbered(2))
    assert predictor.notes["answers_cut"] == 3


def test_without_the_client_library_a_plan_says_what_to_install(classify_task, monkeypatch):
    monkeypatch.setattr("textune.approaches.served.find_spec", lambda name: None)
    with pytest.raises(ImpossibleError, match="needs the package openai") as caught:
        Served(model="fake").check(classify_task)
    assert "textune[served]" in caught.value.hint


def test_a_list_of_entities_cannot_be_reasoned_about(extract_task):
    with pytest.raises(ImpossibleError, match="has lists"):
        Served(model="fake", reasoned=True).check(extract_task)


def test_requests_keep_to_their_pace_repeated_ones_included(endpoint, ask, monkeypatch):
    waits = []
    monkeypatch.setattr(Pace, "wait", lambda pace: waits.append(pace.per_minute))
    endpoint.faults = [429]
    ask(numbered(4), requests_per_minute=30)
    assert waits == [30] * 5


def test_a_pace_of_thirty_lets_thirty_through_in_a_minute():
    now, starts = [100.0], []

    def sleep(seconds):
        assert seconds >= 0
        starts.append(now[0] + seconds)

    pace = Pace(30, clock=lambda: now[0], sleep=sleep)
    for _ in range(90):  # everybody at once
        pace.wait()
    for start in starts:
        assert sum(start <= other < start + 60 for other in starts) <= 30
    assert max(starts) == pytest.approx(100 + 89 * 2)
    now[0] = 1000.0
    pace.wait()
    assert starts[-1] == 1000.0, "what was not used is no debt and no credit"


def test_numbers_that_say_how_to_ask_change_no_fingerprint():
    plain = Served(model="m")
    hurried = Served(model="m", concurrency=1, timeout=1.0, retries=0, requests_per_minute=9)
    assert fingerprint(plain) == fingerprint(hurried)
    for changed in (
        {"url": "http://x/v1"},
        {"max_tokens": 1},
        {"extra": {"top_p": 1}},
        {"shots": 1},
    ):
        assert fingerprint(plain) != fingerprint(replace(plain, **changed))


@pytest.mark.parametrize(
    "options",
    [
        {"url": "localhost:8000"},
        {"url": f"http://user:{SECRET}@host/v1"},
        {"url": f"https://host/v1?key={SECRET}"},
        {"url": "http://[::1"},
        {"extra": {"api_key": SECRET}},
        {"extra": {"messages": []}},
        {"requests_per_minute": 0},
        {"concurrency": 0},
        {"shots": -1},
        {"reasoned": True, "shots": 4},
    ],
)
def test_options_that_cannot_be_are_refused_without_showing_secrets(options):
    with pytest.raises(ConfigError) as caught:
        Served(model="m", **options)
    assert SECRET not in str(caught.value)


def test_each_address_has_a_key_variable_of_its_own(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert key_variable("https://api.openai.com/v1/") == "OPENAI_API_KEY"
    assert key_variable("https://api.example.org:8000/v1") == "TEXTUNE_KEY_API_EXAMPLE_ORG"
    assert key_variable("https://api-example.org/v1") == "TEXTUNE_KEY_API__EXAMPLE_ORG"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    assert key_variable("http://localhost:8000/v1") == "OPENAI_API_KEY"
    assert key_variable("https://api.openai.com/v1") == "TEXTUNE_KEY_API_OPENAI_COM"


def test_a_key_goes_only_to_the_address_that_its_variable_is_named_after(
    endpoint, ask, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example.org/v1")
    ask(numbered(1), url=endpoint.url)
    assert endpoint.keys == {"none"}
    monkeypatch.setenv("TEXTUNE_KEY_127_0_0_1", f"{SECRET}\n")
    ask(numbered(2), url=endpoint.url)
    assert endpoint.keys == {"none", SECRET}


def test_what_cannot_be_a_key_is_refused_without_showing_it(endpoint, ask, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f"{SECRET}\nsecond line")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY holds no key") as caught:
        ask(numbered(1))
    assert SECRET not in str(caught.value)


def study_of(endpoint, **options):
    served = {"model": "fake", "url": endpoint.url, "retries": 0, "concurrency": 1, **options}
    content = {
        "name": "small",
        "task": "mood.yaml",
        "protocol": {"split": "kfold", "folds": 2},
        "approaches": [{"served": served, "label": "served"}],
    }
    return make_plan(build_study(content, where="test", beside=Path()))


class Silent:
    def begin(self, plan, done, repeated): ...
    def started(self, cell): ...
    def stepped(self, cell, step): ...

    def read(self, cell, tokens): ...
    def ended(self, cell, record): ...


def run(plan, **options):
    root = Path("run")
    outcome = run_study(plan, root, Silent(), Options(**options))
    return outcome, {r.cell.fold: r for r in Store(root).records()}


def cells(plan, root="run"):
    """The records of a plan, done in this process: starting a worker takes seconds."""
    bench = Bench(
        task=plan.study.task,
        examples=plan.examples,
        store=Store(Path(root)),
        context=Context(),
        prices=load_prices(),
        machine="cpu",
        device_peak=None,
    )
    return [run_cell(cell, bench, lambda *_: None) for cell in plan.cells]


def texts(bodies):
    return Counter(body["messages"][-1]["content"] for body in bodies)


def test_a_study_goes_on_after_its_server_died_and_asks_nothing_twice(moods, endpoint):
    plan = study_of(endpoint)
    endpoint.is_away = lambda: len(endpoint.answered) == 15
    outcome, records = run(plan)
    assert (outcome.done, outcome.failed) == (1, 1)
    failure = records[1].failure
    assert failure.message == f"cannot reach the endpoint {endpoint.url}"
    assert "what was answered is kept" in failure.hint
    endpoint.is_away = lambda: False
    outcome, records = run(plan, retry_failed=True)
    assert (outcome.done, outcome.failed) == (2, 0)
    assert set(texts(endpoint.answered).values()) == {1}
    assert len(endpoint.asked) <= 24 + 2, "only requests that failed were sent again"


def test_a_worker_that_is_killed_loses_no_answer(moods, endpoint):
    def answer(body):
        if len(endpoint.answered) == 20:
            (worker,) = multiprocessing.active_children()
            os.kill(worker.pid, 9)
        return first_label(body)

    endpoint.answer = answer
    plan = study_of(endpoint)
    outcome, records = run(plan)
    assert records[1].failure.kind == "killed"
    outcome, records = run(plan, retry_failed=True)
    assert (outcome.done, outcome.failed) == (2, 0)
    assert sorted(texts(endpoint.asked).values()) == [1] * 23 + [2], "the one under way"


def test_a_cell_costs_the_same_whether_its_answers_were_known_or_not(moods, endpoint, monkeypatch):
    own = moods / "prices.yaml"
    own.write_text(
        "name: own\ndate: 2026-01-01\ncurrency: EUR\nmachines: {cpu: {per: core, hour: 0}}\n"
        "served: {fake: {input: 1000, output: 3000}}\n"
    )
    monkeypatch.setenv("TEXTUNE_PRICES", str(own))
    cold = cells(study_of(endpoint))
    num_asked = len(endpoint.asked)
    warm = cells(study_of(endpoint), "again")
    assert len(endpoint.asked) == num_asked
    for fold in (0, 1):
        first, second = cold[fold].cost, warm[fold].cost
        tokens = first.served["fake"]
        assert first.served == second.served
        assert first.fees == first.price == second.price
        assert first.price == pytest.approx((tokens.input * 1000 + tokens.output * 3000) / 1e6)
        assert first.predict_tokens == tokens.total > 0
        assert first.energy is None, "nobody knows what the server needs"
        assert second.latency_p50_seconds > 0
        assert cold[fold].notes["answered_by"] == "fake-2026-01-01 fp_1"
        assert cold[fold].notes["endpoint"] == endpoint.url


def test_a_model_without_a_price_and_a_reply_without_counts_have_none(moods, endpoint):
    counted, _ = cells(study_of(endpoint))
    assert counted.cost.served["fake"].total > 0
    assert (counted.cost.fees, counted.cost.price) == (None, None)
    endpoint.has_usage = False
    uncounted = cells(study_of(endpoint, max_tokens=9))
    assert [record.cost.predict_tokens for record in uncounted] == [None, None]


def test_time_and_tokens_of_known_answers_count_as_when_they_were_asked(endpoint, ask):
    with meter() as cold:
        ask(numbered(6))
    with meter() as warm:
        ask(numbered(6))
    assert warm.usage.served == cold.usage.served
    assert warm.spared_seconds > 0
    assert cold.spared_seconds == 0
    endpoint.has_usage = False
    with meter() as unknown:
        ask(numbered(7))
    assert unknown.usage.served["fake"].total is None, "six known and one unknown are no sum"


def test_a_key_is_written_nowhere(moods, endpoint, monkeypatch, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    endpoint.wanted_key = SECRET
    outcome, _ = run(study_of(endpoint))
    assert outcome.done == 2
    assert endpoint.keys == {SECRET}
    endpoint.wanted_key = "another"
    refused = cells(study_of(endpoint, max_tokens=9))[0]
    assert "Incorrect API key provided: ***" in refused.failure.message
    endpoint.wanted_key = None
    endpoint.faults = [400]
    failed, done = cells(study_of(endpoint, max_tokens=10))
    assert (failed.status, done.status) == ("failed", "done")
    written = [path for path in moods.rglob("*") if path.is_file()]
    assert len(written) > 30
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    out, err = capfd.readouterr()
    assert SECRET not in out + err + caplog.text


def test_a_plan_says_about_how_much_is_sent_and_asks_nobody(moods, endpoint, monkeypatch):
    plan = study_of(endpoint)
    said = Estimator(plan, []).approach("served")
    assert endpoint.asked == []
    assert said.price is None, "the table knows no price"
    cells(plan)
    counted = sum(len(str(b["messages"][0]["content"])) // 4 for b in endpoint.asked)
    assert said.served["fake"].input == pytest.approx(counted, rel=0.05)
    prices = load_prices()
    known = replace(prices, served={"fake": TokenPrice(input=0, output=1e6)})
    monkeypatch.setattr("textune.study.estimate.load_prices", lambda: known)
    free = replace(prices, served={"fake": TokenPrice(input=0, output=0)})
    dear = Estimator(plan, []).approach("served").price
    monkeypatch.setattr("textune.study.estimate.load_prices", lambda: free)
    cheap = Estimator(plan, []).approach("served").price
    assert dear - cheap == pytest.approx(said.served["fake"].output)


def test_texts_whose_order_means_nothing_are_asked_both_ways(endpoint, pair_examples):
    task = load_task("questions-sample")
    parts = Parts(pair_examples[:30], (), pair_examples[30:])
    one = Served(model="m").served_tokens(
        replace(task, kind=replace(task.kind, symmetric=False)), parts
    )
    both = Served(model="m").served_tokens(
        replace(task, kind=replace(task.kind, symmetric=True)), parts
    )
    assert both["m"].total == pytest.approx(2 * one["m"].total, abs=4)


def test_a_bundle_labels_new_texts_and_known_ones_without_the_server(
    endpoint, tmp_path, classify_task, classify_examples
):
    approach = Served(model="fake", shots=3).resolved()
    predictor = approach.fit(classify_task, classify_examples[:40], (), seed=4, context=Context())
    said = predictor.predict(classify_examples[40:])
    save_bundle(tmp_path / "bundle", classify_task, approach, predictor)
    endpoint.is_away = lambda: True
    again = load_bundle(tmp_path / "bundle", context=Context()).predictor
    assert again.predict(classify_examples[40:]).answers == said.answers
    endpoint.is_away = lambda: False
    assert again.predict(numbered(1)).answers[0] in classify_task.labels
