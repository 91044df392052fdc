"""Dagster's pages in a headless Chromium, over a project of their own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

ROOT = Path(__file__).parents[2]
#: Debian's packages `chromium` and `chromium-driver`.
PROGRAMS = ("chromium", "chromedriver")
SETTINGS = """
ingest: [sample]
extraction: {workers: 1}
spaces:
  - {provider: hashing, model: ngram, options: {dimensions: 256}}
  - {provider: hashing, model: ngram, options: {dimensions: 64}}
"""
#: Runs begin at once: without a daemon nobody takes them from a queue.
INSTANCE = """
run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}
telemetry: {enabled: false}
nux: {enabled: false}
"""
SIZE = (1400, 900)
#: The text and the id of what has the keyboard; the whole page has it while nothing else does.
_SAID = "[...document.querySelectorAll(':focus')].map(one => one.textContent + ' ' + one.id).join()"
_START_SECONDS = 120
_PAGE_SECONDS = 90


def missing_program() -> str | None:
    """The first of the programs that this machine lacks."""
    return next((name for name in PROGRAMS if shutil.which(name) is None), None)


def environment(folder: Path) -> dict[str, str]:
    """For Dagster in a project's folder."""
    return os.environ | {"DAGSTER_HOME": str(folder), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}


def make_project(folder: Path) -> None:
    """Settings, an instance, and everything of the sample but its vectors."""
    (folder / "holocron.yaml").write_text(SETTINGS)
    (folder / "dagster.yaml").write_text(INSTANCE)
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "holocron_assets.definitions"]
    command += ["--select", "+key:chunks,embedding_spaces"]
    subprocess.run(command, cwd=folder, env=environment(folder), check=True, capture_output=True)


@contextmanager
def webserver(folder: Path) -> Iterator[str]:
    """The URL of Dagster's webserver over a project; it and what it started are ended afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dagster_webserver", "-m", "holocron_assets.definitions"]
    with (folder / "webserver.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "-h", "127.0.0.1", "-p", str(port)],
            cwd=folder,
            env=environment(folder),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(server, url, folder)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait_for(server: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=5):
                return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "webserver.log").read_text()[-3000:]) from None
            time.sleep(0.3)


class Browser:
    """A person who reads words and clicks on them, and takes pictures."""

    def __init__(self, url: str, pictures: Path) -> None:
        self._url, self._pictures = url, pictures
        pictures.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        # As root, as in containers, Chromium has no sandbox of its own.
        for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(str(shutil.which("chromedriver")))
        self._driver = webdriver.Chrome(options=options, service=service)
        self.resize(*SIZE)
        return self

    def __exit__(self, *_ended: object) -> None:
        self._driver.quit()

    def open(self, path: str) -> None:
        """Go to a page."""
        self._driver.get(self._url + path)

    def resize(self, width: int, height: int) -> None:
        """Have a screen of this size."""
        self._driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def prefer(self, scheme: str) -> None:
        """Want pages to be `dark` or `light`."""
        wish = {"name": "prefers-color-scheme", "value": scheme}
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [wish]})

    def print_media(self) -> None:
        """Show the page as it is printed, in a dark room."""
        wish = {"name": "prefers-color-scheme", "value": "dark"}
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": [wish]})

    def press(self, *keys: str) -> None:
        """Type on the keyboard, wherever it is."""
        ActionChains(self._driver).send_keys(*keys).perform()

    def press_until(self, key: str, text: str, *, most: int = 80) -> None:
        """Press a key until what has the keyboard says a text, or is called so."""
        for _ in range(most):
            self.press(key)
            if self.ask(f"{_SAID}.includes({json.dumps(text)})"):
                return
        self.shot("lost")
        raise AssertionError(f"{key!r} does not lead to {text!r}: see the picture `lost`")

    def ask(self, script: str) -> Any:
        """What a script says of the page."""
        return self._driver.execute_script(f"return {script}")

    def go_back(self) -> None:
        """To the page before."""
        self._driver.back()

    def complaints(self) -> list[str]:
        """What pages wrote to the console since it was last asked."""
        return [one["message"] for one in self._driver.get_log("browser")]

    def see(self, text: str, *, times: int = 1, inside: str = "*", seconds: float = _PAGE_SECONDS) -> WebElement:
        """Wait until a text is there so many times; the last element that says it."""
        path = f"//{inside}[contains(normalize-space(.), '{text}') and not(.//{inside}[contains(., '{text}')])]"
        deadline = time.monotonic() + seconds
        while True:
            found = [one for one in self._driver.find_elements(By.XPATH, path) if _is_shown(one)]
            if len(found) >= times:
                return found[-1]
            if time.monotonic() > deadline:
                self.shot("lost")
                raise AssertionError(f"{text!r} is there {len(found)} times, not {times}: see the picture `lost`")
            time.sleep(0.2)

    def see_picture(self, name: str) -> None:
        """Wait until the picture of that name is there and was drawn."""
        drawn = f"const e = document.querySelector('img[alt=\"{name}\"]'); return Boolean(e && e.naturalWidth > 100)"
        deadline = time.monotonic() + _PAGE_SECONDS
        while not self._driver.execute_script(drawn):
            assert time.monotonic() < deadline, f"there is no picture {name!r}"
            time.sleep(0.2)

    def show(self, text: str) -> None:
        """Bring a text to the top of the page."""
        self._driver.execute_script("arguments[0].scrollIntoView({block: 'start'})", self.see(text))

    def click(self, text: str, *, inside: str = "*", times: int = 1) -> None:
        """Wait for a text and click on the last element that says it."""
        element = self.see(text, inside=inside, times=times)
        try:
            ActionChains(self._driver).move_to_element(element).click().perform()
        except WebDriverException:
            self._driver.execute_script("arguments[0].click()", element)

    def rest(self, seconds: float = 1.5) -> None:
        """Let what moves come to rest; no assertion depends on it."""
        time.sleep(seconds)

    def shot(self, name: str) -> None:
        """A picture of the page."""
        self._driver.save_screenshot(str(self._pictures / f"{name}.png"))


def _is_shown(element: WebElement) -> bool:
    try:
        return element.is_displayed()
    except StaleElementReferenceException:
        return False
