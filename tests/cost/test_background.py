import threading

import pytest

from textune.cost.background import repeating


def test_the_call_is_made_at_once_again_and_again_and_at_the_end():
    calls = []
    has_repeated = threading.Event()

    def call():
        calls.append(threading.current_thread())
        if len(calls) >= 3:
            has_repeated.set()

    with repeating(call, seconds=0.001):
        assert calls[0] is threading.main_thread()
        assert has_repeated.wait(10)
    assert calls[1] is not threading.main_thread()
    assert calls[-1] is threading.main_thread()


def test_the_thread_ends_with_a_block_that_fails():
    before = threading.active_count()
    with pytest.raises(ValueError, match="stop"), repeating(lambda: None, seconds=60):
        raise ValueError("stop")
    assert threading.active_count() == before
