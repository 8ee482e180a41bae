"""The PostgreSQL store: the contract suite, and the compression of long texts."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from mdfactory.records.query import OneOf, Prefix
from mdfactory.records.tables import SIMULATIONS, Namespace
from mdfactory.records.vocabulary import ConflictMode
from mdfactory.stores.sql.postgres import PostgresStore
from mdfactory.testing.records import DENSITY, analysis_with_sidecar, records, run
from postgres import PostgresContract


class TestPostgres(PostgresContract):
    @pytest.fixture(autouse=True)
    def _data(self, database: str) -> None:
        self.url = self.server_url = database


def _write_and_read_compression(url: str) -> str:
    """Write a long text and return the method that compressed it."""
    store = PostgresStore(url)
    with store.transaction(write=True, create=list(Namespace)) as transaction:
        transaction.create(DENSITY)
    row = analysis_with_sidecar("A", data_csv="0.125,0.25\n" * 10_000)
    store.write([(DENSITY, records(DENSITY, row))], ConflictMode.refuse)
    query = f'SELECT pg_column_compression(data_csv) FROM "{DENSITY.name}"'
    with psycopg.connect(url) as server:
        (method,) = server.execute(query.encode()).fetchone() or ("",)
    return str(method)


def test_write_compresses_long_texts_with_lz4_if_the_server_supports_it(database: str) -> None:
    query = "SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression'"
    with psycopg.connect(database) as server:
        (methods,) = server.execute(query).fetchone() or ([],)
    expected = "lz4" if "lz4" in methods else "pglz"
    assert _write_and_read_compression(database) == expected


def test_write_keeps_a_compression_method_that_is_configured(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as server:
        name = sql.Identifier(server.info.dbname)
        server.execute(
            sql.SQL("ALTER DATABASE {} SET default_toast_compression = pglz").format(name)
        )
    assert _write_and_read_compression(database) == "pglz"


PLANTED = """
CREATE FUNCTION public.planted() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a planted function ran'; END $$;
CREATE FUNCTION public.hashtext(name) RETURNS integer LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.planted(); RETURN 1; END $$;
CREATE FUNCTION public.hashtext(varchar) RETURNS integer LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.planted(); RETURN 1; END $$;
CREATE FUNCTION public.pg_try_advisory_lock(integer, smallint) RETURNS boolean
LANGUAGE plpgsql AS $$ BEGIN PERFORM public.planted(); RETURN true; END $$;
CREATE FUNCTION public.planted_equal(text, varchar) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.planted(); RETURN true; END $$;
CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = varchar, FUNCTION = public.planted_equal);
CREATE OPERATOR public.>= (LEFTARG = text, RIGHTARG = varchar, FUNCTION = public.planted_equal);
"""
"""Functions and operators that match calls better than those of PostgreSQL itself."""


def test_no_function_of_another_user_runs(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as server:
        server.execute(PLANTED)
    store = PostgresStore(database)
    with store.operation("push", create=list(Namespace)) as transaction:
        transaction.create(SIMULATIONS)
        transaction.write(
            [(SIMULATIONS, records(SIMULATIONS, run("AB"), run("CD")))], ConflictMode.update
        )
    assert store.count(SIMULATIONS, (Prefix("hash", "A"), OneOf("status", ("build",)))) == 1
    assert store.delete(SIMULATIONS, (OneOf("hash", ("AB",)),)) == 1
