"""A PostgreSQL store that several roles share: rights, waiting, poolers and encodings."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from documents import PAGES, blocks
from mdfactory.errors import StoreError, StoreLockedError
from mdfactory.records.query import Prefix, Query
from mdfactory.records.tables import OVERVIEW, SIMULATIONS, Namespace
from mdfactory.records.vocabulary import ConflictMode, Retention
from mdfactory.stores.sql.postgres import PostgresStore
from mdfactory.stores.store import Store
from mdfactory.sync.check import check
from mdfactory.sync.initialise import initialise
from mdfactory.sync.undo import undo
from mdfactory.testing.records import overview, records, run
from postgres import PostgresContract

NEEDS_PGBOUNCER = pytest.mark.skipif(
    not shutil.which("pgbouncer"), reason="needs pgbouncer, which Debian has as a package"
)


def _as_role(url: str, role: str) -> str:
    return make_conninfo(url, user=role)


@pytest.fixture
def roles(database: str) -> Iterator[list[str]]:
    """URLs of two roles that may create tables in one schema, and own nothing yet."""
    names = [f"{name}_{conninfo_to_dict(database)['dbname']}" for name in ("anna", "ben")]
    with psycopg.connect(database, autocommit=True) as admin:
        for name in names:
            admin.execute(f'CREATE ROLE "{name}" LOGIN'.encode())
            admin.execute(f'GRANT CREATE, USAGE ON SCHEMA public TO "{name}"'.encode())
        yield [_as_role(database, name) for name in names]
        for name in names:
            admin.execute(f'DROP OWNED BY "{name}"'.encode())
            admin.execute(f'DROP ROLE "{name}"'.encode())


@pytest.fixture
def group(roles: list[str]) -> list[PostgresStore]:
    """A store as both roles see it; each grants the other the rights on all that it creates."""
    for url, other in (roles, roles[::-1]):
        role = conninfo_to_dict(other)["user"]
        with psycopg.connect(url) as database:
            database.execute(f'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO "{role}"'.encode())
    return [PostgresStore(url, wait=5) for url in roles]


def _push(store: Store, letter: str, **values: str) -> None:
    hash_ = letter * 40
    with store.operation("push", create=list(Namespace)) as transaction:
        transaction.create(SIMULATIONS)
        transaction.create(OVERVIEW)
        batches = [
            (SIMULATIONS, records(SIMULATIONS, run(hash_, **values))),
            (OVERVIEW, records(OVERVIEW, overview(hash_, "rdf"))),
        ]
        transaction.write(batches, ConflictMode.force)


def test_two_roles_write_undo_and_reset_in_turn(group: list[PostgresStore]) -> None:
    for store in group:
        store.retention = Retention(3)
    anna, ben = group
    for number, store in enumerate([anna, *group * 4]):
        _push(store, "A", status=f"status {number}")
        _push(store, "BC"[number % 2])
    undo(anna, command="undo")
    undo(ben, command="undo")
    assert anna.count(SIMULATIONS) == 3
    for store in group:
        initialise(store, simulations=True, force=True)
    assert ben.count(SIMULATIONS) == 0
    undo(anna, command="undo")
    assert ben.count(SIMULATIONS) == 3


def test_a_role_undoes_the_creation_of_a_table_of_another(group: list[PostgresStore]) -> None:
    anna, ben = group
    _push(anna, "A")
    undo(ben, command="undo")
    assert anna.count(SIMULATIONS) == 0
    undo(anna, command="undo")
    assert ben.count(SIMULATIONS) == 1


def test_the_documented_role_of_a_group_owns_all_tables(database: str, roles: list[str]) -> None:
    page = PAGES["docs/stores.md"].read_text("utf-8")
    (block,) = (block for block in blocks(page) if block.language == "sql")
    name = str(conninfo_to_dict(database)["dbname"])
    statements = re.sub(r"\b(anna|ben|lab)\b", rf"\1_{name}", block.text)
    statements = statements.replace("campaigns", name)
    try:
        with psycopg.connect(database, autocommit=True) as admin:
            for role in roles:  # they have no rights of their own
                user = conninfo_to_dict(role)["user"]
                admin.execute(f'REVOKE ALL ON SCHEMA public FROM "{user}"'.encode())
            admin.execute(statements.encode())
        anna, ben = (PostgresStore(url) for url in roles)
        _push(anna, "A")
        _push(ben, "A", status="completed")
        undo(anna, command="undo")
        with psycopg.connect(roles[1]) as connection:
            query = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
            assert connection.execute(query).fetchall() == [(f"lab_{name}",)]
    finally:
        with psycopg.connect(database) as admin:
            admin.execute(f"DROP OWNED BY lab_{name}".encode())
            admin.execute(f"DROP ROLE lab_{name}".encode())


@pytest.mark.parametrize("lacking", ["tables", "schema"])
def test_the_statement_in_the_error_grants_what_is_missing(
    database: str, roles: list[str], lacking: str
) -> None:
    anna, ben = (PostgresStore(url) for url in roles)
    role = conninfo_to_dict(roles[1])["user"]
    if lacking == "schema":
        with psycopg.connect(database) as admin:
            admin.execute(f'REVOKE CREATE ON SCHEMA public FROM "{role}"'.encode())
    else:
        _push(anna, "A")
    with pytest.raises(StoreError, match="permission denied") as caught:
        _push(ben, "B")
    statement = str(caught.value).partition("execute: ")[2]
    with psycopg.connect(database) as admin:
        admin.execute(statement.encode())
    _push(ben, "B")


def test_a_wait_for_another_program_ends_and_names_it(database: str) -> None:
    store = PostgresStore(database, wait=2)
    _push(store, "A")
    with psycopg.connect(database) as other:
        process = f"server process {other.info.backend_pid}"
        other.execute('UPDATE "RUN_DATABASE" SET status = status')
        with pytest.raises(StoreLockedError, match=f"{process}.*waited 2 s"):
            _push(store, "A", status="completed")
        other.rollback()
        other.execute('LOCK TABLE "RUN_DATABASE"')
        with pytest.raises(StoreLockedError, match=process):
            store.count(SIMULATIONS)
        with pytest.raises(StoreLockedError, match=process):
            initialise(store, simulations=True, force=True)


def test_a_wait_is_reported_and_ends_when_the_other_program_ends(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = PostgresStore(database, wait=60)
    _push(store, "A")
    with psycopg.connect(database) as other:
        other.execute('UPDATE "RUN_DATABASE" SET status = status')
        writer = Thread(target=_push, args=(store, "A"), kwargs={"status": "completed"})
        writer.start()
        while "waiting for" not in caplog.text:
            time.sleep(0.05)
        other.rollback()
        writer.join()
    (rows,) = store.read(SIMULATIONS)
    assert rows["status"].to_pylist() == ["completed"]


def test_a_reader_does_not_hold_up_a_reset(database: str) -> None:
    store = PostgresStore(database, wait=1)
    _push(store, "A")
    with store.transaction() as reader:
        assert reader.count(SIMULATIONS) == 1
        initialise(store, simulations=True, force=True)
        assert reader.count(SIMULATIONS) == 1
    assert store.count(SIMULATIONS) == 0


FOREIGN_CODE = {
    "trigger": "CREATE TRIGGER t AFTER DELETE ON {} EXECUTE FUNCTION planted_trigger()",
    "rule": "CREATE RULE r AS ON INSERT TO {} DO ALSO SELECT planted()",
    "policy": "ALTER TABLE {} ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON {} USING (planted())",
    "check": "ALTER TABLE {} ADD CHECK (planted())",
    "index": "CREATE INDEX ON {} ((planted()))",
    "generated": "ALTER TABLE {} ADD x boolean GENERATED ALWAYS AS (planted()) STORED",
    "domain": "CREATE DOMAIN d AS text CHECK (planted()); ALTER TABLE {} ADD x d",
}


@pytest.mark.parametrize("kind", FOREIGN_CODE)
def test_a_table_that_runs_code_of_another_role_is_refused(
    kind: str, group: list[PostgresStore], roles: list[str]
) -> None:
    anna, ben = group
    _push(ben, "A")
    _push(anna, "B")
    with psycopg.connect(roles[1]) as database:
        database.execute("""
            CREATE FUNCTION planted() RETURNS boolean IMMUTABLE LANGUAGE plpgsql
            AS $$ BEGIN RETURN true; END $$;
            CREATE FUNCTION planted_trigger() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RETURN NEW; END $$;
        """)
        database.execute(FOREIGN_CODE[kind].replace("{}", '"RUN_DATABASE"').encode())
    for use in (lambda: _push(anna, "B"), lambda: list(anna.read(SIMULATIONS))):
        with pytest.raises(StoreError, match="RUN_DATABASE belongs to ben_.*with your rights"):
            use()
    assert anna.count(OVERVIEW) == 2
    assert ben.count(SIMULATIONS) == 2  # their own code may run


@pytest.fixture
def encoded(request: pytest.FixtureRequest, server: str) -> Iterator[str]:
    """URL of an empty database in the encoding of the parameter."""
    name = f"test_{os.getpid()}_{request.param.lower()}"
    create = (
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{request.param}' "
        "LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(create.encode())
        yield make_conninfo(server, dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.mark.parametrize("encoded", ["LATIN1"], indirect=True)
def test_a_database_that_lacks_characters_is_refused_before_the_first_table(encoded: str) -> None:
    store = PostgresStore(encoded)
    with pytest.raises(StoreError, match=r"encoding LATIN1.*CREATE DATABASE"):
        initialise(store, simulations=True)
    assert store.tables() == []


@pytest.mark.parametrize("encoded", ["LATIN1"], indirect=True)
def test_tables_of_others_are_read_in_every_encoding(encoded: str) -> None:
    columns = ", ".join(f"{name} TEXT" for name in SIMULATIONS.columns)
    row = run("A1", directory="/Grüße")
    marks = ", ".join(["%s"] * len(row))
    with psycopg.connect(encoded) as database:
        database.execute(f'CREATE TABLE "RUN_DATABASE" ({columns})'.encode())
        insert = f'INSERT INTO "RUN_DATABASE" VALUES ({marks})'
        database.execute(insert.encode(), list(row.values()))
    (rows,) = PostgresStore(encoded).read(SIMULATIONS, Query((Prefix("hash", "A"),)))
    assert rows.to_pylist() == [row]


@pytest.mark.parametrize("encoded", ["SQL_ASCII"], indirect=True)
def test_bytes_that_are_no_text_are_an_error_of_the_store(encoded: str) -> None:
    store = PostgresStore(encoded)
    _push(store, "A", directory="/Grüße")
    (rows,) = store.read(SIMULATIONS)
    assert rows["directory"].to_pylist() == ["/Grüße"]
    with psycopg.connect(encoded) as database:
        database.execute("""UPDATE "RUN_DATABASE" SET directory = E'\\xfc'""")
    with pytest.raises(StoreError, match="cannot be read"):
        list(store.read(SIMULATIONS))


def test_the_encoding_of_the_client_does_not_matter(database: str) -> None:
    store = PostgresStore(make_conninfo(database, client_encoding="latin1"))
    _push(store, "A", directory="/水")
    (rows,) = store.read(SIMULATIONS)
    assert rows["directory"].to_pylist() == ["/水"]


def _write_access(store: Store) -> str:
    """Return the problem of the check, empty if there is none."""
    (problem,) = (one.problem for one in check(store) if one.what == "write access")
    return problem


def test_a_check_finds_that_the_server_refuses_writes(database: str) -> None:
    store = PostgresStore(database)
    _push(store, "A")
    read_only = make_conninfo(database, options="-c default_transaction_read_only=on")
    (problem,) = (
        one.problem for one in check(PostgresStore(read_only)) if one.what == "write access"
    )
    assert "read-only transaction" in problem
    (problem,) = (one.problem for one in check(store) if one.what == "write access")
    assert not problem
    assert store.count(SIMULATIONS) == 1


@pytest.fixture
def pooled(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the database behind a pooler of transactions, with two connections to the server."""
    parts = conninfo_to_dict(database)
    folder = Path(parts["host"])
    place = tmp_path_factory.mktemp("pooler")
    owner = pwd.getpwuid((folder / f".s.PGSQL.{parts.get('port', 5432)}").stat().st_uid).pw_name
    for path in (place, *place.parents[:3]):
        path.chmod(path.stat().st_mode | 0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "users").write_text(f'"{parts["user"]}" ""\n', encoding="utf-8")
    (place / "pgbouncer.ini").write_text(
        f"""
[databases]
* = host={folder} port={parts.get("port", 5432)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {place}/users
pool_mode = transaction
default_pool_size = 2
""",
        encoding="utf-8",
    )
    command = ["pgbouncer", "-q", "-u", owner, str(place / "pgbouncer.ini")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as pooler:
        url = make_conninfo(database, host="127.0.0.1", port=port)
        while pooler.poll() is None:
            try:
                psycopg.connect(url).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.05)
        assert pooler.poll() is None, pooler.stderr and pooler.stderr.read()
        yield url
        pooler.terminate()


