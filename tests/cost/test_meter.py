import mmap
import threading
import time

import pytest

from textune.cost.meter import count_served, count_work, meter
from textune.cost.served import ServedTokens

MEBIBYTE = 1 << 20


class FakeDevice:
    """A device whose peak goes up by hand."""

    def __init__(self):
        self.peak = 999

    def reset(self):
        self.peak = 10

    def read(self):
        return self.peak


@pytest.fixture
def no_kernel_peak(monkeypatch, tmp_path):
    monkeypatch.setattr("textune.cost.memory.CLEAR_REFS", tmp_path / "none" / "clear_refs")
    monkeypatch.setattr("textune.cost.memory.SAMPLE_SECONDS", 0.001)


def taken(mebibytes):
    """Memory of the system's, every page of it; the heap may hold free memory of earlier tests."""
    memory = mmap.mmap(-1, mebibytes * MEBIBYTE)
    for place in range(0, len(memory), mmap.PAGESIZE):
        memory[place] = 1
    return memory


def touch(mebibytes):
    """Fill memory and let it go."""
    taken(mebibytes).close()


def test_wall_time_goes_on_in_sleep_and_processor_time_does_not():
    with meter() as running:
        time.sleep(0.05)
    assert running.usage.wall_seconds >= 0.05
    assert running.usage.cpu_seconds < running.usage.wall_seconds


def test_processor_time_of_all_threads_counts():
    with meter() as running:
        thread = threading.Thread(target=lambda: [hash(str(i)) for i in range(100_000)])
        thread.start()
        thread.join()
    assert running.usage.cpu_seconds > 0.005


def test_the_peak_of_resident_memory_sees_memory_that_was_given_back():
    with meter() as large:
        touch(200)
    with meter() as small:
        touch(1)
    assert large.usage.peak_kind == "resident"
    assert large.usage.peak_bytes - small.usage.peak_bytes > 150 * MEBIBYTE


def test_without_a_kernel_peak_memory_is_sampled_and_the_kind_says_so(no_kernel_peak):
    with meter() as running:
        held = taken(100)
        time.sleep(0.2)
        held.close()
    with meter() as after:
        pass
    assert running.usage.peak_kind == "unknown"
    assert running.usage.peak_bytes - after.usage.peak_bytes > 70 * MEBIBYTE


def test_a_status_file_without_a_peak_counts_as_no_kernel_peak(monkeypatch, tmp_path):
    (tmp_path / "status").write_text("Name:\tpython\n")
    monkeypatch.setattr("textune.cost.memory.STATUS", tmp_path / "status")
    monkeypatch.setattr("textune.cost.memory.CLEAR_REFS", tmp_path / "clear_refs")
    with meter() as running:
        pass
    assert running.usage.peak_kind == "unknown"
    assert running.usage.peak_bytes > MEBIBYTE


def test_a_device_is_asked_for_its_own_peak_after_a_reset():
    device = FakeDevice()
    with meter(device_peak=device) as running:
        assert device.peak == 10
        device.peak = 70
    assert running.usage.peak_bytes == 70
    assert running.usage.peak_kind == "device"


def test_an_inner_meter_does_not_take_the_peak_from_the_outer_one():
    with meter() as outer:
        touch(200)
        with meter() as inner:
            touch(1)
    assert outer.usage.peak_bytes - inner.usage.peak_bytes > 150 * MEBIBYTE
    device = FakeDevice()
    with meter(device_peak=device) as outer:
        device.peak = 70
        with meter(device_peak=device) as inner:
            device.peak = 30
    assert (outer.usage.peak_bytes, inner.usage.peak_bytes) == (70, 30)


def test_work_goes_to_the_innermost_meter_and_on_to_the_outer_one():
    with meter() as outer:
        count_work(tokens=5)
        with meter() as inner:
            count_work(tokens=7, flops=1e9)
            count_work(flops=1e9)
    assert (inner.usage.tokens, inner.usage.flops) == (7, 2e9)
    assert (outer.usage.tokens, outer.usage.flops) == (12, 2e9)


def test_work_that_was_never_counted_is_none_and_not_zero():
    with meter() as running:
        pass
    assert running.usage.tokens is None
    assert running.usage.flops is None


def test_zero_tokens_are_a_count():
    with meter() as running:
        count_work(tokens=0)
    assert running.usage.tokens == 0


def test_counting_outside_of_a_meter_does_nothing():
    count_work(tokens=5, flops=1.0)
    with meter() as running:
        pass
    assert running.usage.tokens is None


def fail_midway():
    count_work(tokens=3)
    raise RuntimeError("out of memory")


def test_a_block_that_fails_has_its_usage_and_leaves_no_meter_behind():
    with pytest.raises(RuntimeError, match="out of memory"), meter() as running:
        fail_midway()
    assert running.usage.tokens == 3
    count_work(tokens=100)
    assert running.usage.tokens == 3


def test_there_is_no_usage_before_the_end():
    with meter() as running, pytest.raises(AssertionError, match="not ended"):
        _ = running.usage


def test_no_thread_of_a_meter_outlives_it(no_kernel_peak):
    before = threading.active_count()
    with meter():
        assert threading.active_count() > before
    assert threading.active_count() == before


def served(read, written):
    return ServedTokens(input=read, output=written)


def test_tokens_of_served_models_add_up_by_model_and_go_to_the_outer_meter():
    with meter() as outer:
        count_served("a", served(5, 1))
        with meter() as inner:
            count_served("a", served(10, 2))
            count_served("b", served(7, 3))
    assert inner.usage.served == {"a": served(10, 2), "b": served(7, 3)}
    assert outer.usage.served == {"a": served(15, 3), "b": served(7, 3)}
    assert outer.usage.tokens == 28
    both = inner.usage.plus(outer.usage)
    assert both.served == {"a": served(25, 5), "b": served(14, 6)}


def test_tokens_that_nobody_counted_make_the_sum_unknown():
    with meter() as running:
        count_served("a", served(5, 1))
        count_served("a", served(None, 1))
    assert running.usage.served == {"a": served(None, 2)}
    assert running.usage.served["a"].total is None


def test_what_known_answers_took_counts_as_time():
    with meter() as outer, meter() as inner:
        before = inner.seconds()
        count_served("a", served(1, 1), spared_seconds=100.0)
        assert inner.seconds() - before > 100
    assert inner.usage.wall_seconds > 100
    assert outer.usage.wall_seconds > 100
    assert inner.usage.cpu_seconds < 50
    count_served("a", served(1, 1), spared_seconds=100.0)  # outside of a meter: nothing


def test_who_asked_hears_all_tokens_so_far_with_those_of_inner_meters():
    heard = []
    with meter(told=heard.append):
        count_work(tokens=3, flops=1.0)
        count_work(flops=1.0)
        with meter():
            count_work(tokens=4)
        count_work(tokens=1)
    assert heard == [3, 7, 8]
