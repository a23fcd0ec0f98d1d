"""The page as a reader sees it, in a real browser, on a wide screen and on a phone."""

import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)}")
    with sync_api.sync_playwright() as playwright:
        # Without its sandbox, which it cannot make for the root user of a container.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [375, 1280])
def test_the_page_shows_whole_and_by_itself(browser, page, width):
    shown = browser.new_page(viewport={"width": width, "height": 800})
    said, asked, failed = [], [], []
    shown.on("console", lambda message: said.append(message.text))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("requestfailed", lambda request: failed.append(request.url))
    shown.goto(page[1].as_uri(), wait_until="load")
    assert said == []
    assert failed == []
    assert {url for url in asked if not url.startswith("data:")} == {page[1].as_uri()}
    for opened in ("false", "true"):  # with long tables folded, and unfolded
        shown.evaluate(f"document.querySelectorAll('details').forEach(d => d.open = {opened})")
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
    images = shown.evaluate("[...document.images].map(i => [i.naturalWidth, i.naturalHeight, i.clientWidth])")
    assert len(images) >= 10
    assert all(natural > 100 and height > 50 and drawn > 100 for natural, height, drawn in images)
    shown.close()


def test_it_prints(browser, page):
    shown = browser.new_page()
    shown.goto(page[1].as_uri())
    assert shown.pdf().startswith(b"%PDF")
    shown.close()
