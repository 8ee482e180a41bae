"""One dataset: branches, transactions, the views that they make, files and schemas.

No lock here: whoever calls holds the one of `state.State`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .errors import NothingError, RefusedError
from .settings import Settings

TYPES = ("SNAPSHOT", "APPEND", "UPDATE", "DELETE")
TRANSACTION = "ri.foundry.main.transaction."


def new_rid(kind: str) -> str:
    """Return a name that nothing has yet, such as ``ri.foundry.main.dataset.<uuid>``."""
    return f"ri.{kind}.{uuid.uuid4()}"


def stamp(moment: datetime | None) -> str | None:
    """Return a moment as Foundry writes it, in UTC with milliseconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(eq=False, slots=True)
class Transaction:
    """A change of a branch. `parent` is what was committed when it started."""

    branch: str
    parent: Transaction | None
    user: str
    record: dict[str, Any]
    type: str = "APPEND"
    status: str = "OPEN"
    rid: str = field(default_factory=lambda: new_rid("foundry.main.transaction"))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    closed: datetime | None = None
    visible: float = 0.0
    """When SQL could first know of it, on the monotonic clock (Q9)."""
    files: dict[str, bytes] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    schema: dict[str, Any] | None = None

    def back(self) -> Iterator[Transaction]:
        """Yield this transaction and all before it, newest first."""
        each: Transaction | None = self
        while each is not None:
            yield each
            each = each.parent

    def close(self, status: str) -> None:
        """End it."""
        self.status, self.closed, self.visible = status, datetime.now(UTC), time.monotonic()


@dataclass(eq=False, slots=True)
class Branch:
    """A line of transactions: the last committed one, and one that may be open (T1)."""

    name: str
    head: Transaction | None = None
    open: Transaction | None = None
    rid: str = field(default_factory=lambda: new_rid("foundry.main.branch"))


View = dict[str, Transaction]
"""Which transaction has put the file that is seen at a path."""


def view(end: Transaction | None, start: str | None = None) -> View:
    """Return what is seen at `end`: all since the last SNAPSHOT, or since `start` (V1, V3)."""
    seen: View = {}
    for each in reversed(chain(end, start)):
        seen.update(dict.fromkeys(each.files, each))
        for path in each.removed:
            seen.pop(path, None)
    return dict(sorted(seen.items()))


def chain(end: Transaction | None, start: str | None = None) -> list[Transaction]:
    """Return the transactions of a view, newest first (V1)."""
    found: list[Transaction] = []
    for each in end.back() if end else ():
        found.append(each)
        if each.rid == start or each.type == "SNAPSHOT":
            break
    return found


