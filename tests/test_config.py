"""The configuration: later files override earlier ones, and every value has a source."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from mdfactory.campaign.catalogue import Catalogue
from mdfactory.config.edit import save
from mdfactory.config.passwords import has_password, mask_password, with_password
from mdfactory.config.settings import Settings, active_file, cache_folder, load, template
from mdfactory.config.stems import DEFAULT_STEMS
from mdfactory.errors import ConfigError
from mdfactory.records.vocabulary import ResultType, SimulationType
from mdfactory.stores import open_store, store_at


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _user_file(text: str) -> Path:
    return _write(Path(os.environ["MDFACTORY_CONFIG_DIR"]) / "config.ini", text)


def _sources(settings: Settings) -> dict[str, tuple[str, str]]:
    return {
        f"{setting.section}.{setting.key}": (setting.value, setting.source)
        for setting in settings.values
    }


@pytest.mark.parametrize("exists", [False, True])
def test_save_refuses_a_value_that_is_not_utf8(tmp_path: Path, *, exists: bool) -> None:
    file = tmp_path / "config.ini"
    if exists:
        file.write_text("[sqlite]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid UTF-8"):
        save(file, {("sqlite", "RUN_DB_PATH"): "runs\udcff.db"})
    assert file.exists() == exists


def test_load_without_a_file_gives_defaults_in_the_data_folder() -> None:
    settings = load()
    data = Path(os.environ["MDFACTORY_DATA_DIR"])
    assert settings.kind == "sqlite"
    assert (settings.sqlite.runs, settings.sqlite.results) == (
        data / "runs.db",
        data / "analysis.db",
    )
    assert {source for _, source in _sources(settings).values()} == {"default"}


def test_load_uses_the_folders_of_the_platform_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MDFACTORY_CONFIG_DIR", "MDFACTORY_DATA_DIR"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg/config")
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg/data")
    if os.name == "posix" and os.uname().sysname == "Linux":
        assert active_file() == Path("/xdg/config/mdfactory/config.ini")
        assert load().sqlite.runs == Path("/xdg/data/mdfactory/runs.db")


def test_later_files_override_earlier_ones_key_by_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = _user_file("[sqlite]\nRUN_DB_PATH = /user/r.db\nANALYSIS_DB_PATH = /user/a.db\n")
    assert load().sqlite.runs == Path("/user/r.db")
    env = _write(tmp_path / "env.ini", "[sqlite]\nRUN_DB_PATH = /env/r.db\n")
    monkeypatch.setenv("MDFACTORY_CONFIG", str(env))
    assert active_file() == env
    data = Path(os.environ["MDFACTORY_DATA_DIR"])
    assert _sources(load()) == {
        "database.TYPE": ("sqlite", "default"),
        "sqlite.RUN_DB_PATH": ("/env/r.db", str(env)),
        "sqlite.ANALYSIS_DB_PATH": ("/user/a.db", str(user)),
        "csv.RUN_DB_PATH": (str(data / "runs.csv"), "default"),
        "csv.ANALYSIS_DB_PATH": (str(data / "analysis"), "default"),
        "postgres.URL": ("", "default"),
        "foundry.BASE_PATH": ("/Group Functions/mdfactory", "default"),
        "foundry.ANALYSIS_NAME": ("analysis", "default"),
        "foundry.RUN_DB_PATH": ("/Group Functions/mdfactory/runs", "default"),
        "foundry.ANALYSIS_DB_PATH": ("/Group Functions/mdfactory/analysis", "default"),
        "foundry.ARTIFACT_DB_PATH": ("/Group Functions/mdfactory/artifacts", "default"),
        "files.URL": ("", "default"),
        "files.ENDPOINT_URL": ("", "default"),
        "history.OPERATIONS": ("10", "default"),
        "history.SIZE": ("1 GB", "default"),
        "adopt.PRODUCTION": (", ".join(DEFAULT_STEMS.production), "default"),
        "adopt.EQUILIBRATED": (", ".join(DEFAULT_STEMS.equilibrated), "default"),
        **{
            f"catalogue.{simulation_type}_{key}": ("", "default")
            for simulation_type in map(str.upper, SimulationType)
            for key in ("ANALYSES", "ARTIFACTS")
        },
    }
    named = _write(tmp_path / "named.ini", "[sqlite]\nRUN_DB_PATH = /named/r.db\n")
    assert active_file(named) == named
    assert load(named).sqlite.runs == Path("/named/r.db")
    assert load(named).sqlite.results == Path("/user/a.db")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("runs.db", "{folder}/runs.db"),
        ("./b.db", "{folder}/b.db"),
        ("link/../b.db", "{folder}/real/b.db"),
        ("link/b;c#.db", "{folder}/link/b;c#.db"),
        ('it\'s/"b".old.db', '{folder}/it\'s/"b".old.db'),
        ("/x/y.db", "/x/y.db"),
        ("~/y.db", "{home}/y.db"),
        ("$LAB/y.db", "/lab/y.db"),
        ("${LAB}/100%.db", "/lab/100%.db"),
        ("%(TYPE)s.db", "{folder}/%(TYPE)s.db"),
        ("a b.db", "{folder}/a b.db"),
        ("", "{data}/runs.db"),
        ("   ", "{data}/runs.db"),
    ],
)
def test_a_path_is_read_as_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, read: str
) -> None:
    monkeypatch.setenv("LAB", "/lab")
    monkeypatch.setenv("HOME", "/home/me")
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    file = _write(tmp_path / "c.ini", f"[sqlite]\nRUN_DB_PATH = {written}\n")
    places = {"folder": tmp_path, "home": "/home/me", "data": os.environ["MDFACTORY_DATA_DIR"]}
    assert str(load(file).sqlite.runs) == read.format(**places)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("RUN_DB_PATH = '/lab/runs.db'", "RUN_DB_PATH is in quotes; write it without quotes"),
        ('RUN_DB_PATH = "/lab/runs.db"', "RUN_DB_PATH is in quotes"),
        ('RUN_DB_PATH = "~/lab"/runs.db', "RUN_DB_PATH is in quotes"),
        ('RUN_DB_PATH = $LAB/"my lab"/runs.db', "RUN_DB_PATH is in quotes"),
        ("RUN_DB_PATH = a\x1b[2Jb.db", "RUN_DB_PATH contains a control character"),
        ("RUN_DB_PATH = a\0b.db", "RUN_DB_PATH contains a control character"),
        ("RUN_DB_PATH = \u201c/lab/runs.db\u201d", "RUN_DB_PATH is in quotes"),
        ("RUN_DB_PATH = /lab/runs.db ; shared", "RUN_DB_PATH is followed by a comment; write the"),
        ("ANALYSIS_DB_PATH = a.db\t# results", "ANALYSIS_DB_PATH is followed by a comment"),
        ("RUN_DB_PATH = r.db\n  ANALYSIS_DB_PATH = a.db", "RUN_DB_PATH continues on the next line"),
        (r"RUN_DB_PATH = /my\ lab/runs.db", "RUN_DB_PATH is in quotes"),
        ("RUN_DB_PATH = sqlite:///lab/runs.db", "RUN_DB_PATH is a URL; write a path"),
        ("RUN_DB_PATH = ; none\n", "RUN_DB_PATH is followed by a comment"),
        ("[foundry]\nANALYSIS_NAME = 'results'", r"\[foundry\] ANALYSIS_NAME is in quotes"),
        ("[foundry]\nBASE_PATH = /Lab/md # ours", r"\[foundry\] BASE_PATH is followed by"),
        ('[database]\nTYPE = "csv"', r"\[database\] TYPE is in quotes"),
    ],
)
def test_load_refuses_quotes_and_comments_that_would_be_part_of_a_value(
    tmp_path: Path, setting: str, reason: str
) -> None:
    file = _write(tmp_path / "c.ini", f"[sqlite]\n{setting}\n")
    with pytest.raises(ConfigError, match=f"c.ini: .*{reason}") as caught:
        load(file)
    assert caught.value.command == "mdfactory config edit"


def test_comments_on_lines_of_their_own_are_no_values(tmp_path: Path) -> None:
    text = (
        "[sqlite]\r\nRUN_DB_PATH = x.db\r\n  ; shared\r\n# results\r\nANALYSIS_DB_PATH = y.db\r\n"
    )
    (tmp_path / "c.ini").write_bytes(text.encode())
    paths = load(tmp_path / "c.ini").sqlite
    assert (paths.runs, paths.results) == (tmp_path / "x.db", tmp_path / "y.db")


def test_the_configuration_may_lie_beyond_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/deep")
    _write(tmp_path / "real" / "c.ini", "[sqlite]\nRUN_DB_PATH = x.db\n")
    assert load(Path("link/../c.ini")).sqlite.runs == tmp_path / "real" / "x.db"
    monkeypatch.setenv("MDFACTORY_DATA_DIR", "link/../data")
    assert load().sqlite.runs == tmp_path / "real" / "data" / "runs.db"
    assert str(tmp_path / "real" / "lab") in store_at("sqlite:///link/../lab").location


def test_keys_and_kinds_of_store_ignore_case(tmp_path: Path) -> None:
    file = _write(tmp_path / "c.ini", "[database]\ntype = SQLite\n[sqlite]\nrun_db_path = x.db\n")
    assert load(file).kind == "sqlite"
    assert load(file).sqlite.runs == tmp_path / "x.db"


def test_load_ignores_sections_of_other_programs(tmp_path: Path) -> None:
    file = _write(tmp_path / "c.ini", "[slurm]\nqueue = %x\n[cgenff]\npath = y\n")
    assert load(file) == load()


@pytest.mark.parametrize(
    ("section", "meant"), [("Database", "database"), ("databse", "database"), ("SQLITE", "sqlite")]
)
def test_a_misspelt_section_is_an_error(tmp_path: Path, section: str, meant: str) -> None:
    file = _write(tmp_path / "c.ini", f"[{section}]\nTYPE = csv\n[databases]\na = b\n[slurm]\n")
    text = f"{file}: [{section}] is not read (did you mean [{meant}]?)"
    assert load(file).misspelt == load(file).warnings == (text,)
    with pytest.raises(ConfigError, match=re.escape(text)):
        open_store(load(file))


def test_a_missing_file_names_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file .* Run: mdfactory config init$"):
        load(tmp_path / "missing.ini")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"TYPE = sqlite\n", r"c\.ini cannot be read: line 1 is neither"),
        (b"[database]\nTYPE = a\nTYPE = b\n", "c.ini.*line 3.*repeats"),
        (b"[database]\n???\n", "c.ini"),
        (b"[database]\nTYPE = \xff\n", "c.ini.*not UTF-8"),
    ],
)
def test_load_names_a_file_that_cannot_be_parsed(tmp_path: Path, text: bytes, reason: str) -> None:
    file = tmp_path / "c.ini"
    file.write_bytes(text)
    with pytest.raises(ConfigError, match=reason):
        load(file)


def test_load_needs_the_files_that_the_user_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="missing.ini cannot be read"):
        load(tmp_path / "missing.ini")
    monkeypatch.setenv("MDFACTORY_CONFIG", str(tmp_path / "absent.ini"))
    with pytest.raises(ConfigError, match="absent.ini cannot be read"):
        load()


def test_an_unknown_kind_of_store_is_an_error_that_lists_the_kinds(tmp_path: Path) -> None:
    file = _write(tmp_path / "c.ini", "[database]\nTYPE = oracle\n")
    expected = "'oracle', expected one of: sqlite.*mdfactory config edit"
    with pytest.raises(ConfigError, match=expected):
        open_store(load(file))


def test_the_template_sets_nothing_and_names_every_setting(tmp_path: Path) -> None:
    settings = load(_write(tmp_path / "c.ini", template()))
    assert settings == load()
    assert all(f"; {setting.key} = {setting.value}\n" in template() for setting in settings.values)


def test_load_warns_of_an_unknown_setting(tmp_path: Path) -> None:
    text = "[sqlite]\nJOURNAL = x\nRUN_DB_PATH = a.db\nRUN_DB = b.db\n"
    file = _write(tmp_path / "c.ini", text)
    known = "RUN_DB_PATH, ANALYSIS_DB_PATH"
    first, _ = load(file).warnings
    assert first == f"{file}: [sqlite] has no setting JOURNAL; it has {known}"
    assert "a.db" in open_store(load(file)).location


@pytest.mark.parametrize(
    "text", ["[sqlite]\nRUN_DB = x.db\n", "[sqlite]\nRUN_DBPATH = x\n", "[database]\nKIND = csv\n"]
)
def test_a_misspelt_setting_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"has no setting .* it has .* mdfactory config edit"):
        open_store(load(_write(tmp_path / "c.ini", text)))


@pytest.mark.parametrize(("value", "state"), [(None, "not set"), ("", "empty"), (" ", "empty")])
def test_load_names_a_variable_without_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, state: str
) -> None:
    """An empty one would make a path of the root folder, or the folder of the file."""
    if value is not None:
        monkeypatch.setenv("NOWHERE", value)
    file = _write(tmp_path / "c.ini", "[sqlite]\nRUN_DB_PATH = ${NOWHERE}/x.db\n")
    with pytest.raises(ConfigError, match=rf"\[sqlite\] RUN_DB_PATH.*\$\{{NOWHERE\}} is {state}"):
        load(file)


def test_load_names_a_user_that_is_not_known(tmp_path: Path) -> None:
    file = _write(tmp_path / "c.ini", "[csv]\nRUN_DB_PATH = ~nobody_of_this_name/r.csv\n")
    with pytest.raises(
        ConfigError, match=r"c.ini: \[csv\] RUN_DB_PATH = ~nob.*: there is no user nob"
    ):
        load(file)


@pytest.mark.parametrize("blank", ["", " ", "\n", " \t\n"])
def test_a_blank_variable_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blank: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"MDFACTORY_{name}_DIR", blank)
        monkeypatch.setenv(f"XDG_{name}_HOME", f"/xdg/{name}")
    monkeypatch.setenv("MDFACTORY_CONFIG", blank)
    monkeypatch.setenv("MDFACTORY_POSTGRES_URL", blank)
    settings = load()
    assert settings.sqlite.runs == Path("/xdg/DATA/mdfactory/runs.db")
    assert active_file() == Path("/xdg/CONFIG/mdfactory/config.ini")
    assert cache_folder() == Path("/xdg/CACHE/mdfactory")
    assert settings.postgres == ""


def test_a_variable_of_several_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDFACTORY_DATA_DIR", "/data\n/lab")
    with pytest.raises(ConfigError, match="MDFACTORY_DATA_DIR has several lines"):
        load()


def test_names_of_the_configuration_are_added_to_the_catalogue(tmp_path: Path) -> None:
    text = "[catalogue]\nMIXEDBOX_ANALYSES = rdf, density\n  hbonds\nLNP_ARTIFACTS = movie\n"
    catalogue = Catalogue(load(_write(tmp_path / "a.ini", text)).catalogue)
    mixedbox = catalogue.results(SimulationType.mixedbox)
    assert [name for _, name in mixedbox] == [
        "system_chemistry", "rdf", "density", "hbonds", "last_frame_pdb"
    ]  # fmt: skip
    assert catalogue.results(SimulationType.lnp) == [(ResultType.artifact, "movie")]
    assert len(catalogue.results(SimulationType.bilayer)) == 16


def test_load_rejects_an_invalid_name_and_names_its_setting(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.ini", "[catalogue]\nBILAYER_ANALYSES = good, not-good\n")
    with pytest.raises(ConfigError, match=r"a\.ini: \[catalogue\] BILAYER_ANALYSES: 'not-good'"):
        load(file)


def test_the_environment_overrides_the_database_of_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _write(tmp_path / "a.ini", "[postgres]\nURL = postgresql://a@h/file\n")
    assert load(file).postgres == "postgresql://a@h/file"
    monkeypatch.setenv("MDFACTORY_POSTGRES_URL", "postgresql://a@h/environment")
    assert load(file).postgres == "postgresql://a@h/environment"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://me:s3cret@host/lab", "postgresql://me:***@host/lab"),
        ("postgresql://me:s3:c/r@et@host:5432/lab", "postgresql://me:***@host:5432/lab"),
        ("postgresql://me@host:5432/lab", "postgresql://me@host:5432/lab"),
        ("postgresql://host:5432/lab", "postgresql://host:5432/lab"),
        ("postgresql:///lab?host=/tmp/x&password=s3cret&user=me",
         "postgresql:///lab?host=/tmp/x&password=***&user=me"),
        ("host=h password=s3cret dbname=lab", "host=h password=*** dbname=lab"),
        ("host=h password = 's3 c\\'ret' dbname=lab", "host=h password = *** dbname=lab"),
        ("postgresql+psycopg2://me:s3cret@host/lab", "postgresql+psycopg2://me:***@host/lab"),
        ("jdbc:postgresql://h/lab?user=me&password=s3cret", "jdbc:postgresql://h/lab?user=me&password=***"),
        ("postgresql:///lab?user=me&PASSWORD=s3cret", "postgresql:///lab?user=me&PASSWORD=***"),
        ("postgresql:///lab?pass%77ord=s3cret&user=me", "postgresql:///lab?pass%77ord=***&user=me"),
        ("postgresql://me:s3c@h/lab?sslpassword=ret", "postgresql://me:***@h/lab?sslpassword=***"),
        ("postgresql://h/lab?password:s3cret", "***"),
        ("host=h password 's3cret'", "***"),
        ("postgresql:///lab?user=me", "postgresql:///lab?user=me"),
    ],
)  # fmt: skip
def test_masked_value_hides_a_password(tmp_path: Path, url: str, masked: str) -> None:
    values = load(_write(tmp_path / "a.ini", f"[postgres]\nURL = {url}\n")).values
    assert next(setting.masked_value for setting in values if setting.key == "URL") == masked
    assert has_password(url) == (masked != url)


# Writing settings into a file


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "[csv]\nRUN_DB_PATH = new\n"),
        ("[csv]\n", "[csv]\nRUN_DB_PATH = new\n"),
        ("[csv]\nrun_db_path: old\nX = 1", "[csv]\nRUN_DB_PATH = new\nX = 1\n"),
        ("[csv]\nRUN_DB_PATH = old\n  and more\nX = 1\n", "[csv]\nRUN_DB_PATH = new\nX = 1\n"),
        ("[csv]\n  RUN_DB_PATH = old\n  X = 1\n", "[csv]\n  RUN_DB_PATH = new\n  X = 1\n"),
        ("[csv]\n  X = 1\n", "[csv]\n  RUN_DB_PATH = new\n  X = 1\n"),
        ("[csv]\n; RUN_DB_PATH = shown\n", "[csv]\n; RUN_DB_PATH = shown\nRUN_DB_PATH = new\n"),
        (
            "[csv]\n; RUN_DB_PATH = shown\nRUN_DB_PATH =\n",
            "[csv]\n; RUN_DB_PATH = shown\nRUN_DB_PATH = new\n",
        ),
        (
            "[sqlite]\nRUN_DB_PATH = a\n# why\n[slurm]\nX = b\n",
            "[sqlite]\nRUN_DB_PATH = a\n# why\n[slurm]\nX = b\n\n[csv]\nRUN_DB_PATH = new\n",
        ),
        ("[csv]\r\nRUN_DB_PATH = a\r\n", "[csv]\r\nRUN_DB_PATH = new\r\n"),
    ],
)
def test_save_changes_a_value_and_nothing_else(tmp_path: Path, text: str, after: str) -> None:
    file = tmp_path / "a.ini"
    file.write_bytes(text.encode())
    save(file, {("csv", "RUN_DB_PATH"): "new"})
    assert file.read_bytes().decode() == after
    assert load(file).csv.runs == tmp_path / "new"


def test_save_writes_every_setting_into_a_new_file(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "a.ini"
    save(file, {("database", "TYPE"): "csv"})
    text = file.read_text(encoding="utf-8")
    assert text.replace("TYPE = csv\n", "", 1) == template()
    assert load(file).kind == "csv"


def test_save_changes_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "a.ini"
    file.write_text("[database]\nTYPE = csv\n", encoding="utf-8-sig")
    save(file, {("database", "TYPE"): "sqlite"})
    assert load(file).kind == "sqlite"


def test_save_leaves_a_file_that_is_no_configuration_unchanged(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.ini", "no section\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        save(file, {("database", "TYPE"): "csv"})
    assert file.read_text(encoding="utf-8") == "no section\n"


@pytest.mark.parametrize("value", ["two\nlines", "two\n[sections]"])
def test_save_rejects_a_value_that_would_not_be_read_back(tmp_path: Path, value: str) -> None:
    file = _write(tmp_path / "a.ini", "[csv]\n")
    with pytest.raises(ConfigError):
        save(file, {("csv", "RUN_DB_PATH"): value})
    assert file.read_text(encoding="utf-8") == "[csv]\n"


URL = ("postgres", "URL")


def test_save_writes_a_password_only_into_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "a.ini"
    save(file, {URL: "postgresql://me:s3cret@host/lab"})
    assert file.stat().st_mode & 0o777 == 0o600
    assert load(file).warnings == ()
    file.chmod(0o640)
    assert "others can read it. Run: chmod 600" in load(file).warnings[0]
    with pytest.raises(ConfigError, match="chmod 600"):
        save(file, {URL: "postgresql://me:an0ther@host/lab"})
    assert "an0ther" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg2://me:s3cret@host/lab",
        "Postgresql://me:s3cret@host/lab",
        "host=h user=me password=s3cret",
        "jdbc:postgresql://h/lab?user=me&password=s3cret",
        "postgresql://h/lab?passw%6Frd=s3cret&wrong",
    ],
)
def test_a_wrong_url_is_reported_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        store_at(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_with_password_makes_a_url_that_libpq_can_parse() -> None:
    for url in ("postgresql://me@host/lab", "postgresql:///lab?host=/tmp"):
        awkward = "a:b@c/d &=%"
        complete = with_password(url, awkward)
        parts = conninfo_to_dict(complete)
        assert parts["password"] == awkward
        assert parts["dbname"] == "lab"
        assert "a:b" not in mask_password(complete)


CONNECTIONS = ["postgresql://me:s3cret@h/db", "host=h user=me password=s3cret"]
"""Descriptions of a database with a password."""


@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("sqlite", "RUN_DB_PATH"),
        ("database", "TYPE"),
        ("history", "SIZE"),
        ("foundry", "BASE_PATH"),
    ],
)
def test_a_password_in_the_wrong_setting_is_not_shown(
    tmp_path: Path, section: str, key: str, connection: str
) -> None:
    file = _write(tmp_path / "c.ini", f"[{section}]\n{key} = {connection}\n")
    with pytest.raises(ConfigError, match=rf"\[{section}\] {key} is the URL") as caught:
        load(file)
    assert "s3cret" not in str(caught.value)


def test_a_password_in_place_of_a_configuration_file_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MDFACTORY_CONFIG", CONNECTIONS[0])
    with pytest.raises(ConfigError, match="MDFACTORY_CONFIG is the URL") as caught:
        load()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["h:5432:db:me:s3cret\n", "[postgres]\nURL s3cret\n"])
def test_a_line_that_is_no_setting_is_not_shown(tmp_path: Path, text: str) -> None:
    """It may be that of a password file."""
    with pytest.raises(ConfigError, match="line [12] is neither") as caught:
        load(_write(tmp_path / "c.ini", text))
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
