"""Markdown that a model wrote, as HTML that is safe to put on a page: whole (`render`) or while it streams.

Models' text is hostile input: raw HTML is off, images become links, and an allow-list has the last word.
"""

from chat.web.markdown.citations import NO_CITATIONS, Citations, cited_numbers
from chat.web.markdown.render import render
from chat.web.markdown.stream import Delta, MarkdownStream

__all__ = ["NO_CITATIONS", "Citations", "Delta", "MarkdownStream", "cited_numbers", "render"]
