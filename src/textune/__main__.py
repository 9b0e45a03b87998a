"""``python -m textune`` is the command ``textune``."""

from textune.cli.main import run

run()
