"""What a test may change about the server: who may enter, and how it behaves where Foundry may."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """Someone who holds a token (A1, A2)."""

    name: str
    read_only: bool = False


@dataclass(slots=True)
class Settings:
    """Behaviours that a test may change at any time, each with the fact that it rests on.

    Attributes
    ----------
    sql_lag
        Seconds until SQL sees a commit; infinity: only after `FoundryServer.sql_catch_up` (Q9).
    running_polls
        How often a query says that it is still running (Q2).
    fails_at_execute
        Whether a query that fails says so in the reply to its start, and not when polled (Q3).
    arrow_results
        Whether results of queries come in Arrow (Q4).
    start_sets_type
        Whether the type that a start names is taken from it, and not from a second call (T2).
    head_shows_open
        Whether an open transaction is the head of its branch (B3).
    lists_aborted
        Whether the history of a branch names aborted transactions, too (T8).
    echoes_record
        Whether the record of a transaction is returned (T3).
    schema_survives_snapshot
        Whether a SNAPSHOT inherits the schema of the view before it (S3).
    creates_parents
        Whether creating a dataset creates the folders above it (R5).
    history_cap
        The most transactions in an answer, however many were asked for (T8).
    page_cap
        The most files on a page, however many were asked for (F2).
    null_columns
        What inference makes of a column without a type: ``STRING``, ``WARN`` (the column is left
        out) or ``FAIL`` (S6).
    """

    sql_lag: float = 0.0
    running_polls: int = 0
    fails_at_execute: bool = False
    arrow_results: bool = True
    start_sets_type: bool = False
    head_shows_open: bool = True
    lists_aborted: bool = False
    echoes_record: bool = True
    schema_survives_snapshot: bool = False
    creates_parents: bool = True
    history_cap: int = 1000
    page_cap: int = 1000
    null_columns: str = "STRING"
