"""Tables in HTML, for notebooks.

They have no colours, scripts or links: each theme, dark or light, shows them in its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(title: str, rows: Iterable[Sequence[object]], header: Sequence[object] = ()) -> str:
    """Return a table in HTML.

    Parameters
    ----------
    title
        Text above the table.
    rows
        The cells; numbers are aligned on the right. The first cell of each row is its heading.
    header
        Headings of the columns.
    """
    head = "".join(_cell("th", value) for value in header)
    lines = (
        _cell("th", first) + "".join(_cell("td", value) for value in others)
        for first, *others in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f"<p><b>{_text(title)}</b></p>"
        f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
    )


def _cell(tag: str, value: object) -> str:
    is_number = isinstance(value, int)
    text = f"{value:,}" if is_number else _text(value)
    return f'<{tag} style="text-align: {"right" if is_number else "left"}">{text}</{tag}>'


def _text(value: object) -> str:
    """Return a text for HTML; bytes of a path that are not UTF-8 are escaped, too."""
    return escape(str(value).encode(errors="backslashreplace").decode())
