"""The server itself: starts, lets users in, answers, and shows tests what it holds."""

from __future__ import annotations

import math
import socket
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.server import ThreadingHTTPServer
from typing import Any, Self

import pyarrow as pa

from . import routes, sql  # noqa: F401 - fill the table of endpoints
from .datasets import Dataset, Transaction, view
from .errors import NothingError, RefusedError
from .faults import Faults
from .handler import Handler, Request
from .parquet import dump, schema_of
from .settings import Settings, User
from .state import State
from .wire import NOTHING, Call, Reply, find

ALICE, BOB, READER = "token-of-alice", "token-of-bob", "token-of-reader"
TOKENS = {ALICE: User("alice"), BOB: User("bob"), READER: User("reader", read_only=True)}


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one transaction."""

    rid: str
    type: str
    status: str
    record: dict[str, Any]
    user: str
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Dump:
    """A branch of a dataset: the files that are seen, its schema, all its transactions."""

    rid: str
    files: dict[str, bytes]
    schema: dict[str, Any] | None
    transactions: list[Kept]


class Listener(ThreadingHTTPServer):
    """A thread a connection; closing ends them all, so that no test leaves one behind."""

    daemon_threads = False
    request_queue_size = 128  # with the usual 5, the sixth client at once waits a second

    def __init__(self, port: int, handler: type[Handler], problems: list[str]) -> None:
        self.open: set[socket.socket] = set()
        self.problems = problems
        super().__init__(("127.0.0.1", port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close without a FIN of its own: a reset must be the first that the client hears."""
        self.open.discard(request)
        self.close_request(request)

    def handle_error(self, *_: Any) -> None:
        """Tell the test, and not the terminal; of clients that were killed, nobody."""
        if isinstance(sys.exception(), ConnectionError):
            return
        self.problems.append(traceback.format_exc())

    def close(self) -> None:
        """Stop listening, end all connections, wait for their threads."""
        self.shutdown()
        for each in list(self.open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has just ended by itself
                continue
        self.server_close()


class FoundryServer:
    """A small Foundry on a port of 127.0.0.1, as a context manager.

    Parameters
    ----------
    port
        0: any that is free.
    tokens
        Who may enter; by default alice, bob and a reader.

    Attributes
    ----------
    settings : Settings
        May be changed at any time.
    faults : Faults
        Which requests fail.
    tokens : dict of str to User
        May be changed at any time.
    log : list of Request
        All requests, in the order of their start.
    problems : list of str
        Requests for what the server does not have, and its own failures: tests want none.
    """

    scheme = "http"

    def __init__(self, port: int = 0, tokens: Mapping[str, User] | None = None) -> None:
        self.settings = Settings()
        self.faults = Faults()
        self.tokens = dict(TOKENS if tokens is None else tokens)
        self.token = next(iter(self.tokens))
        self.log: list[Request] = []
        self.problems: list[str] = []
        self.state = State(self.settings)
        self.queries: dict[str, sql.Query] = {}
        self.caught_up = -math.inf
        self.stopping = threading.Event()
        self.asked = threading.Condition()
        handler = type("BoundHandler", (Handler,), {"foundry": self})
        self._listener = Listener(port, handler, self.problems)
        self.domain = f"127.0.0.1:{self._listener.server_port}"
        self.url = f"{self.scheme}://{self.domain}"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._listener.close()
        self._thread.join()

    def environment(self, token: str | None = None) -> dict[str, str]:
        """Return variables with which the client of another process comes here."""
        return {
            "FDT_CREDENTIALS__DOMAIN": self.domain,
            "FDT_CREDENTIALS__SCHEME": self.scheme,
            "FDT_CREDENTIALS__JWT": token or self.token,
            "NO_PROXY": "127.0.0.1",
        }

    def answer(self, entry: Request, headers: dict[str, str], content: bytes) -> Reply:
        """Do what is asked, for someone who may ask it."""
        try:
            return self._answer(entry, headers, content)
        except NothingError:
            return NOTHING
        except RefusedError as refused:
            return Reply.of(refused.body, refused.status)
        except Exception:  # noqa: BLE001 - a fault of the server must reach the test, not end it
            self.problems.append(f"{entry}: {traceback.format_exc()}")
            return Reply.of({"errorCode": "INTERNAL"}, 500)

    def _answer(self, entry: Request, headers: dict[str, str], content: bytes) -> Reply:
        user = self.tokens.get(headers.get("authorization", "").removeprefix("Bearer "))
        if user is None:
            raise RefusedError("Default:Unauthorized", 401)
        entry.user = user.name
        found = find(entry.method, entry.path)
        if found is None:
            self.problems.append(f"{entry}: no such endpoint")
            raise RefusedError("Default:NoSuchEndpoint", 404, endpoint=str(entry))
        endpoint, arguments = found
        if endpoint.writes and user.read_only:
            raise RefusedError("Default:PermissionDenied", 403)
        call = Call(self, user, entry.query, headers, content)
        with self.state.lock:
            return endpoint.answer(call, *arguments)

    def copied(self) -> State:
        """Return a copy of all that the server holds, for `start_from`."""
        with self.state.lock:
            return self.state.copied(self.settings)

    def start_from(self, state: State) -> None:
        """Hold what another server held, as if the same requests had been made here."""
        self.state = state.copied(self.settings)

    def requests(self, part: str = "") -> list[Request]:
        """Return the requests so far whose ``METHOD /path`` contains this text."""
        return [entry for entry in self.log if part in str(entry)]

    def ended(self, part: str, seconds: float = 60) -> Request:
        """Return the first such request when it has ended, whoever still waits for it."""

        def first() -> Request | None:
            return next((one for one in self.requests(part) if one.ended is not None), None)

        with self.asked:
            found = self.asked.wait_for(first, seconds)
        assert found, f"no {part} has ended"
        return found

    def sql_catch_up(self) -> None:
        """Let SQL see all commits so far, whatever its lag (Q9)."""
        self.caught_up = time.monotonic()

    def dump(self, where: str, branch: str = "master") -> Dump:
        """Return what a dataset, by path or rid, holds."""
        with self.state.lock:
            dataset = self._dataset(where)
            head = dataset.branches[branch].head if branch in dataset.branches else None
            files = {name: found.files[name] for name, found in view(head).items()}
            kept = [
                Kept(t.rid, t.type, t.status, dict(t.record), t.user, dict(t.files))
                for t in dataset.transactions.values()
                if t.branch == branch
            ]
            return Dump(dataset.rid, files, dataset.schema(head), kept)

    def put(
        self,
        where: str,
        files: Mapping[str, bytes] | None = None,
        *,
        kind: str = "UPDATE",
        schema: dict[str, Any] | None = None,
        branch: str = "master",
        user: str = "another",
    ) -> str:
        """Commit files as another program does; make what is missing; return the rid."""
        with self.state.lock:
            dataset, made = self._begin(where, files, kind=kind, branch=branch, user=user)
            made.schema = schema
            dataset.commit(made.rid, {})
        return made.rid

    def put_existing(self, where: str, table: pa.Table, *, prefix: str = "data") -> str:
        """Commit a table as an existing installation does: one file under a random name.

        Its first push is named ``init_<uuid>.parquet``, all others ``data_<uuid>.parquet``.
        """
        files = {f"{prefix}_{uuid.uuid4()}.parquet": dump(table)}
        return self.put(where, files, schema=schema_of(table))

    def leave_open(
        self,
        where: str,
        files: Mapping[str, bytes] | None = None,
        *,
        kind: str = "UPDATE",
        record: dict[str, Any] | None = None,
        age: float = 0.0,
        branch: str = "master",
        user: str = "another",
    ) -> str:
        """Leave a transaction open as a writer that died so many seconds ago; return its rid."""
        with self.state.lock:
            _, left = self._begin(where, files, kind=kind, branch=branch, user=user)
            left.record = record or {}
            left.started -= timedelta(seconds=age)
        return left.rid

    def abort(self, where: str, rid: str) -> None:
        """Abort a transaction as its writer, or someone who fences it, does."""
        with self.state.lock:
            self._dataset(where).abort(rid)

    def trash(self, where: str) -> None:
        """Put a dataset into the trash: it is still found, and says so (R6)."""
        with self.state.lock:
            self.state.by_rid[self._dataset(where).rid].trashed = True

    def _dataset(self, where: str) -> Dataset:
        found = self.state.by_path.get(where) or self.state.by_rid.get(where)
        if found is None or found.dataset is None:
            raise KeyError(where)
        return found.dataset

    def _begin(
        self, where: str, files: Mapping[str, bytes] | None, *, kind: str, branch: str, user: str
    ) -> tuple[Dataset, Transaction]:
        """Open a transaction with these files, in a dataset that is made if need be."""
        if where not in self.state.by_path and where not in self.state.by_rid:
            self.state.add_dataset(where, user)
        dataset = self._dataset(where)
        if branch not in dataset.branches:
            dataset.add_branch(branch)
        made = dataset.start(branch, {}, user, kind)
        made.type = kind
        made.files.update(files or {})
        return dataset, made
