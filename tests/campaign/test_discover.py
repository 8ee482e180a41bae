"""`discover`: folders at any depth, glob patterns, build summaries."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.slowdisk import slow

from mdfactory.campaign.discover import CsvSource, Folders, discover, roots
from mdfactory.campaign.scan_index import Reading, ScanIndex
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import SourceError

WATER = "simulation_type: mixedbox\nsystem: {species: [{smiles: O, resname: SOL, count: %d}]}\n"


def _make_simulation(folder: Path, count: int = 1) -> Path:
    """Make a simulation folder; each count makes a different simulation."""
    folder.mkdir(parents=True)
    (folder / "build.yaml").write_text(WATER % count, encoding="utf-8")
    return folder


def _folders(source: str | Path) -> list[Path]:
    """Return the folders of the simulations of a source, which has no invalid ones."""
    discoveries = list(discover(str(source)))
    assert all(isinstance(discovery, Simulation) for discovery in discoveries), discoveries
    return [found.directory for found in discoveries if isinstance(found, Simulation)]


def _skipped(source: str | Path) -> list[Skipped]:
    return [skipped for skipped in discover(str(source)) if isinstance(skipped, Skipped)]


def test_discover_yields_the_simulations_of_a_campaign_in_order_of_paths(campaign: Path) -> None:
    folders = _folders(campaign)
    assert folders == sorted(path.parent for path in campaign.glob("*/*.yaml"))
    assert len(folders) == 8


def test_discover_yields_a_source_that_is_itself_a_simulation(tmp_path: Path) -> None:
    folder = _make_simulation(tmp_path / "one")
    assert _folders(folder) == [folder]


def test_discover_searches_to_any_depth(tmp_path: Path) -> None:
    folders = [
        _make_simulation(tmp_path / name, n) for n, name in enumerate(["a/b/c/d", "a/b/e", "f"], 1)
    ]
    assert _folders(tmp_path) == folders


def test_discover_does_not_search_inside_a_simulation(tmp_path: Path) -> None:
    outer = _make_simulation(tmp_path / "outer")
    _make_simulation(outer / "inner", 2)
    assert _folders(tmp_path) == [outer]


def test_discover_searches_below_a_source_that_is_a_simulation(tmp_path: Path) -> None:
    outer = _make_simulation(tmp_path / "outer")
    inner = _make_simulation(outer / "a" / "inner", 2)
    _make_simulation(inner / "innermost", 3)
    assert _folders(outer) == [outer, inner]
    assert _folders(tmp_path / "out*") == [outer]
    table = tmp_path / "campaign.csv"
    header = "simulation_type,system.species.SOL.smiles,system.species.SOL.count"
    table.write_text(f"{header}\nmixedbox,O,2\n")
    found = [each.path for each in discover(CsvSource(table, outer))]
    assert found == [str(inner)]


def test_discover_does_not_search_hidden_folders(tmp_path: Path) -> None:
    _make_simulation(tmp_path / ".trash" / "a")
    assert _folders(tmp_path) == []


def test_discover_searches_a_hidden_folder_that_is_the_source(tmp_path: Path) -> None:
    folder = _make_simulation(tmp_path / ".trash" / "a")
    assert _folders(tmp_path / ".trash") == [folder]


def test_discover_searches_below_an_invalid_simulation(tmp_path: Path) -> None:
    (tmp_path / "build.yaml").write_text("{}", encoding="utf-8")
    folder = _make_simulation(tmp_path / "a")
    _, simulation = list(discover(str(tmp_path)))
    assert [skipped.path for skipped in _skipped(tmp_path)] == [str(tmp_path)]
    assert isinstance(simulation, Simulation)
    assert simulation.directory == folder


def test_discover_follows_symlinks_and_yields_each_folder_once_by_its_own_path(
    tmp_path: Path,
) -> None:
    real = _make_simulation(tmp_path / "root" / "z" / "real")
    elsewhere = _make_simulation(tmp_path / "elsewhere", 2)
    (tmp_path / "root" / "a").symlink_to(real)
    (tmp_path / "root" / "b").symlink_to(elsewhere)
    assert _folders(tmp_path / "root") == [real, tmp_path / "root" / "b"]


def test_discover_ends_in_a_loop_of_symlinks(tmp_path: Path) -> None:
    folder = _make_simulation(tmp_path / "a" / "one")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "a" / "nowhere").symlink_to(tmp_path / "missing")
    assert _folders(tmp_path) == [folder]


def test_discover_keeps_the_path_of_a_source_that_is_a_symlink(tmp_path: Path) -> None:
    _make_simulation(tmp_path / "real" / "one")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert _folders(tmp_path / "link") == [tmp_path / "link" / "one"]


@pytest.mark.parametrize(
    "pattern", ["batch_?/*", "batch_*", "**", "batch_[ab]", "./batch_a/../batch_?"]
)
def test_discover_searches_the_folders_that_a_pattern_matches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    root = tmp_path / "with [brackets]"
    folders = [
        _make_simulation(root / "batch_a" / "1", 1),
        _make_simulation(root / "batch_b" / "2", 2),
    ]
    (root / "batch_c.txt").touch()
    monkeypatch.chdir(root)
    assert sorted(_folders(pattern)) == folders


def test_discover_ends_for_a_recursive_pattern_in_a_loop_of_symlinks(tmp_path: Path) -> None:
    folder = _make_simulation(tmp_path / "a" / "one")
    for name in ("x", "y"):
        (tmp_path / "a" / name).symlink_to(".")
    assert _folders(tmp_path / "**") == [folder]
    assert _folders(tmp_path / "**" / "one") == [folder]


@pytest.mark.parametrize("name", ["~nobody_of_this_name/x", "n" * 300, "a\0b"])
def test_discover_rejects_a_source_that_is_an_impossible_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="there is no (such|user)"):
        discover(name)
    summary = tmp_path / "all.yaml"
    _make_simulation(tmp_path / "good")
    text = json.dumps({"system_directory": ["good", name, None]})
    summary.write_text(text, encoding="utf-8")
    discoveries = list(discover(str(summary)))
    assert [type(discovery) for discovery in discoveries] == [Simulation, Skipped, Skipped]


def test_discover_takes_an_existing_folder_named_like_a_pattern_literally(tmp_path: Path) -> None:
    folder = _make_simulation(tmp_path / "batch_[ab]")
    assert _folders(folder) == [folder]


def test_discover_yields_absolute_paths_for_a_relative_source(
    campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(campaign.parent)
    assert _folders("campaign") == _folders(campaign)
    monkeypatch.chdir(campaign)
    assert _folders(".") == _folders(campaign)


def test_discover_yields_the_folders_of_a_summary_in_its_order(
    campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path("/"))
    folders = _folders(campaign / "campaign.yaml")
    assert " ".join(folder.name[:8] for folder in folders) == (
        "CC4D89E0 0BDC04CC E6475BA8 96964558 D7EB9914 FD017140 2071DE63 24BD07FD"
    )
    assert set(folders) == set(_folders(campaign))


def test_discover_lists_each_folder_and_opens_its_yaml_once(campaign: Path) -> None:
    folders = tuple(map(str, _folders(campaign)))
    for source in (str(campaign), str(campaign / "campaign.yaml"), Folders(folders)):
        with slow(campaign, 0) as calls:
            assert len(list(discover(source))) == 8
        extra = source != Folders(folders)  # the campaign's own folder, and its summary
        assert (calls["scandir"], calls["open"]) in {(8 + extra, 8 + extra), (8, 8 + extra)}
        assert calls["stat"] <= 2


def test_discover_reads_a_summary_again_only_after_a_change(campaign: Path, tmp_path: Path) -> None:
    summary = campaign / "campaign.yaml"
    paths = sorted(map(str, _folders(summary)))
    for source in (summary, campaign, summary):
        with ScanIndex(tmp_path / "scan.db", settled_after=0) as index:
            discoveries = discover(str(source), Reading(index, 1))
            assert sorted(discovery.path for discovery in discoveries) == paths
    with ScanIndex(tmp_path / "scan.db", settled_after=0) as index, slow(campaign, 0) as calls:
        reading = Reading(index, 1, digests_only=True)
        assert roots(str(summary), reading) == roots(str(summary))
        assert calls["open"] == 1  # by the call without an index
        assert len(list(discover(str(summary), reading))) == 8
        assert calls["open"] == 1
    summary.write_text(f"system_directory: [{_folders(campaign)[0]}]", encoding="utf-8")
    with ScanIndex(tmp_path / "scan.db", settled_after=0) as index:
        assert len(list(discover(str(summary), Reading(index)))) == 1


def _write_long_summary(file: Path) -> None:
    folders = [f"{'0' * 120}/{number:040X}" for number in range(100_000)]
    lines = ["system_directory:", *(f"- {folder}" for folder in folders), "hash:"]
    lines += [f"- {folder[-40:]}" for folder in folders]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert file.stat().st_size > 2 * 10**7


def test_discover_reads_a_summary_of_a_hundred_thousand_simulations(tmp_path: Path) -> None:
    _write_long_summary(tmp_path / "all.yaml")
    first = next(discover(str(tmp_path / "all.yaml")))
    assert isinstance(first, Skipped)
    assert "there is no such folder" in first.reason


@pytest.mark.parametrize("name", ["campaign", "other"])
def test_discover_does_not_take_a_long_summary_for_a_build_input(campaign: Path, name: str) -> None:
    """The summary may be named after its folder, as a BuildInput is."""
    folders = _folders(campaign)
    _write_long_summary(campaign / f"{name}.yaml")
    assert _folders(campaign) == folders
    assert _skipped(campaign) == []


def test_discover_finds_the_folders_of_a_campaign_that_moved_with_its_summary(
    campaign: Path,
) -> None:
    summary = campaign / "campaign.yaml"
    text = summary.read_text(encoding="utf-8").replace("./", "/scratch/gone/")
    summary.write_text(text, encoding="utf-8")
    moved = Path(shutil.move(campaign, campaign.parent / "moved"))
    assert sorted(_folders(moved / "campaign.yaml")) == _folders(moved)


@pytest.mark.parametrize("source", ["link/../camp", "link/../ca*", "link/../all.yaml", "csv"])
def test_a_source_beyond_a_link_is_that_of_the_operating_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    folder = _make_simulation(tmp_path / "real" / "camp" / "one")
    _make_simulation(tmp_path / "camp" / "two", 2)
    (tmp_path / "real" / "deep").mkdir()
    (tmp_path / "link").symlink_to("real/deep")
    summary = tmp_path / "real" / "all.yaml"
    summary.write_text("system_directory: [deep/../camp/one, ../link/../camp/one]\n", "utf-8")
    table = tmp_path / "real" / "rows.csv"
    columns = "simulation_type,system.species.SOL.smiles,system.species.SOL.count"
    table.write_text(f"{columns}\nmixedbox,O,1\nmixedbox,O,2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    beyond = CsvSource(Path("link/../rows.csv"), Path("link/../camp"))
    discoveries = list(discover(beyond if source == "csv" else source))
    assert [found.path for found in discoveries if isinstance(found, Simulation)] == [str(folder)]


def test_a_source_below_a_missing_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make_simulation(tmp_path / "camp" / "one")
    monkeypatch.chdir(tmp_path)
    for source in ("missing/../camp", "missing/../ca*"):
        with pytest.raises(SourceError, match=r"missing/\.\./ca"):
            discover(source)


@pytest.mark.parametrize("name", ["0450", "2024_01_15", "2024-1-5", "12:30", "1_0.5", "+1", "0x1F"])
def test_a_listed_folder_may_have_a_name_that_looks_like_a_number(
    tmp_path: Path, name: str
) -> None:
    folder = _make_simulation(tmp_path / name)
    (tmp_path / "all.yaml").write_text(f"system_directory:\n- {name}\n", encoding="utf-8")
    assert _folders(tmp_path / "all.yaml") == [folder]


def test_discover_skips_listed_folders_that_are_missing_or_no_simulations(tmp_path: Path) -> None:
    _make_simulation(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    summary = tmp_path / "all.yaml"
    summary.write_text(
        "system_directory: [good, empty, missing, ./good, ../..]\n", encoding="utf-8"
    )
    assert [(skipped.path, skipped.reason) for skipped in _skipped(summary)] == [
        (str(tmp_path / "empty"), "it holds no BuildInput YAML"),
        (str(tmp_path / "missing"), "listed in all.yaml, but there is no such folder"),
        (str(tmp_path.parent.parent), "it holds no BuildInput YAML"),
    ]
    assert len(list(discover(str(summary)))) == 4


@pytest.mark.parametrize("name", ["campaign.yaml", "build.yaml", "other.yaml"])
def test_discover_takes_no_summary_for_a_build_input_whatever_its_keys(
    tmp_path: Path, name: str
) -> None:
    """A newer version may write more keys into a summary."""
    folder = tmp_path / "campaign"
    simulation = _make_simulation(folder / "good")
    values = {"system_directory": ["good"], "simulation_type": ["membrane"], "system": {"x": 1}}
    (folder / name).write_text(json.dumps(values | {"format": 2}), encoding="utf-8")
    for source in (folder, folder / name):
        assert _folders(source) == [simulation]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("missing.yaml", None, "no such folder, build summary or pattern"),
        ("batch_*", None, "no folder matches this pattern"),
        ("build.yaml", WATER % 1, "it is a BuildInput; give its folder instead"),
        ("list.csv", "simulation_type\nmixedbox\n", "is given with --csv"),
        ("index.csv", ",simulation_type\n0,mixedbox\n", "is given with --csv"),
        ("semicolons.CSV", "simulation_type: a; b: c\n", "is given with --csv"),
        ("other.yaml", "jobs: 3\n", "no list 'system_directory'"),
        ("one.yaml", "system_directory: a\n", "no list 'system_directory'"),
        ("broken.yaml", "{", "not a build summary: line 2"),
        ("empty.yaml", "", "no list 'system_directory'"),
    ],
)
def test_discover_names_a_source_that_it_cannot_read(
    tmp_path: Path, name: str, text: str | None, reason: str
) -> None:
    source = tmp_path / name
    if text is not None:
        source.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=reason.replace("'", ".")) as caught:
        discover(str(source))
    assert str(source) in str(caught.value)


def test_discover_skips_a_listed_folder_of_an_unknown_user(tmp_path: Path) -> None:
    summary = tmp_path / "summary.yaml"
    summary.write_text("system_directory: [~no_one/x, ~no_one/y]\n", encoding="utf-8")
    skipped = _skipped(summary)
    assert [each.path for each in skipped] == [f"{tmp_path}/~no_one/{name}" for name in "xy"]
    assert {each.reason for each in skipped} == {
        "listed in summary.yaml, but there is no such folder"
    }


def test_discover_skips_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(folder)).mkdir()
    Path(os.fsdecode(folder), "build.yaml").write_text(WATER % 1, encoding="utf-8")
    (skipped,) = _skipped(tmp_path)
    assert skipped.path == f"{tmp_path}/\\xff"
    assert "UTF-8" in skipped.reason


def _make_fifo(path: Path) -> None:
    os.mkfifo(path)


def _make_dangling_link(path: Path) -> None:
    path.symlink_to("missing")


def _make_looping_link(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [_make_fifo, _make_dangling_link, _make_looping_link])
def test_discover_names_a_build_input_that_is_not_a_file_and_does_not_open_it(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "build.yaml")
    make(tmp_path / "other.yaml")
    (skipped,) = _skipped(tmp_path)
    assert skipped.reason == "build.yaml: is not a file that can be read"
