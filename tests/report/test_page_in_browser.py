"""The page as a browser sees it; skipped where there is none."""

import re
import shutil
import subprocess

import pytest

from textune.report.build import build_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def browse(tmp_path):
    """Opens a file without network; gives the page after its script ran, and the console."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser is installed: none of {', '.join(BROWSERS)}")

    def open_page(path):
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            "--v=0",
            "--dump-dom",
            path.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]

    return open_page


@pytest.fixture
def page(make_run):
    study = {"lora": {"accuracy": 0.9, "price": 0.02}, "<b>tfidf": {"accuracy": 0.6}}
    texts = dict.fromkeys(range(60), "<script>console.error('broken out')</script>")
    return build_report(make_run(study, folds=3, num_examples=60, texts=texts)).page


def test_tables_and_charts_are_there_and_the_console_is_silent(browse, page):
    content, console = browse(page)
    assert console == []
    assert content.count("<table") >= 8
    assert len(re.findall(r'<figure id="figure-.*?<svg role="img"', content, re.DOTALL)) >= 5
    assert content.count('aria-roledescription="point"') >= 8


def test_the_console_is_really_read(browse, tmp_path):
    path = tmp_path / "broken.html"
    path.write_text("<script>nothing.here()</script>", encoding="utf-8")
    _, console = browse(path)
    assert "nothing is not defined" in console[0]


def test_a_click_on_a_title_sorts_numbers_downwards_then_upwards(browse, page):
    clicks = """
    <script>
    const head = document.querySelectorAll("#table-leaderboard th")[1];
    const ranks = () => [...document.querySelectorAll("#table-leaderboard tbody tr")]
      .map((row) => row.cells[1].textContent).join(",");
    head.querySelector("button").click();
    document.body.dataset.first = ranks() + head.ariaSort;
    head.querySelector("button").click();
    document.body.dataset.second = ranks() + head.ariaSort;
    </script></body>"""
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", clicks), encoding="utf-8")
    content, console = browse(page)
    assert console == []
    assert 'data-first="2,1descending"' in content
    assert 'data-second="1,2ascending"' in content
