import logging
import warnings

from textune.core.quiet import LIBRARIES, quiet_libraries


def test_libraries_say_nothing_short_of_errors():
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    try:
        quiet_libraries()
        for name in LIBRARIES:
            assert not logging.getLogger(name).isEnabledFor(logging.WARNING)
            assert logging.getLogger(name).isEnabledFor(logging.ERROR)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quiet_libraries()
            warnings.warn("`is_gradient_checkpointing` is deprecated", FutureWarning, stacklevel=1)
            warnings.warn("something else", FutureWarning, stacklevel=1)
        assert [str(w.message) for w in caught] == ["something else"]
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
