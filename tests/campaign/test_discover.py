"""From a SOURCE to simulations: folders at any depth, patterns, build summaries."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.slowdisk import slow

from mdfactory.campaign.discover import Folders, discover, roots
from mdfactory.campaign.scan_index import Reading, ScanIndex
from mdfactory.campaign.simulation import Simulation, Skipped
from mdfactory.errors import SourceError

WATER = "simulation_type: mixedbox\nsystem: {species: [{smiles: O, resname: SOL, count: %d}]}\n"


def _make(folder: Path, count: int = 1) -> Path:
    """Make a simulation folder; another count is another simulation."""
    folder.mkdir(parents=True)
    (folder / "build.yaml").write_text(WATER % count, encoding="utf-8")
    return folder


def _found(source: str | Path) -> list[Path]:
    items = list(discover(str(source)))
    assert all(isinstance(item, Simulation) for item in items), items
    return [item.directory for item in items if isinstance(item, Simulation)]


def _skipped(source: str | Path) -> list[Skipped]:
    return [item for item in discover(str(source)) if isinstance(item, Skipped)]


def test_a_campaign_is_found_in_the_order_of_its_paths(campaign: Path) -> None:
    found = _found(campaign)
    assert found == sorted(path.parent for path in campaign.glob("*/*.yaml"))
    assert len(found) == 8


def test_a_source_that_is_a_simulation_is_that_one(tmp_path: Path) -> None:
    folder = _make(tmp_path / "one")
    assert _found(folder) == [folder]


def test_simulations_are_found_at_any_depth(tmp_path: Path) -> None:
    folders = [_make(tmp_path / name, n) for n, name in enumerate(["a/b/c/d", "a/b/e", "f"], 1)]
    assert _found(tmp_path) == folders


def test_what_lies_in_a_simulation_is_not_looked_at(tmp_path: Path) -> None:
    outer = _make(tmp_path / "outer")
    _make(outer / "inner", 2)
    assert _found(tmp_path) == [outer]


def test_hidden_folders_are_not_looked_at(tmp_path: Path) -> None:
    _make(tmp_path / ".trash" / "a")
    assert _found(tmp_path) == []


def test_a_hidden_folder_that_was_asked_for_is(tmp_path: Path) -> None:
    folder = _make(tmp_path / ".trash" / "a")
    assert _found(tmp_path / ".trash") == [folder]


def test_what_lies_below_an_invalid_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "build.yaml").write_text("{}", encoding="utf-8")
    folder = _make(tmp_path / "a")
    found = list(discover(str(tmp_path)))
    assert [type(item) for item in found] == [Skipped, Simulation]
    assert isinstance(found[1], Simulation)
    assert found[1].directory == folder


def test_symlinks_are_followed_and_a_folder_is_found_once_by_its_own_path(tmp_path: Path) -> None:
    real = _make(tmp_path / "root" / "z" / "real")
    elsewhere = _make(tmp_path / "elsewhere", 2)
    (tmp_path / "root" / "a").symlink_to(real)
    (tmp_path / "root" / "b").symlink_to(elsewhere)
    assert _found(tmp_path / "root") == [real, tmp_path / "root" / "b"]


def test_a_loop_of_symlinks_ends(tmp_path: Path) -> None:
    folder = _make(tmp_path / "a" / "one")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "a" / "nowhere").symlink_to(tmp_path / "missing")
    assert _found(tmp_path) == [folder]


def test_a_source_that_is_a_symlink_keeps_its_name(tmp_path: Path) -> None:
    _make(tmp_path / "real" / "one")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert _found(tmp_path / "link") == [tmp_path / "link" / "one"]


@pytest.mark.parametrize(
    "pattern", ["batch_?/*", "batch_*", "**", "batch_[ab]", "./batch_a/../batch_?"]
)
def test_a_pattern_gives_the_folders_that_it_matches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    root = tmp_path / "with [brackets]"
    folders = [_make(root / "batch_a" / "1", 1), _make(root / "batch_b" / "2", 2)]
    (root / "batch_c.txt").touch()
    monkeypatch.chdir(root)
    assert sorted(_found(pattern)) == folders


def test_a_pattern_of_any_depth_does_not_go_round_in_circles(tmp_path: Path) -> None:
    folder = _make(tmp_path / "a" / "one")
    for name in ("x", "y"):
        (tmp_path / "a" / name).symlink_to(".")
    assert _found(tmp_path / "**") == [folder]
    assert _found(tmp_path / "**" / "one") == [folder]


@pytest.mark.parametrize("name", ["~nobody_of_this_name/x", "n" * 300, "a\0b"])
def test_a_source_that_cannot_be_a_path_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="there is no such"):
        discover(name)
    summary = tmp_path / "all.yaml"
    _make(tmp_path / "good")
    text = json.dumps({"system_directory": ["good", name, None]})
    summary.write_text(text, encoding="utf-8")
    items = list(discover(str(summary)))
    assert [type(item) for item in items] == [Simulation, Skipped, Skipped]


def test_a_folder_whose_name_looks_like_a_pattern_is_that_folder(tmp_path: Path) -> None:
    folder = _make(tmp_path / "batch_[ab]")
    assert _found(folder) == [folder]


def test_a_relative_source_gives_absolute_folders(
    campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(campaign.parent)
    assert _found("campaign") == _found(campaign)
    monkeypatch.chdir(campaign)
    assert _found(".") == _found(campaign)


def test_a_summary_gives_the_folders_that_it_lists_in_its_order(
    campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path("/"))
    found = _found(campaign / "campaign.yaml")
    assert " ".join(folder.name[:8] for folder in found) == (
        "CC4D89E0 0BDC04CC E6475BA8 96964558 D7EB9914 FD017140 2071DE63 24BD07FD"
    )
    assert set(found) == set(_found(campaign))


def test_each_folder_of_a_source_costs_a_listing_and_an_open_file(campaign: Path) -> None:
    folders = tuple(map(str, _found(campaign)))
    for source in (str(campaign), str(campaign / "campaign.yaml"), Folders(folders)):
        with slow(campaign, 0) as calls:
            assert len(list(discover(source))) == 8
        own = source != Folders(folders)  # the campaign's own folder, and its summary
        assert (calls["scandir"], calls["open"]) in {(8 + own, 8 + own), (8, 8 + own)}
        assert calls["stat"] <= 2


def test_a_summary_is_read_once_until_it_changes(campaign: Path, tmp_path: Path) -> None:
    summary = campaign / "campaign.yaml"
    plain = [str(path) for path in _found(summary)]
    for source in (summary, campaign, summary):
        with ScanIndex(tmp_path / "scan.db", settled_after=0) as index:
            found = discover(str(source), Reading(index, 1))
            assert sorted(one.path for one in found) == sorted(plain)
    with ScanIndex(tmp_path / "scan.db", settled_after=0) as index, slow(campaign, 0) as calls:
        reading = Reading(index, 1, digests_only=True)
        assert roots(str(summary), reading) == roots(str(summary))
        assert calls["open"] == 1  # of the one that has no index
        assert len(list(discover(str(summary), reading))) == 8
        assert calls["open"] == 1
    summary.write_text(f"system_directory: [{_found(campaign)[0]}]", encoding="utf-8")
    with ScanIndex(tmp_path / "scan.db", settled_after=0) as index:
        assert len(list(discover(str(summary), Reading(index)))) == 1


def _long_summary(file: Path) -> None:
    folders = [f"{'0' * 120}/{number:040X}" for number in range(100_000)]
    lines = ["system_directory:", *(f"- {one}" for one in folders), "hash:"]
    lines += [f"- {one[-40:]}" for one in folders]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert file.stat().st_size > 2 * 10**7


def test_a_summary_may_list_a_hundred_thousand_simulations(tmp_path: Path) -> None:
    _long_summary(tmp_path / "all.yaml")
    first = next(discover(str(tmp_path / "all.yaml")))
    assert isinstance(first, Skipped)
    assert "there is no such folder" in first.reason


@pytest.mark.parametrize("name", ["campaign", "other"])
def test_a_long_summary_in_the_folder_of_its_campaign_is_no_simulation(
    campaign: Path, name: str
) -> None:
    """Its name may be that of the folder, as a BuildInput's is."""
    found = _found(campaign)
    _long_summary(campaign / f"{name}.yaml")
    assert _found(campaign) == found
    assert _skipped(campaign) == []


