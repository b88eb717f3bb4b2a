"""Who uses the server in these tests: a person at a browser, and a crowd without one."""

from __future__ import annotations

import re
import uuid
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Locator, Page, expect

from chat.web.markdown import render

_RUN = re.compile(r"/runs/(\d+)/events")


class Person:
    """Somebody at a browser window, who knows the page by its accessible names."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def open(self, path: str = "/") -> None:
        """Go to a page of the server."""
        self.page.goto(self.url + path)

    def ask(self, text: str) -> None:
        """Write a message and send it."""
        self.page.get_by_role("textbox", name="Message").fill(text)
        self.page.get_by_role("button", name="Send", exact=True).click()

    def stop(self) -> None:
        """Press Stop."""
        self.page.get_by_role("button", name="Stop", exact=True).click()

    def hush(self) -> None:
        """Stop the answer, or not if it has just ended: the test has seen what it wanted."""
        self.page.evaluate("() => document.querySelector('[data-stop]')?.click()")

    @property
    def log(self) -> Locator:
        """The conversation."""
        return self.page.get_by_role("log", name="Conversation")

    @property
    def answer(self) -> Locator:
        """The newest answer."""
        return self.log.get_by_role("article", name="Parley").last

    @property
    def words(self) -> str:
        """What can be read of the newest answer, without its footer."""
        return self.answer.locator(".parts").inner_text()

    @property
    def conversation_id(self) -> str:
        """Of the conversation in the address bar."""
        return urlsplit(self.page.url).path.removeprefix("/c/")

    def wait_for_words(self, num_chars: int) -> str:
        """Wait until the answer has that many characters; returns what it is by then."""
        self.page.wait_for_function(
            "num => [...document.querySelectorAll('.from-parley .parts')].at(-1)?.innerText.length >= num",
            arg=num_chars,
            timeout=20_000,
        )
        return self.words

    def wait_for_end(self, word: str = "finished", timeout_s: float = 40) -> None:
        """Wait until a screen reader would be told that the answer has come to this end."""
        expect(self.page.get_by_role("status")).to_contain_text(
            re.compile(f"Answer ({word})"), timeout=timeout_s * 1000
        )

    def expect_shown(self, markdown: str) -> None:
        """The newest answer shows this text: all of it, once, and as it would be shown if it came in one piece."""
        shown, expected = self.page.evaluate(
            """html => {
                const words = (root) => root.textContent.replace(/\\s+/g, " ").trim();
                const expected = new DOMParser().parseFromString(html, "text/html").body;
                return [words([...document.querySelectorAll(".from-parley .parts")].at(-1)), words(expected)];
            }""",
            render(markdown),
        )
        assert shown == expected


class Visitor:
    """A program that behaves like a browser without JavaScript: one guest, one conversation."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60, follow_redirects=True)
        self.conversation_id = ""
        self.run_id = 0

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> httpx.Response:
        """A page."""
        return self._http.get(path)

    def ask(self, text: str) -> None:
        """Begin a conversation."""
        self.get("/").raise_for_status()
        answer = self.post("/", text=text, key=str(uuid.uuid4())).raise_for_status()
        self.conversation_id = answer.url.path.removeprefix("/c/")
        self.run_id = int(found[1]) if (found := _RUN.search(answer.text)) else 0

    def post(self, path: str, **form: str) -> httpx.Response:
        """Send a form of the page."""
        return self._http.post(path, data={**form, "csrfmiddlewaretoken": self._http.cookies["csrftoken"]})

    def read_stream(self) -> str:
        """Everything that the answer's stream sends; "" when the answer had ended before."""
        if not self.run_id:
            return ""
        with self._http.stream("GET", f"/runs/{self.run_id}/events?after=0") as answer:
            return "".join(answer.iter_text())
