"""Files of artifacts: pushed to a file store, fetched, checked, copied and removed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any

import psycopg
import pytest

import mdfactory as package
from mdfactory import Results
from mdfactory.config import load
from mdfactory.config.settings import cache_folder
from mdfactory.errors import StoreChangedError
from mdfactory.filestore import open_file_store
from mdfactory.filestore.backend import PART_BYTES
from mdfactory.records.tables import STORE_IDS, artifact_table
from mdfactory.stores import open_store
from mdfactory.sync.files.copying import FileCopier
from mdfactory.sync.verify.stored_files import StoredFileCheck
from mdfactory.sync.verify.verification import verify
from planting import plant_sqlite
from s3_proxy import Proxy

Program = Callable[..., Any]

EXAMPLE = Path(__file__).parents[2] / "examples" / "water_methanol"
DAY_SECONDS = 86_400
WITH_ARTIFACTS = "FD017140D9BF9DC3E566983C44C59E634D032C4D"
OTHER = "CC4D89E0997487E23A5CA417BC302361B5440904"
PICTURE = "artifacts/density_plot/density_plot.png"


def configure(text: str) -> None:
    """Add lines to the configuration."""
    file = Path(os.environ["MDFACTORY_CONFIG_DIR"], "config.ini")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(f"{text}\n")


def files_below(folder: Path) -> dict[str, bytes]:
    """Return path and content of the files below a folder."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def artifacts_below(campaign: Path) -> dict[str, bytes]:
    """Return hash, path and content of the files of the artifacts of a campaign."""
    return {
        name.replace("/.analysis/", "/"): content
        for name, content in files_below(campaign).items()
        if "/.analysis/artifacts/" in name
    }


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder that is configured as the file store; it is not there yet."""
    configure(f"[files]\nURL = {tmp_path}/kept files")
    return tmp_path / "kept files"


@pytest.fixture
def lab(mdfactory: Program, campaign: Path, kept: Path) -> Program:
    """The program, with a store and a file store; the campaign was pushed with its files."""
    mdfactory("sync", "init", "all")
    result = mdfactory("sync", "push", "all", campaign, "--files")
    assert result.code == 0, result.err
    assert f"6 files (507 kB) sent to {kept}, 0 there before" in result.out
    return mdfactory


def stored(kept: Path, content: bytes) -> Path:
    """Return the path of a content in a file store."""
    digest = hashlib.sha256(content).hexdigest()
    return kept / "sha256" / digest[:2] / digest


def make_old(kept: Path) -> None:
    """Make all files of a file store three days old."""
    for path in kept.rglob("*"):
        os.utime(path, (time.time() - 3 * DAY_SECONDS,) * 2)


class TestEverywhere:
    """A campaign is pushed with its files, its folders are deleted, and all files come back."""

    @pytest.fixture(params=["folder", "s3"])
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "folder":
            return f"[files]\nURL = {tmp_path}/kept"
        server, bucket = map(request.getfixturevalue, ("s3", "bucket"))
        return f"[files]\nURL = s3://{bucket}/md/files\nENDPOINT_URL = {server}"

    def test_files_outlive_the_folders(
        self, kind: str, place: str, mdfactory: Program, campaign: Path, tmp_path: Path
    ) -> None:
        configure(place)
        assert mdfactory("sync", "init", "all").code == 0
        result = mdfactory("sync", "push", "all", campaign, "--files", "--json")
        assert result.code == 0, result.err
        assert result.json["files"] | {"location": ""} == {
            "location": "",
            "sent": 6,
            "sent_bytes": 506_937,
            "present": 0,
        }
        expected = artifacts_below(campaign)
        assert len(expected) == 6
        shutil.rmtree(campaign)
        elsewhere = tmp_path / "another machine"
        assert mdfactory("sync", "pull", "artifacts", "--files", elsewhere).code == 0
        assert files_below(elsewhere) == expected
        on_disk = mdfactory("sync", "verify")
        assert on_disk.code == 4
        assert on_disk.err.endswith("in place of the disk: mdfactory sync verify --files\n")
        assert mdfactory("sync", "verify", "--files").code == 0
        again = mdfactory("sync", "pull", "artifacts", "--files", elsewhere, "--json").json
        assert (again["fetched"], again["present"], again["skipped"]) == (0, 6, [])
        assert mdfactory("sync", "clear", "analysis", "--artifacts", "--yes").code == 0
        pruned = mdfactory("sync", "prune", "--yes", "--json")
        assert (pruned.code, pruned.json["files"]) == (0, 0)  # younger than a day, and undoable
        assert mdfactory("sync", "undo").code == 0
        assert mdfactory("sync", "verify", "--files").code == 0


class TestPush:
    def test_files_need_a_configured_file_store(self, mdfactory: Program, campaign: Path) -> None:
        mdfactory("sync", "init", "all")
        result = mdfactory("sync", "push", "all", campaign, "--files")
        assert result.code == 1
        assert "no file store is configured" in result.err
        assert "Run: mdfactory config init --files FOLDER --yes\n" in result.err

    def test_a_file_store_is_made_by_init(
        self, mdfactory: Program, campaign: Path, kept: Path
    ) -> None:
        mdfactory("sync", "init", "systems")
        mdfactory("sync", "init", "analysis")
        assert not kept.exists()
        mdfactory("sync", "init", "artifacts")
        shutil.rmtree(kept)
        result = mdfactory("sync", "push", "artifacts", campaign, "--files")
        assert result.code == 1
        assert f"{kept} does not exist. Run: mdfactory sync init artifacts" in result.err
        assert mdfactory("sync", "pull", "artifacts", "--json").json["rows"] == []
        result = mdfactory("sync", "init", "artifacts")
        assert f"file store: {kept}" in result.out
        assert mdfactory("sync", "push", "artifacts", campaign, "--files").code == 0

    def test_the_parent_of_a_file_store_is_never_made(
        self, mdfactory: Program, tmp_path: Path
    ) -> None:
        configure(f"[files]\nURL = {tmp_path}/not mounted/files")
        result = mdfactory("sync", "init", "all")
        assert result.code == 1
        assert "Is its disk mounted?" in result.err
        assert not (tmp_path / "not mounted").exists()

    @pytest.mark.parametrize("command", ["systems", "analysis"])
    def test_files_are_those_of_artifacts(
        self, mdfactory: Program, campaign: Path, kept: Path, command: str
    ) -> None:
        result = mdfactory("sync", "push", command, campaign, "--files")
        assert result.code == 2
        assert "--files" in result.err

    def test_a_conflict_is_found_before_anything_is_sent(
        self, mdfactory: Program, campaign: Path, kept: Path
    ) -> None:
        mdfactory("sync", "init", "all")
        mdfactory("sync", "push", "all", campaign / WITH_ARTIFACTS)
        assert mdfactory("sync", "push", "all", campaign, "--files").code == 1
        assert files_below(kept) == {}

    @pytest.mark.parametrize("mode", ["--diff", "--update", "--force"])
    def test_records_without_files_get_theirs(
        self, mdfactory: Program, campaign: Path, kept: Path, mode: str
    ) -> None:
        mdfactory("sync", "init", "all")
        mdfactory("sync", "push", "all", campaign)
        result = mdfactory("sync", "push", "all", campaign, "--files", mode, "--json")
        assert (result.code, result.json["files"]["sent"]) == (0, 6)
        again = mdfactory("sync", "push", "all", campaign, "--files", mode, "--json").json["files"]
        expected = {"--force": (6, 0)}.get(mode, (0, 6))
        assert (again["sent"], again["present"]) == expected
        assert mdfactory("sync", "verify", "--files").code == 0

    def test_diff_sends_only_what_the_stored_record_names(
        self, lab: Program, campaign: Path, kept: Path
    ) -> None:
        results = Results(campaign / WITH_ARTIFACTS)
        (campaign / "new.png").write_bytes(b"new")
        results.record_artifact("density_plot", campaign / "new.png")
        before = files_below(kept)
        result = lab("sync", "push", "all", campaign, "--files", "--diff", "--json")
        assert (result.code, result.json["files"]["sent"]) == (0, 0)
        assert files_below(kept) == before
        result = lab("sync", "push", "all", campaign, "--files", "--update", "--json")
        assert (result.code, result.json["files"]["sent"]) == (0, 1)
        assert stored(kept, b"new").read_bytes() == b"new"

    def test_a_changed_file_is_named_and_its_record_is_not_stored(
        self, mdfactory: Program, campaign: Path, kept: Path
    ) -> None:
        mdfactory("sync", "init", "all")
        changed = campaign / WITH_ARTIFACTS / ".analysis" / PICTURE
        changed.write_bytes(b"changed")
        result = mdfactory("sync", "push", "all", campaign, "--files", "--json")
        assert result.code == 3
        assert result.json["files"]["sent"] == 5
        assert result.json["skipped"] == [
            {
                "path": str(campaign / WITH_ARTIFACTS),
                "reason": f"artifact density_plot: {PICTURE} has another checksum. Record the "
                "artifact again",
            }
        ]
        rows = mdfactory("sync", "pull", "artifacts", "--artifact-name", "density_plot", "--json")
        assert {row["hash"] for row in rows.json["rows"]}.isdisjoint({WITH_ARTIFACTS})
        assert len(rows.json["rows"]) == 2
        assert not stored(kept, b"changed").exists()
        assert len(files_below(kept / "sha256")) == 5
        overview = mdfactory(
            "sync", "pull", "artifacts", "--hash", WITH_ARTIFACTS, "--sort", "item_name", "--json"
        ).json["rows"]
        assert [row["status"] for row in overview] == ["not_yet_run", "completed"]

    def test_what_is_there_in_its_size_is_not_sent_again(
        self, lab: Program, campaign: Path, kept: Path
    ) -> None:
        contents = sorted(artifacts_below(campaign).values())
        short, same_size = (stored(kept, content) for content in contents[:2])
        short.write_bytes(b"short")
        wrong = bytes(len(contents[1]))
        same_size.write_bytes(wrong)
        result = lab("sync", "push", "all", campaign, "--files", "--update", "--json").json["files"]
        assert (result["sent"], result["present"]) == (1, 5)
        assert short.read_bytes() == contents[0]
        assert same_size.read_bytes() == wrong
        assert lab("sync", "verify", "--files").code == 4
        lab("sync", "push", "artifacts", campaign, "--files", "--force")
        assert same_size.read_bytes() == contents[1]

    def test_equal_files_are_stored_once(
        self, mdfactory: Program, campaign: Path, kept: Path
    ) -> None:
        source = campaign / 'odd "name" of ours ü🙂.txt'
        source.write_bytes(b"the same everywhere")
        for hash_ in (WITH_ARTIFACTS, OTHER):
            Results(campaign / hash_).record_artifact("notes", source)
        mdfactory("sync", "init", "all")
        result = mdfactory(
            "sync", "push", "artifacts", campaign, "--artifact-name", "notes", "--files", "--json"
        )
        assert (result.json["files"]["sent"], result.json["counts"]["inserted"]) == (1, 2)
        out = campaign.parent / "out"
        mdfactory("sync", "pull", "artifacts", "--artifact-name", "notes", "--files", out)
        assert files_below(out) == {
            f"{hash_}/artifacts/notes/{source.name}": b"the same everywhere"
            for hash_ in (WITH_ARTIFACTS, OTHER)
        }

    def test_a_dry_run_counts_the_files_and_sends_none(
        self, mdfactory: Program, campaign: Path, kept: Path
    ) -> None:
        mdfactory("sync", "init", "all")
        result = mdfactory("sync", "push", "all", campaign, "--files", "-n")
        assert f"6 files (507 kB) sent to {kept}" in result.out
        assert files_below(kept) == {}
        assert STORE_IDS.name not in json.dumps(mdfactory("sync", "log", "--json").json)

    def test_python_sends_files_too(self, mdfactory: Program, campaign: Path, kept: Path) -> None:
        mdfactory("sync", "init", "all")
        pushed = package.push(campaign, files=True)
        assert pushed.files
        assert pushed.files.sent == 6
        with pytest.raises(package.MDFactoryError, match="kind='artifacts'"):
            package.push(campaign, kind="systems", mode="update", files=True)

    @pytest.mark.usefixtures("interruptible")
    def test_an_interrupt_does_not_wait_for_large_files(
        self,
        mdfactory: Program,
        campaign: Path,
        s3: str,
        client: Any,
        bucket: str,
        tmp_path: Path,
        running: Callable[..., Any],
    ) -> None:
        large = tmp_path / "large"
        for number in range(4):
            with large.open("wb") as file:
                file.write(b"%d" % number)
                file.truncate(10 * PART_BYTES)
            Results(campaign / OTHER).record_artifact(f"large{number}", large)
        with Proxy(s3) as proxy:
            configure(f"[files]\nURL = s3://{bucket}\nENDPOINT_URL = {proxy.url}")
            assert mdfactory("sync", "init", "all").code == 0
            words = [sys.executable, "-m", "mdfactory", "sync", "push", "all", campaign, "--files"]
            with running(words, stderr=PIPE, text=True) as push:
                while not any("partNumber" in line for line in proxy.log):
                    assert push.poll() is None
                    time.sleep(0.01)
                push.send_signal(signal.SIGINT)
                _, err = push.communicate(timeout=60)
        assert push.returncode == 130
        first, second = err.splitlines()
        assert "were sent; the same push uses them when it is repeated" in first
        assert second == "error: interrupted; nothing was written in part"
        sizes = [file["Size"] for file in client.list_objects_v2(Bucket=bucket)["Contents"]]
        assert max(sizes) < PART_BYTES
        assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


class TestPull:
    def test_filters_hold(self, lab: Program, campaign: Path, tmp_path: Path) -> None:
        expected = artifacts_below(campaign)
        for number, (arguments, selected) in enumerate(
            [
                (["--artifact-name", "density_plot"], "density_plot"),
                (["--hash", WITH_ARTIFACTS[:6].lower()], WITH_ARTIFACTS),
                (
                    ["--where", f"hash = {OTHER}", "--artifact-name", "last_frame_pdb"],
                    f"{OTHER}/artifacts/last",
                ),
                (["--simulation-type", "mixedbox"], ""),
            ]
        ):
            out = tmp_path / str(number)
            assert lab("sync", "pull", "artifacts", "--files", out, *arguments).code == 0
            assert files_below(out) == {
                name: content for name, content in expected.items() if selected in name
            }

    def test_a_pull_goes_on_where_it_was_cut(
        self, lab: Program, campaign: Path, tmp_path: Path
    ) -> None:
        expected = artifacts_below(campaign)
        first, second, *_ = sorted(expected)
        (tmp_path / "out" / first).parent.mkdir(parents=True)
        (tmp_path / "out" / first).write_bytes(expected[first])
        (tmp_path / "out" / second).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / second).write_bytes(expected[second][:-1])
        result = lab("sync", "pull", "artifacts", "--files", tmp_path / "out", "--json").json
        assert (result["fetched"], result["present"]) == (5, 1)
        assert files_below(tmp_path / "out") == expected

    def test_what_the_file_store_lacks_comes_from_the_directory(
        self, lab: Program, campaign: Path, kept: Path, tmp_path: Path
    ) -> None:
        expected = artifacts_below(campaign)
        missing, wrong, *_ = sorted(expected)
        stored(kept, expected[missing]).unlink()
        stored(kept, expected[wrong]).write_bytes(bytes(len(expected[wrong])))
        assert lab("sync", "pull", "artifacts", "--files", tmp_path / "out").code == 0
        assert files_below(tmp_path / "out") == expected
        shutil.rmtree(campaign)
        shutil.rmtree(tmp_path / "out")
        result = lab("sync", "pull", "artifacts", "--files", tmp_path / "out")
        assert result.code == 3
        assert f"{missing.partition('/')[2]} is not in {kept}, and is missing in" in result.err
        assert f"{wrong.partition('/')[2]} has another checksum in {kept}, and is mi" in result.err
        assert files_below(tmp_path / "out") == {
            name: content for name, content in expected.items() if name not in {missing, wrong}
        }
        assert not (tmp_path / "out" / missing).parent.exists()

    def test_without_a_file_store_the_directories_are_read(
        self, mdfactory: Program, pushed_all: Path, tmp_path: Path
    ) -> None:
        expected = artifacts_below(pushed_all)
        (pushed_all / WITH_ARTIFACTS / ".analysis" / PICTURE).write_bytes(b"changed")
        result = mdfactory("sync", "pull", "artifacts", "--files", tmp_path / "out")
        assert result.code == 3
        assert "has another checksum" in result.err
        del expected[f"{WITH_ARTIFACTS}/{PICTURE}"]
        assert files_below(tmp_path / "out") == expected

    def test_an_outage_is_no_reason_to_look_elsewhere(
        self, lab: Program, kept: Path, tmp_path: Path
    ) -> None:
        kept.rename(tmp_path / "away")
        result = lab("sync", "pull", "artifacts", "--files", tmp_path / "out")
        assert result.code == 1
        assert f"the file store {kept} does not exist" in result.err
        assert files_below(tmp_path / "out") == {}

    @pytest.mark.parametrize(
        "path",
        [
            "../../escaped",
            "/var/tmp/escaped",  # noqa: S108
            "a/../../../escaped",
            "",
            ".",
            "link/escaped",
            "a\0b",
        ],
    )
    def test_nothing_is_written_outside(
        self, lab: Program, kept: Path, tmp_path: Path, path: str
    ) -> None:
        content = b"of somebody else"
        stored(kept, content).parent.mkdir(exist_ok=True)
        stored(kept, content).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        row = (
            OTHER, str(tmp_path), "mixedbox", 1, json.dumps([path]), json.dumps({path: digest}),
            "2026-01-01T00:00:00+00:00",
        )  # fmt: skip
        plant_sqlite(load().sqlite.results, artifact_table("evil"), [row])
        out, outside = tmp_path / "sub" / "out", tmp_path / "outside"
        outside.mkdir()
        (out / OTHER).mkdir(parents=True)
        (out / OTHER / "link").symlink_to(outside)
        before = files_below(tmp_path)
        result = lab("sync", "pull", "artifacts", "--artifact-name", "evil", "--files", out)
        assert result.code == 3
        assert "artifact evil" in result.err
        assert files_below(tmp_path) == before
        assert not Path("/var/tmp/escaped").exists()  # noqa: S108

    @pytest.mark.parametrize("name", ["a" * 255, "日" * 85, "😀" * 63, " \n", ".x.part", "-rf"])
    def test_a_file_may_have_any_name(
        self, lab: Program, campaign: Path, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).write_bytes(b"of any name")
        Results(campaign / OTHER).record_artifact("any", tmp_path / name)
        assert lab("sync", "push", "all", campaign, "--update", "--files").code == 0
        result = lab(
            "sync", "pull", "artifacts", "--artifact-name", "any", "--files", tmp_path / "out"
        )
        assert (result.code, result.err) == (0, "")
        assert files_below(tmp_path / "out") == {f"{OTHER}/artifacts/any/{name}": b"of any name"}

    def test_old_files_of_others_are_left(
        self, lab: Program, campaign: Path, tmp_path: Path
    ) -> None:
        first = min(artifacts_below(campaign))
        folder = (tmp_path / "out" / first).parent
        folder.mkdir(parents=True)
        names = {".mine.part", f".{'0' * 32}.part"}
        for name in names:
            (folder / name).touch()
        make_old(folder)
        assert lab("sync", "pull", "artifacts", "--files", tmp_path / "out").code == 0
        assert names & set(os.listdir(folder)) == {".mine.part"}

    def test_a_path_that_is_taken_is_no_fault_of_the_file_store(
        self, lab: Program, campaign: Path, tmp_path: Path
    ) -> None:
        first = min(artifacts_below(campaign))
        (tmp_path / "out" / first / "a folder").mkdir(parents=True)
        result = lab("sync", "pull", "artifacts", "--files", tmp_path / "out")
        assert result.code == 3
        assert f"cannot be written to {tmp_path}/out/{first}: Is a directory\n" in result.err

    def test_options_that_have_no_meaning_for_files_are_refused(
        self, lab: Program, tmp_path: Path
    ) -> None:
        for option in (["--overview"], ["--status", "completed"], ["--output", "x.csv"]):
            result = lab("sync", "pull", "artifacts", "--files", tmp_path / "out", *option)
            assert (result.code, result.out) == (2, "")
            assert f"{option[0]} is not possible with --files" in result.err
        assert "--jobs needs --files" in lab("sync", "pull", "artifacts", "--jobs", "2").err


class TestVerify:
    def test_missing_and_wrong_files_are_found(
        self, lab: Program, campaign: Path, kept: Path
    ) -> None:
        expected = artifacts_below(campaign)
        missing, _, wrong, *_ = sorted(expected)
        stored(kept, expected[missing]).unlink()
        stored(kept, expected[wrong]).write_bytes(bytes(len(expected[wrong])))
        result = lab("sync", "verify", "--files", "--json")
        assert result.code == 4
        assert result.json["files"] == 6
        problems = {row["hash"]: (row["problem"], row["remedy"]) for row in result.json["rows"]}
        assert len(problems) == len(result.json["rows"])
        hash_, _, path = missing.partition("/")
        push = f"mdfactory sync push artifacts {campaign}/{hash_}"
        quick = lab("sync", "verify", "--files", "--quick", "--json").json["rows"]
        expected_row = {"problem": f"{path} is not in {kept}", "remedy": f"{push} --update --files"}
        assert [{key: row[key] for key in expected_row} for row in quick] == [expected_row]
        remedies = [remedy for _, remedy in problems.values()]
        for remedy in remedies:
            assert lab(*remedy.split()[1:]).code == 0
        assert lab("sync", "verify", "--files").code == 0

    def test_progress_is_told_in_files_and_bytes(self, lab: Program, kept: Path) -> None:
        told = []
        check = StoredFileCheck(open_file_store(str(kept)), watch=lambda *step: told.append(step))
        verify(open_store(load()), files=check)
        assert told[-1] == ("checking files (507 kB)", 6)
        assert len(told) == 6

    def test_the_disk_is_not_needed(self, lab: Program, campaign: Path) -> None:
        shutil.rmtree(campaign)
        assert lab("sync", "verify").code == 4
        assert lab("sync", "verify", "--files").code == 0

    def test_an_outage_is_an_error(self, lab: Program, kept: Path) -> None:
        shutil.rmtree(kept)
        assert lab("sync", "verify", "--files").code == 1


class TestPrune:
    def test_only_what_no_record_needs_is_removed(
        self, lab: Program, campaign: Path, kept: Path
    ) -> None:
        others = [kept / "sha256/00/notes.txt", kept / "README", kept / f"sha256/zz/{'0' * 64}"]
        misplaced = kept / "sha256" / "00" / ("1" * 64)
        for path in (*others, misplaced):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"not of ours")
        unneeded = stored(kept, b"unneeded")
        unneeded.parent.mkdir(exist_ok=True)
        unneeded.write_bytes(b"unneeded")
        before = files_below(kept)
        assert lab("sync", "prune", "--json", "--dry-run").json["files"] == 0  # too young
        make_old(kept)
        result = lab("sync", "prune", "--json", "--dry-run").json
        assert (result["files"], result["size"]) == (1, 8)
        assert files_below(kept) == before
        result = lab("sync", "prune")
        assert result.code == 1
        assert "nothing was removed" in result.err
        assert "1 file (8 B)" in lab("sync", "prune", "--yes").out
        assert not unneeded.exists()
        assert len(files_below(kept)) == len(before) - 1
        assert lab("sync", "verify", "--files").code == 0

    def test_what_can_be_undone_is_kept(self, lab: Program, campaign: Path, kept: Path) -> None:
        make_old(kept)
        lab("sync", "clear", "all", "--yes")
        assert lab("sync", "prune", "--yes", "--json").json["files"] == 0
        lab("sync", "undo")
        assert lab("sync", "verify", "--files").code == 0
        lab("sync", "clear", "all", "--purge", "--yes")
        assert lab("sync", "prune", "--yes", "--json").json["files"] == 6
        assert files_below(kept / "sha256") == {}

    def test_unfinished_files_of_killed_programs_are_removed(
        self, lab: Program, kept: Path
    ) -> None:
        temporary = kept / "sha256" / "00" / f".{'0' * 64}-{'1' * 32}"
        temporary.parent.mkdir(exist_ok=True)
        temporary.write_bytes(b"half")
        make_old(kept)
        result = lab("sync", "prune", "--yes", "--json").json
        assert (result["files"], result["unfinished"]) == (0, 1)
        assert not temporary.exists()

    def test_a_store_that_has_sent_nothing_removes_nothing(
        self, lab: Program, kept: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        make_old(kept)
        before = files_below(kept)
        monkeypatch.setenv("MDFACTORY_DATA_DIR", f"{tmp_path}/another store")
        lab("sync", "init", "all")
        result = lab("sync", "prune", "--yes")
        assert result.code == 1
        assert "has sent no files" in result.err
        assert files_below(kept) == before

    def test_stores_that_share_a_file_store_remove_nothing(
        self,
        lab: Program,
        campaign: Path,
        kept: Path,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        first = os.environ["MDFACTORY_DATA_DIR"]
        monkeypatch.setenv("MDFACTORY_DATA_DIR", f"{tmp_path}/another store")
        lab("sync", "init", "all")
        assert lab("sync", "push", "all", campaign, "--files").code == 0
        lab("sync", "clear", "all", "--purge", "--yes")
        make_old(kept)
        before = files_below(kept)
        second = f"{tmp_path}/another store"
        for folder, other in ((first, second), (second, first)):
            monkeypatch.setenv("MDFACTORY_DATA_DIR", folder)
            result = lab("sync", "prune", "--yes")
            assert result.code == 1
            assert f"SQLite store {other}/analysis.db (marker registries/" in result.err
        assert files_below(kept) == before

    def test_a_copied_store_removes_nothing(
        self,
        lab: Program,
        campaign: Path,
        kept: Path,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        first = os.environ["MDFACTORY_DATA_DIR"]
        copied = shutil.copytree(first, tmp_path / "copied")
        make_old(kept)
        before = files_below(kept)
        monkeypatch.setenv("MDFACTORY_DATA_DIR", str(copied))
        lab("sync", "clear", "all", "--purge", "--yes")
        result = lab("sync", "prune", "--yes")
        assert result.code == 1
        assert f"were sent by the SQLite store {first}/analysis.db" in result.err
        assert lab("sync", "push", "all", campaign, "--files").code == 0  # it gets an id of its own
        assert "other stores use" in lab("sync", "prune", "--yes").err
        monkeypatch.setenv("MDFACTORY_DATA_DIR", first)
        assert "other stores use" in lab("sync", "prune", "--yes").err
        assert files_below(kept / "sha256") == {
            name.removeprefix("sha256/"): content
            for name, content in before.items()
            if name.startswith("sha256/")
        }

    @pytest.mark.parametrize("content", [b"", b"\xff\n" * 2**17, b"x\n" * 2_000])
    def test_a_damaged_marker_removes_nothing(
        self, lab: Program, kept: Path, content: bytes
    ) -> None:
        (marker,) = (kept / "registries").iterdir()
        marker.write_bytes(content)
        lab("sync", "clear", "all", "--purge", "--yes")
        make_old(kept)
        before = files_below(kept)
        result = lab("sync", "prune", "--yes")
        assert result.code == 1
        assert f"remove its marker registries/{marker.name} there" in result.err
        assert len(result.err) < 1_500
        assert files_below(kept) == before

    def test_checksums_of_other_programs_are_needed_too(self, lab: Program, kept: Path) -> None:
        results = load().sqlite.results
        with closing(sqlite3.connect(results)) as database, database:
            text = next(database.execute("SELECT checksums FROM ARTIFACT_density_plot"))[0]
            ((path, digest),) = json.loads(text).items()
            lab("sync", "clear", "all", "--purge", "--yes")
            escaped = "".join(f"\\u{ord(digit):04X}" for digit in digest.upper())
            row = (OTHER, "/x", "mixedbox", 1, "[]", f'{{"{path}": "{escaped}"}}', "2026")
            plant_sqlite(results, artifact_table("planted"), [row])
        make_old(kept)
        assert lab("sync", "prune", "--yes", "--json").json["files"] == 5
        assert set(files_below(kept / "sha256")) == {f"{digest[:2]}/{digest}"}

    def test_files_of_a_lost_table_are_kept(self, lab: Program, kept: Path) -> None:
        with closing(sqlite3.connect(load().sqlite.results)) as database, database:
            database.execute("DROP TABLE ARTIFACT_density_plot")
        make_old(kept)
        before = files_below(kept)
        result = lab("sync", "prune", "--yes")
        assert result.code == 1
        assert "table ARTIFACT_density_plot is missing, although the store has dig" in result.err
        assert files_below(kept) == before

    def test_a_store_has_one_marker_by_whatever_name_it_is_reached(
        self,
        lab: Program,
        campaign: Path,
        kept: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        first = os.environ["MDFACTORY_DATA_DIR"]
        (tmp_path / "link").symlink_to(first)
        for folder in (tmp_path / "link", first):
            monkeypatch.setenv("MDFACTORY_DATA_DIR", str(folder))
            assert lab("sync", "push", "all", campaign, "--files", "--update").code == 0
            assert lab("sync", "prune", "--yes").code == 0
        assert len(files_below(kept / "registries")) == 1

    def test_a_copy_beside_the_store_removes_nothing(
        self, lab: Program, kept: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = Path(os.environ["MDFACTORY_DATA_DIR"])
        shutil.copy(data / "analysis.db", data / "copy.db")
        make_old(kept)
        before = files_below(kept)
        configure(f"[sqlite]\nANALYSIS_DB_PATH = {data}/copy.db")
        lab("sync", "clear", "all", "--purge", "--yes")
        result = lab("sync", "prune", "--yes")
        assert result.code == 1
        assert f"were sent by the SQLite store {data}/analysis.db" in result.err
        assert files_below(kept) == before

    def test_users_of_a_database_share_a_marker_and_a_copied_schema_does_not(
        self,
        database: str,
        mdfactory: Program,
        campaign: Path,
        kept: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        parts = psycopg.conninfo.conninfo_to_dict(database)
        user, name = f"{parts['dbname']}_user", parts["dbname"]
        configure("[database]\nTYPE = postgres")
        url = {
            who: psycopg.conninfo.make_conninfo(**{**parts, "user": who})
            for who in (parts["user"], user)
        }
        with psycopg.connect(database, autocommit=True) as admin:
            admin.execute(f'CREATE ROLE "{user}" LOGIN')
            try:
                monkeypatch.setenv("MDFACTORY_POSTGRES_URL", database)
                mdfactory("sync", "init", "all")
                admin.execute(f'GRANT ALL ON DATABASE "{name}" TO "{user}"')
                admin.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{user}"')
                admin.execute(f'GRANT ALL ON SCHEMA public TO "{user}"')
                for who in (parts["user"], user, parts["user"]):
                    monkeypatch.setenv("MDFACTORY_POSTGRES_URL", url[who])
                    result = mdfactory("sync", "push", "artifacts", campaign, "--files", "--update")
                    assert result.code == 0, result.err
                    admin.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{user}"')
                assert len(files_below(kept / "registries")) == 1
                assert mdfactory("sync", "prune", "--yes").code == 0
                admin.execute("ALTER SCHEMA public RENAME TO other")
                admin.execute(f'ALTER DATABASE "{name}" SET search_path = other')
                assert "were sent by the PostgreSQL" in mdfactory("sync", "prune", "--yes").err
            finally:
                admin.execute(f'DROP OWNED BY "{user}"')
                admin.execute(f'DROP ROLE "{user}"')


class TestCopy:
    def test_files_go_from_one_file_store_to_the_configured_one(
        self, lab: Program, campaign: Path, kept: Path, tmp_path: Path
    ) -> None:
        expected = artifacts_below(campaign)
        old = kept.rename(tmp_path / "old")
        lab("sync", "init", "artifacts")
        missing = stored(old, expected[f"{OTHER}/{PICTURE}"])
        moved = missing.rename(tmp_path / "moved")
        arguments = ("sync", "copy", "--from", "sqlite", "--to", tmp_path / "new.db", "--files")
        result = lab(*arguments, "--files-from", old, "-n")
        assert "5 files" in result.out or "6 files" in result.out
        assert files_below(kept) == {}
        result = lab(*arguments, "--files-from", old, "--json")
        assert (result.code, result.json["files"]["sent"]) == (3, 5)
        assert result.json["skipped"] == [
            {"path": OTHER, "reason": f"artifact density_plot: {PICTURE} is not in {old}"}
        ]
        assert result.json["identical"]
        moved.rename(missing)
        result = lab(*arguments, "--files-from", old, "--update", "--json")
        assert (result.code, result.json["files"]["sent"]) == (0, 1)
        assert sorted(files_below(kept / "sha256").values()) == sorted(expected.values())

    def test_a_copy_lacks_no_file_that_was_recorded_meanwhile(
        self, lab: Program, campaign: Path, kept: Path, tmp_path: Path
    ) -> None:
        store, source = open_store(load()), open_file_store(str(kept))
        target = open_file_store(str(tmp_path / "new"))
        target.make()
        copier = FileCopier(source, target)
        with store.transaction() as transaction:
            copier.read(transaction)
        copier.copy(dry_run=False, watch=lambda *_: None)
        with store.transaction() as transaction:
            copier.require_copied(transaction)
        (campaign / "new.txt").write_text("new", encoding="utf-8")
        Results(campaign / OTHER).record_artifact("notes", campaign / "new.txt")
        assert lab("sync", "push", "all", campaign, "--update", "--files").code == 0
        with (
            store.transaction() as transaction,
            pytest.raises(StoreChangedError, match="recorded more files meanwhile"),
        ):
            copier.require_copied(transaction)

    def test_both_options_are_needed(self, lab: Program, tmp_path: Path) -> None:
        for arguments in (["--files"], ["--files-from", tmp_path]):
            result = lab("sync", "copy", "--from", "sqlite", "--to", tmp_path / "n.db", *arguments)
            assert result.code == 2
            assert "--files and --files-from URL go together" in result.err


class TestPython:
    def test_files_are_fetched_when_needed_and_checked_each_time(
        self, lab: Program, campaign: Path
    ) -> None:
        expected = artifacts_below(campaign)
        shutil.rmtree(campaign)
        records = package.open_store()
        cache = cache_folder()
        assert cache
        assert not (cache / "files").exists()
        paths = [*records.files("density_plot")]
        names = [path.relative_to(cache / "files").as_posix() for path in paths]
        assert names == sorted(name for name in expected if "density_plot" in name)
        assert [path.read_bytes() for path in paths] == [expected[name] for name in names]
        paths[0].write_bytes(b"damaged")
        (path,) = records.files("density_plot", hash=names[0][:8])
        assert path.read_bytes() == expected[names[0]]
        assert len([*records.files()]) == 6

    def test_a_file_that_cannot_be_had_is_a_warning(
        self, mdfactory: Program, pushed_all: Path
    ) -> None:
        shutil.rmtree(pushed_all / OTHER)
        records = package.open_store()
        with pytest.warns(UserWarning, match=f"{OTHER}: artifact density_plot: .* is missing in"):
            assert len([*records.files("density_plot")]) == 2


def test_init_check_tells_whether_a_file_store_can_be_used(mdfactory: Program, kept: Path) -> None:
    mdfactory("sync", "init", "all")
    result = mdfactory("sync", "init", "check")
    assert result.code == 0
    assert f"ok  file store {kept}: write access" in result.out
    shutil.rmtree(kept)
    result = mdfactory("sync", "init", "check")
    assert result.code == 1
    assert "does not exist. Run: mdfactory sync init artifacts" in result.out


def test_config_init_asks_for_a_file_store(mdfactory: Program, tmp_path: Path) -> None:
    result = mdfactory("config", "init", "--type", "sqlite", "--files", tmp_path / "kept", "--yes")
    assert result.code == 0
    assert load().files == f"{tmp_path}/kept"
    assert (tmp_path / "kept" / "sha256").is_dir()
    result = mdfactory("config", "init", "--files", "s3://key:secret@bucket/x", "--yes")
    assert result.code == 2
    assert "secret@" not in result.err
    result = mdfactory("config", "init", "--files", "s3://", "--yes")
    assert result.code == 2
    assert "names no bucket" in result.err


def test_secrets_of_a_file_store_are_not_shown(mdfactory: Program) -> None:
    configure("[files]\nURL = s3://key:se/cr+et@bucket/prefix\nENDPOINT_URL = http://127.0.0.1:9")
    for arguments in (["config", "show"], ["config", "show", "--json"]):
        result = mdfactory(*arguments)
        assert "se/cr+et" not in result.out + result.err
        assert "s3://key:***@bucket/prefix" in result.out
    result = mdfactory("sync", "init", "artifacts", "--debug")
    assert result.code == 1
    assert "se/cr+et" not in result.out + result.err


def test_a_report_takes_pictures_from_the_file_store(
    lab: Program, campaign: Path, kept: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"

    def pictures() -> tuple[int, str]:
        result = lab("report", page, "--json")
        return result.json["counts"]["pictures"], result.err

    assert pictures() == (3, "")
    shutil.rmtree(campaign)
    stored(kept, (EXAMPLE / OTHER / ".analysis" / PICTURE).read_bytes()).write_bytes(b"wrong")
    assert pictures() == (2, "")
    before = page.read_bytes()
    assert pictures() == (2, "")
    assert page.read_bytes() == before
    shutil.rmtree(kept)
    number, note = pictures()
    assert number == 0
    assert f"files are taken from disk only: the file store {kept} does not exist" in note
    config = Path(os.environ["MDFACTORY_CONFIG_DIR"], "config.ini")
    config.write_text("[files]\nURL = gs://bucket/files\n", encoding="utf-8")
    number, note = pictures()
    assert number == 0
    assert "files are taken from disk only: the file store gs://bucket/files needs a libr" in note
