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
    cells = [list(row) for row in rows]
    # A heading is aligned as the numbers or texts below it.
    below = cells[0] if cells else header
    head = "".join(map(_cell, ["th"] * len(header), header, below))
    body = "".join(
        f"<tr>{''.join(map(_cell, ['th', *['td'] * (len(row) - 1)], row, row))}</tr>"
        for row in cells
    )
    return (
        f"<p><b>{_text(title)}</b></p>"
        f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
    )


def _cell(tag: str, value: object, aligned_as: object) -> str:
    side = "right" if isinstance(aligned_as, int) else "left"
    text = f"{value:,}" if isinstance(value, int) else _text(value)
    return f'<{tag} style="text-align: {side}">{text}</{tag}>'


def _text(value: object) -> str:
    """Return a text for HTML; bytes of a path that are not UTF-8 are escaped, too."""
    return escape(str(value).encode(errors="backslashreplace").decode())