@NEEDS_PGBOUNCER
def test_writers_behind_a_pooler_exclude_each_other(pooled: str, database: str) -> None:
    """More writers than the pooler has connections, which it lends for one transaction each."""
    _push(PostgresStore(pooled), "0")
    letters = "ABCDE"
    writers = [Thread(target=_push, args=(PostgresStore(pooled), letter)) for letter in letters]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert PostgresStore(database).count(SIMULATIONS) == 6
    with psycopg.connect(pooled) as other:  # nothing of our sessions is left
        (path,) = other.execute("SHOW search_path").fetchone() or ("",)
        assert "public" in path


@NEEDS_PGBOUNCER
def test_a_wait_behind_a_pooler_leaves_its_connections_as_they_were(
    pooled: str, database: str
) -> None:
    store = PostgresStore(pooled, wait=2)
    _push(store, "0")
    with psycopg.connect(database) as holder:
        holder.execute('LOCK TABLE "RUN_DATABASE" IN ACCESS EXCLUSIVE MODE')
        with pytest.raises(StoreLockedError, match="server process"):
            store.count(SIMULATIONS)
    with psycopg.connect(pooled) as first, psycopg.connect(pooled) as second:
        for other in (first, second):  # all that the pooler has
            assert other.execute("SHOW search_path").fetchone() == ('"$user", public',)


@NEEDS_PGBOUNCER
def test_the_wait_for_a_connection_of_a_pooler_ends(pooled: str) -> None:
    store = PostgresStore(pooled, wait=0)
    _push(store, "0")
    with psycopg.connect(pooled) as first, psycopg.connect(pooled) as second:
        for other in (first, second):  # all that the pooler has
            other.execute("SELECT 1")
        with pytest.raises(StoreLockedError, match="or its server does not answer; waited 2 s"):
            store.count(SIMULATIONS)
    assert PostgresStore(pooled, wait=float("inf")).count(SIMULATIONS) == 1


@pytest.mark.long
@NEEDS_PGBOUNCER
class TestPooledPostgres(PostgresContract):
    @pytest.fixture(autouse=True)
    def _data(self, database: str, pooled: str) -> None:
        self.url, self.server_url = pooled, database
