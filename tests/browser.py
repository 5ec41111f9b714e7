"""A real browser without a window, to look at a page as a user does."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.needs import needs_module, needs_program

REBOUND = "10.evil.example"  # another site's name, whose address is now this machine's
ARGUMENTS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1000",
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
)
PATIENCE = 30.0  # seconds for a page to show what it shall; 1 to 3 on a quiet machine


class Browser:
    """One window."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, link: str) -> None:
        """Go there."""
        self.driver.get(link)

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        """What the condition returns as soon as that is true, tried again while the page is being
        drawn.
        """
        errors = needs_module("selenium.common.exceptions")
        wait = needs_module("selenium.webdriver.support.wait").WebDriverWait
        drawn_again = errors.StaleElementReferenceException, errors.NoSuchElementException, KeyError
        return wait(self.driver, PATIENCE, 0.1, drawn_again).until(lambda _: condition())

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that a CSS selector names."""
        return [element.text for element in self.driver.find_elements("css selector", selector)]

    def screenshot(self, path: Path) -> None:
        """The window as a PNG file."""
        self.driver.save_screenshot(str(path))

    def hosts(self) -> set[str]:
        """The hosts that were asked for anything since the last call."""
        log = self.driver.get_log("performance")
        events = [json.loads(entry["message"])["message"] for entry in log]
        asked = [one for one in events if one["method"] == "Network.requestWillBeSent"]
        urls = [one["params"]["request"]["url"] for one in asked]
        return {urlsplit(url).hostname or "" for url in urls if url.startswith(("http", "ws"))}


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile, in an empty folder."""
    webdriver = needs_module("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = needs_program("chromium")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    for argument in (*ARGUMENTS, *root, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = webdriver.ChromeService(executable_path=needs_program("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
