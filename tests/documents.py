"""The pages of the documentation, and the code blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
PAGES = {
    str(page.relative_to(ROOT)): page
    for page in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")))
}
"""Path below the root of the project -> page."""

EXCERPT = re.compile(r"<!-- excerpt: (\S.*?) -->")

TITLE = re.compile(r'\btitle="([^"/]+)"')


@dataclass(frozen=True)
class Block:
    """A code block, fenced or indented.

    Parameters
    ----------
    line
        Line of the page where its text begins.
    language
        The language that the fence names, empty if there is none.
    title
        The name of the file that the block shows, from ``title="..."`` after the language; empty if
        there is none.
    text
        The code.
    excerpt
        The reason why it is not run, from a comment ``<!-- excerpt: reason -->`` directly before
        the block; empty if there is none.
    """

    line: int
    language: str
    title: str
    text: str
    excerpt: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the code blocks of a page in their order."""
    excerpt = ""
    for token in MarkdownIt().parse(page):
        if token.type in {"fence", "code_block"}:
            line = token.map[0] + (2 if token.type == "fence" else 1)
            title = TITLE.search(token.info)
            language = TITLE.sub("", token.info).strip()
            yield Block(line, language, title[1] if title else "", token.content, excerpt)
        comment = EXCERPT.fullmatch(token.content.strip()) if token.type == "html_block" else None
        excerpt = comment[1] if comment else ""
