"""The page, in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from serving import Server, serving, until

from onepack.serve import AppOptions, Engine

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SCREENSHOTS = os.environ.get("ONEPACK_SCREENSHOTS", "")
"""A folder for pictures of the page, for people to look at."""


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    if BROWSER is None or DRIVER is None:
        pytest.skip("there is no chromium with its chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1200,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


class Page:
    def __init__(self, browser: webdriver.Chrome, server: Server) -> None:
        self.browser = browser
        browser.get(server.url)

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        return [found.text for found in self.browser.find_elements(By.CSS_SELECTOR, selector)]

    def set(self, name: str, value: str) -> None:
        field = self.one(f"#{name}")
        field.clear()
        field.send_keys(value)

    def ask(self, prompt: str, tokens: int) -> None:
        until(lambda: self.texts("#models tr"))
        self.set("prompt", prompt)
        self.set("max-tokens", str(tokens))
        self.one("#run").click()

    def states(self) -> dict[str, str]:
        cards = self.browser.find_elements(By.CSS_SELECTOR, "article")
        return {
            card.get_attribute("data-model") or "": card.get_attribute("data-state") or ""
            for card in cards
        }

    def troubles(self) -> list[str]:
        """What the browser's console has."""
        entries = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(entry["message"]) for entry in entries]

    def picture(self, name: str) -> None:
        if SCREENSHOTS:
            self.browser.save_screenshot(str(Path(SCREENSHOTS) / f"{name}.png"))


def test_it_shows_the_models_with_their_memory(
    browser: webdriver.Chrome, server: Server, engine: Engine
) -> None:
    page = Page(browser, server)
    until(lambda: page.texts("#models tr"))
    names = page.texts("#models td:nth-child(2)")
    assert names == ["base base", "lora0", "lora1"]
    rows = page.texts("#models tr")
    files = engine.models.base.memory.file_bytes
    assert files > 1e6
    assert f"{files / 1e6:.1f} MB" in rows[0]
    assert "KB" in rows[1]
    assert "MB of its own in memory" in page.one("#process").text
    assert page.one("#chat").is_selected()
    assert page.troubles() == []


def test_models_answer_side_by_side(
    browser: webdriver.Chrome, server: Server, engine: Engine
) -> None:
    page = Page(browser, server)
    page.ask("one foundation <b>many</b> adapters", 48)
    until(lambda: list(page.states().values()) == ["ended"] * 3)
    shown = page.texts("article .text")
    with server.client() as client:
        for name, text in zip(("base", "lora0", "lora1"), shown):
            answer = client.chat.completions.create(
                model=name,
                messages=[{"role": "user", "content": "one foundation <b>many</b> adapters"}],
                max_tokens=48,
                temperature=0,
                seed=0,
            )
            assert (answer.choices[0].message.content or "").split() == text.split()
    assert len(set(shown)) == 3
    assert all("48 tokens in" in state for state in page.texts("article .state"))
    assert page.one("#run").is_enabled()
    assert page.troubles() == []
    page.picture("answers")


def test_only_checked_models_are_asked_and_stop_cancels_them(
    browser: webdriver.Chrome, server: Server, engine: Engine
) -> None:
    page = Page(browser, server)
    until(lambda: page.texts("#models tr"))
    page.one("tr[data-model=lora0] input").click()
    page.ask("one foundation", 60000)  # the likeliest tokens repeat, and none ends the answer
    until(lambda: len(page.texts("article .text")) == 2 and all(page.texts("article .text")))
    assert set(page.states()) == {"base", "lora1"}
    assert engine.scheduler.running == 2
    page.picture("running")
    page.one("#stop").click()
    until(lambda: list(page.states().values()) == ["stopped"] * 2)
    until(lambda: engine.scheduler.running == 0)
    assert page.one("#run").is_enabled()


def test_what_is_refused_is_shown(browser: webdriver.Chrome, server: Server) -> None:
    page = Page(browser, server)
    page.ask("one foundation", 0)
    assert page.states() == {}  # the browser itself says that this is too few
    page.set("prompt", "word " * 40)
    page.set("max-tokens", "8")
    server.engine.models.drop("lora1")
    page.one("#run").click()
    until(lambda: page.states() == {"base": "ended", "lora0": "ended", "lora1": "failed"})
    assert "does not exist" in page.one("article[data-model=lora1] .failed").text
    until(lambda: len(page.texts("#models tr")) == 2)


def test_it_asks_for_the_key(browser: webdriver.Chrome, engine: Engine) -> None:
    with serving(engine, AppOptions("a key")) as server:
        page = Page(browser, server)
        until(lambda: page.one("#key-form").is_displayed())
        assert "API key" in page.one("#trouble").text
        page.picture("key")
        page.set("key", "a key")
        page.one("#key-form button").click()
        until(lambda: page.texts("#models tr"))
        assert not page.one("#trouble").is_displayed()
        page.ask("one foundation", 8)
        until(lambda: list(page.states().values()) == ["ended"] * 3)
