"""What the server cites is written in `protocol.md`, and every endpoint stands there."""

from __future__ import annotations

import re
from pathlib import Path

from foundry_server.wire import ENDPOINTS

HERE = Path(__file__).parent
TEXT = (HERE / "protocol.md").read_text(encoding="utf-8")
FACT = r"\b([HARBTVFSQEX]\d{1,2})\b"


def test_every_fact_that_is_cited_is_written_down_with_its_source() -> None:
    known = re.findall(rf"^- \*\*{FACT}\*\* \[[LRDE?, ]+\]", TEXT, re.MULTILINE)
    code = "".join(each.read_text(encoding="utf-8") for each in HERE.glob("[!t]*.py"))
    cited = set(re.findall(FACT, code)) | set(re.findall(FACT, TEXT))
    assert len(known) == len(set(known)) > 40
    assert cited <= set(known)


def test_every_endpoint_stands_in_the_table() -> None:
    for each in ENDPOINTS:
        path = re.sub(r"\(\?P<\w+>[^)]+\)", "*", each.pattern.pattern)
        path = path.replace("/foundry-catalog/api/catalog/datasets", "CAT")
        path = path.replace("/foundry-data-proxy/api/dataproxy/datasets", "PROXY")
        rows = [re.sub(r"\b(RID|REF|PATH|ID|T|B)\b", "*", row) for row in TEXT.splitlines()]
        end = path.rpartition("/")[2]
        assert any(each.method in row and (path in row or f".../{end}`" in row) for row in rows), (
            path
        )
