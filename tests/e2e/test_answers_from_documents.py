"""A PDF and a DOCX dropped on the page, read, asked about; the citation opens the passage that was used."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.people import Person
from tests.e2e.server import Server
from tests.retrieval.file_makers import docx_of, pdf_of

pytestmark = pytest.mark.browser

TOWER = "The Grey Tower was built in 1874."
FERRY = "The ferry to Port Ardel leaves at 10:30."


def test_from_a_drop_to_the_marked_passage(person_at: Callable[..., Person], starter_server: Server) -> None:
    person = person_at(starter_server)
    page = person.page
    person.open()
    files = {
        "tower.pdf": pdf_of("A list of towers.", TOWER),
        "ferry.docx": docx_of(lambda document: document.add_paragraph(FERRY)),
    }
    hand = page.evaluate_handle(
        """files => {
            const hand = new DataTransfer();
            for (const [name, coded] of Object.entries(files)) {
                const bytes = Uint8Array.from(atob(coded), (char) => char.charCodeAt(0));
                hand.items.add(new File([bytes], name));
            }
            return hand;
        }""",
        {name: base64.b64encode(content).decode() for name, content in files.items()},
    )
    page.dispatch_event("main", "drop", {"dataTransfer": hand})
    for name in files:
        chip = page.get_by_role("listitem").filter(has_text=name)
        expect(chip).to_contain_text("Ready", timeout=60_000)

    person.ask("When was the Grey Tower built?")

    answer = person.answer
    sources = answer.get_by_role("region", name="Sources")
    expect(sources).to_be_visible(timeout=60_000)
    citation = answer.get_by_role("link", name=re.compile("^Source 1"))
    expect(citation).to_be_visible(timeout=60_000)
    with page.expect_popup() as popup:
        citation.click()
    marked = popup.value.locator("mark#passage")
    expect(marked).to_contain_text("1874")
    expect(marked).to_be_in_viewport()