def test_a_summary_of_a_campaign_that_moved_finds_its_folders(campaign: Path) -> None:
    summary = campaign / "campaign.yaml"
    text = summary.read_text(encoding="utf-8").replace("./", "/scratch/gone/")
    summary.write_text(text, encoding="utf-8")
    moved = Path(shutil.move(campaign, campaign.parent / "moved"))
    assert sorted(_found(moved / "campaign.yaml")) == _found(moved)


def test_folders_of_a_summary_that_are_missing_or_none_are_skipped(tmp_path: Path) -> None:
    _make(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    summary = tmp_path / "all.yaml"
    summary.write_text(
        "system_directory: [good, empty, missing, ./good, ../..]\n", encoding="utf-8"
    )
    assert [(item.path, item.reason) for item in _skipped(summary)] == [
        (str(tmp_path / "empty"), "it holds no BuildInput YAML"),
        (str(tmp_path / "missing"), "listed in all.yaml, but there is no such folder"),
        (str(tmp_path.parent.parent), "it holds no BuildInput YAML"),
    ]
    assert len(list(discover(str(summary)))) == 4


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("missing.yaml", None, "no such folder, build summary or pattern"),
        ("batch_*", None, "no folder matches this pattern"),
        ("build.yaml", WATER % 1, "it is a BuildInput; give its folder instead"),
        ("list.csv", "simulation_type\nmixedbox\n", "--csv"),
        ("other.yaml", "jobs: 3\n", "no list 'system_directory'"),
        ("one.yaml", "system_directory: a\n", "no list 'system_directory'"),
        ("broken.yaml", "{", "not a build summary: line 2"),
        ("empty.yaml", "", "no list 'system_directory'"),
    ],
)
def test_a_source_of_another_kind_is_an_error_that_names_it(
    tmp_path: Path, name: str, text: str | None, reason: str
) -> None:
    source = tmp_path / name
    if text is not None:
        source.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=reason.replace("'", ".")) as caught:
        discover(str(source))
    assert str(source) in str(caught.value)


def test_a_path_that_is_no_utf8_is_skipped(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(folder)).mkdir()
    Path(os.fsdecode(folder), "build.yaml").write_text(WATER % 1, encoding="utf-8")
    (item,) = _skipped(tmp_path)
    assert item.path == f"{tmp_path}/\\xff"
    assert "UTF-8" in item.reason


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _dangling(path: Path) -> None:
    path.symlink_to("missing")


def _looping(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [_fifo, _dangling, _looping])
def test_what_stands_in_place_of_a_build_input_is_named_and_not_opened(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "build.yaml")
    make(tmp_path / "other.yaml")
    (item,) = _skipped(tmp_path)
    assert item.reason == "build.yaml: is not a file that can be read"