class Dataset:
    """A dataset with its whole history."""

    def __init__(self, rid: str, settings: Settings) -> None:
        self.rid = rid
        self.settings = settings
        self.branches: dict[str, Branch] = {}
        self.transactions: dict[str, Transaction] = {}

    def branch(self, name: str) -> Branch:
        """Return the branch, or refuse."""
        if name not in self.branches:
            raise RefusedError("Catalog:BranchesNotFound", datasetRid=self.rid, branchId=name)
        return self.branches[name]

    def add_branch(self, name: str, parent: str | None = None) -> Branch:
        """Start a branch, empty or where `parent`, a branch or a transaction, stands (B4)."""
        if name in self.branches:
            raise RefusedError("Catalog:BranchesAlreadyExist", datasetRid=self.rid, branchId=name)
        head = self.committed(parent) if parent else None
        self.branches[name] = Branch(name, head)
        return self.branches[name]

    def transaction(self, ref: str) -> Transaction:
        """Return the transaction of this rid, or the head of this branch (T7)."""
        if ref in self.transactions:
            return self.transactions[ref]
        if ref.startswith(TRANSACTION):
            raise RefusedError("Catalog:TransactionsNotFound", transactionRid=ref)
        branch = self.branch(ref)
        head = (self.settings.head_shows_open and branch.open) or branch.head
        if head is None:
            raise NothingError
        return head

    def committed(self, ref: str) -> Transaction | None:
        """Return the last transaction of this branch that is seen, or the one of this rid."""
        if not ref.startswith(TRANSACTION):
            return self.branch(ref).head
        found = self.transaction(ref)
        if found.status == "ABORTED":
            raise RefusedError("Catalog:TransactionsNotFound", transactionRid=ref)
        return found.parent if found.status == "OPEN" else found

    def end(self, ref: str) -> Transaction | None:
        """Return the end of the view that takes in the open transaction of `ref`, if any (F3)."""
        if ref.startswith(TRANSACTION):
            found = self.transaction(ref)
            return found if found.status == "OPEN" else self.committed(ref)
        branch = self.branch(ref)
        return branch.open or branch.head

    def opened(self, rid: str) -> Transaction:
        """Return the transaction if it is open, or refuse (T6)."""
        found = self.transaction(rid)
        if found.status != "OPEN":
            raise RefusedError(
                "Catalog:TransactionNotOpen", transactionRid=rid, status=found.status
            )
        return found

    def start(self, name: str, record: dict[str, Any], user: str, kind: str) -> Transaction:
        """Open a transaction: the only one of its branch (T1)."""
        branch = self.branch(name)
        if branch.open:
            raise RefusedError(
                "Catalog:SimultaneousOpenTransactionsNotAllowed",
                datasetRid=self.rid,
                openTransactionRid=branch.open.rid,
            )
        branch.open = Transaction(name, branch.head, user, record)
        if self.settings.start_sets_type:
            branch.open.type = kind
        self.transactions[branch.open.rid] = branch.open
        return branch.open

    def set_type(self, rid: str, kind: str) -> None:
        """Make an open transaction one of another type (T2)."""
        found = self.opened(rid)
        if kind not in TYPES or (kind == "DELETE" and found.files):
            raise RefusedError("Default:InvalidArgument", transactionType=kind)
        found.type = kind

    def commit(self, rid: str, record: dict[str, Any]) -> None:
        """Let everybody see the transaction, whole (V2); an APPEND may not overwrite (T4)."""
        found = self.opened(rid)
        overwritten = sorted(found.files.keys() & view(found.parent).keys())
        if found.type == "APPEND" and overwritten:
            raise RefusedError("Catalog:AppendOverwritesFiles", logicalPaths=overwritten)
        found.record = record or found.record
        branch = self.branches[found.branch]
        branch.head, branch.open = found, None
        found.close("COMMITTED")

    def abort(self, rid: str) -> None:
        """End the transaction; nothing of it is ever seen (V2)."""
        found = self.opened(rid)
        self.branches[found.branch].open = None
        found.close("ABORTED")

    def history(self, ref: str, *, with_open: bool) -> list[Transaction]:
        """Return the transactions that lead to `ref`, newest first (T8)."""
        if ref in self.transactions:
            whole = self.history(self.transactions[ref].branch, with_open=with_open)
            places = [place for place, each in enumerate(whole) if each.rid == ref]
            return whole[places[0] :] if places else []
        end = self.end(ref) if with_open else self.committed(ref)
        found = list(end.back()) if end else []
        if not self.settings.lists_aborted:
            return found
        names = {ref, *(each.branch for each in found)}
        aborted = (t for t in self.transactions.values() if t.status == "ABORTED")
        found += [each for each in aborted if each.branch in names]
        return sorted(found, key=lambda each: each.started, reverse=True)

    def put(self, rid: str, path: str, content: bytes, *, overwrite: bool) -> None:
        """Add a file to an open transaction; twice only if it is said (F5)."""
        found = self.opened(rid)
        if found.type == "DELETE":
            raise RefusedError("Catalog:DeleteTransactionTakesNoFiles", transactionRid=rid)
        if path in found.files and not overwrite:
            raise RefusedError("DataProxy:FileAlreadyExists", logicalPath=path)
        found.files[path] = content

    def drop(self, rid: str, path: str, *, recursive: bool) -> None:
        """Take files out of an open transaction; none there is no error (F6)."""
        files = self.opened(rid).files
        inside = [name for name in files if recursive and name.startswith(f"{path}/")]
        for name in [path] if path in files else inside:
            del files[name]

    def remove(self, rid: str, paths: list[str]) -> None:
        """Note files that a DELETE takes out of the view (T5)."""
        found = self.opened(rid)
        if found.type != "DELETE":
            raise RefusedError("Catalog:NotADeleteTransaction", transactionRid=rid)
        found.removed.update(paths)

    def put_schema(self, branch: str, ref: str | None, schema: dict[str, Any]) -> None:
        """Keep a schema with a transaction, open or committed (S1)."""
        self.branch(branch)
        found = self.transaction(ref) if ref else self.committed(branch)
        if found is None or found.status == "ABORTED":
            raise RefusedError("Catalog:TransactionsNotFound", transactionRid=ref)
        found.schema = schema

    def schema(self, end: Transaction | None) -> dict[str, Any] | None:
        """Return the newest schema of the view that ends here (S2), or of those before (S3)."""
        if self.settings.schema_survives_snapshot:
            known = list(end.back()) if end else []
        else:
            known = chain(end)
        return next((each.schema for each in known if each.schema is not None), None)
