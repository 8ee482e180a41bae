"""The part of the contract suite about writes: conflict modes, digests and sidecars."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest
from hypothesis import given, settings

from mdfactory.campaign.collect import Scope
from mdfactory.campaign.results import Results
from mdfactory.errors import ConflictError
from mdfactory.frames.codec import Frame, decode, encode
from mdfactory.notebook import Records
from mdfactory.records.arrow import array, batch, texts
from mdfactory.records.digests import content_digests, record_digest
from mdfactory.records.merge import Counts, Resolution
from mdfactory.records.query import OneOf
from mdfactory.records.tables import (
    FRAME_SIDECARS,
    OVERVIEW,
    SIMULATIONS,
    Namespace,
    Table,
    digest_table,
)
from mdfactory.records.vocabulary import ConflictMode, ResultType
from mdfactory.stores.store import Store
from mdfactory.sync.initialise import initialise
from mdfactory.sync.push import push
from mdfactory.testing.frames import MODERATE, assert_same, pandas_frames, tables
from mdfactory.testing.operations import FRESH
from mdfactory.testing.raw import StoreUnderTest, read_hashes, read_rows, write_records
from mdfactory.testing.records import (
    DENSITY,
    EXAMPLE_TABLES,
    LATE_TIME,
    analysis,
    analysis_with_sidecar,
    digest_rows,
    overview,
    records,
    run,
)

FRAMES_PER_STORE: Final = 15
"""Frames that Hypothesis draws for a store: few, since tests of the codec draw many more."""

UNTAGGED: Final = '{"simulation_type":"mixedbox","engine":"gromacs"'
TAGGED: Final = f'{UNTAGGED},"tags":{{"a":"1","b":"ä"}}}}'

SAME_TAGS: Final = [
    (f'{UNTAGGED},"tags":{{"b":"ä","a":"1"}}}}', TAGGED),
    (f'{UNTAGGED},"tags":{{"b":"\\u00e4","a":"1"}}}}', TAGGED),
    (f'{UNTAGGED},"tags":null}}', f"{UNTAGGED}}}"),
    (f'{UNTAGGED},"tags":{{}}}}', f"{UNTAGGED}}}"),
]
"""Pairs of texts of BuildInputs that differ only in how the same tags are written."""

OTHER_TAGS: Final = [
    (f"{UNTAGGED}}}", TAGGED),
    (TAGGED, f"{UNTAGGED}}}"),
    (f'{UNTAGGED},"tags":null}}', TAGGED),
    (f'{UNTAGGED},"tags":{{"a":"ä","b":"1"}}}}', TAGGED),
    (f'{UNTAGGED},"tags":{{"a":"1","b":"ä","c":""}}}}', TAGGED),
]
"""Pairs of texts of BuildInputs with different tags."""


BUILD: Final = """
simulation_type: mixedbox
parametrization: smirnoff
system: {species: [{resname: SOL, smiles: O, count: 10}], target_density: 1.0}
"""


class WriteTests(StoreUnderTest):
    """Tests of what every store guarantees for writes, digests and sidecars."""

    # Conflict modes

    def test_refuse_writes_new_records(self, store: Store) -> None:
        assert write_records(store, SIMULATIONS, run("A"), run("B")) == {
            SIMULATIONS.name: Counts(inserted=2)
        }

    def test_refuse_writes_nothing_at_all_on_a_conflict(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("B"))
        incoming = [
            (DENSITY, records(DENSITY, EXAMPLE_TABLES[DENSITY.name][1]("A"))),
            (SIMULATIONS, records(SIMULATIONS, run("A"))),
            (SIMULATIONS, records(SIMULATIONS, run("B", status="completed"), run("C"))),
        ]
        with pytest.raises(ConflictError, match="--update") as caught:
            store.write(incoming, ConflictMode.refuse)
        assert caught.value.conflicts == {SIMULATIONS.name: ("B",)}
        assert read_rows(store, SIMULATIONS) == [tuple(run("B").values())]
        assert store.count(DENSITY) == 0

    def test_skip_keeps_existing_records(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("A"))
        counts = write_records(
            store, SIMULATIONS, run("A", status="completed"), run("B"), mode=ConflictMode.skip
        )
        assert counts == {SIMULATIONS.name: Counts(inserted=1, skipped=1)}
        assert sorted(read_rows(store, SIMULATIONS)) == [
            tuple(run(hash_).values()) for hash_ in "AB"
        ]

    def test_force_overwrites_existing_records(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("A"))
        renewed = [run("A", timestamp_utc=LATE_TIME), run("B", timestamp_utc=LATE_TIME)]
        counts = write_records(store, SIMULATIONS, *renewed, mode=ConflictMode.force)
        assert counts == {SIMULATIONS.name: Counts(inserted=1, updated=1)}
        assert sorted(read_rows(store, SIMULATIONS)) == [tuple(row.values()) for row in renewed]

    def test_update_overwrites_only_changed_records(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("A"), run("B"))
        changed = run("B", status="completed", timestamp_utc=LATE_TIME)
        counts = write_records(
            store,
            SIMULATIONS,
            run("A", timestamp_utc=LATE_TIME),
            changed,
            run("C"),
            mode=ConflictMode.update,
        )
        assert counts == {SIMULATIONS.name: Counts(inserted=1, updated=1, unchanged=1)}
        rows = [run("A"), changed, run("C")]
        assert sorted(read_rows(store, SIMULATIONS)) == [tuple(row.values()) for row in rows]

    def test_update_compares_records_of_another_program_too(self, store: Store) -> None:
        self.raw_put(SIMULATIONS, [tuple(run(hash_).values()) for hash_ in "AB"])
        changed = run("B", status="completed")
        counts = write_records(
            store, SIMULATIONS, run("A", timestamp_utc=LATE_TIME), changed, mode=ConflictMode.update
        )
        assert counts == {SIMULATIONS.name: Counts(updated=1, unchanged=1)}

    def test_update_detects_a_record_rewritten_by_another_program(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("A"))
        digests = self.raw_rows(digest_table(Namespace.runs))
        store.delete(SIMULATIONS)
        self.raw_put(
            SIMULATIONS, [tuple(run("A", status="completed", timestamp_utc=LATE_TIME).values())]
        )
        self.raw_put(digest_table(Namespace.runs), digests)
        assert write_records(store, SIMULATIONS, run("A"), mode=ConflictMode.update) == {
            SIMULATIONS.name: Counts(updated=1)
        }
        assert read_rows(store, SIMULATIONS) == [tuple(run("A").values())]

    def test_update_of_many_unchanged_records_changes_none(self, store: Store) -> None:
        rows = [run(f"{number:04}") for number in range(3_000)]
        write_records(store, SIMULATIONS, *rows)
        counts = write_records(store, SIMULATIONS, *rows, mode=ConflictMode.update)
        assert counts == {SIMULATIONS.name: Counts(unchanged=3_000)}

    def test_records_that_share_a_part_of_their_key_are_distinguished(self, store: Store) -> None:
        write_records(store, OVERVIEW, overview("A", "density"), overview("A", "rdf"))
        changed = overview("A", "rdf", status="completed")
        fresh = overview("B", "rdf")
        counts = write_records(
            store, OVERVIEW, overview("A", "density"), changed, fresh, mode=ConflictMode.update
        )
        assert counts == {OVERVIEW.name: Counts(inserted=1, updated=1, unchanged=1)}
        assert store.count(OVERVIEW) == 3

    def test_a_duplicate_key_in_a_batch_is_refused(self, store: Store) -> None:
        with pytest.raises(ValueError, match="twice"):
            write_records(store, SIMULATIONS, run("A"), run("A"), mode=ConflictMode.force)
        assert read_hashes(store) == []

    @pytest.mark.parametrize("mode", list(ConflictMode))
    def test_a_plan_returns_the_counts_of_the_write_and_writes_nothing(
        self, store: Store, mode: ConflictMode
    ) -> None:
        if mode is not ConflictMode.refuse:
            write_records(store, SIMULATIONS, run("A"), run("B"))
        before = read_rows(store, SIMULATIONS)
        incoming = [
            (SIMULATIONS, records(SIMULATIONS, run("A"), run("B", status="completed"), run("C")))
        ]
        planned = store.plan(incoming, mode)
        assert read_rows(store, SIMULATIONS) == before
        assert planned == store.write(incoming, mode)

    def test_a_plan_raises_the_conflicts_of_the_write(self, store: Store) -> None:
        write_records(store, SIMULATIONS, run("A"))
        with pytest.raises(ConflictError):
            store.plan([(SIMULATIONS, records(SIMULATIONS, run("A")))], ConflictMode.refuse)

    # Tags

    @pytest.mark.parametrize("is_foreign", [True, False], ids=["foreign", "own"])
    @pytest.mark.parametrize(("stored", "incoming"), SAME_TAGS)
    def test_tags_in_another_order_are_unchanged_and_left_as_they_are(
        self, store: Store, stored: str, incoming: str, *, is_foreign: bool
    ) -> None:
        before = run("A", input_data=stored)
        if is_foreign:
            self.raw_put(SIMULATIONS, [tuple(before.values())])
        else:
            write_records(store, SIMULATIONS, before)
        after = run("A", input_data=incoming, timestamp_utc=LATE_TIME)
        with store.transaction() as transaction:
            rows = digest_rows(SIMULATIONS, after)
            resolution = transaction.classify(SIMULATIONS, rows, ConflictMode.update)
        assert resolution == Resolution(unchanged=[0])
        counts = write_records(store, SIMULATIONS, after, mode=ConflictMode.update)
        assert counts == {SIMULATIONS.name: Counts(unchanged=1)}
        assert read_rows(store, SIMULATIONS) == [tuple(before.values())]

    @pytest.mark.parametrize("mode", [ConflictMode.update, ConflictMode.force])
    @pytest.mark.parametrize(("stored", "incoming"), OTHER_TAGS)
    def test_other_tags_are_a_change(
        self, store: Store, stored: str, incoming: str, mode: ConflictMode
    ) -> None:
        write_records(store, SIMULATIONS, run("A", input_data=stored))
        after = run("A", input_data=incoming)
        counts = write_records(store, SIMULATIONS, after, mode=mode)
        assert counts == {SIMULATIONS.name: Counts(updated=1)}
        assert read_rows(store, SIMULATIONS) == [tuple(after.values())]

    # Digest rows

    @pytest.mark.parametrize("table", [SIMULATIONS, DENSITY], ids=lambda table: table.name)
    def test_digest_rows_are_classified_by_conflict_mode(self, store: Store, table: Table) -> None:
        expected = {
            ConflictMode.update: (Counts(unchanged=1), [1, 2]),
            ConflictMode.skip: (Counts(skipped=2), [2]),
            ConflictMode.force: (Counts(), [0, 1, 2]),
            ConflictMode.refuse: (Counts(), [0, 1, 2]),
        }
        example = analysis_with_sidecar if table is DENSITY else run
        write_records(store, table, example("A"), example("B"))
        before = read_rows(store, table)
        rows = digest_rows(table, example("A"), example("B", directory="/moved/B"), example("C"))
        with store.operation("push") as transaction:
            for mode, classified in expected.items():
                resolution = transaction.classify(table, rows, mode)
                counts = Counts(unchanged=len(resolution.unchanged), skipped=len(resolution.skip))
                positions = [*resolution.insert, *resolution.replace, *resolution.refuse]
                assert (counts, sorted(positions)) == classified, mode
        assert read_rows(store, table) == before

    def test_a_digest_row_with_another_sidecar_digest_is_changed(self, store: Store) -> None:
        write_records(
            store,
            DENSITY,
            analysis_with_sidecar("A", digest="1"),
            analysis_with_sidecar("B", digest="1"),
        )
        rows = digest_rows(
            DENSITY, analysis_with_sidecar("A", digest="1"), analysis_with_sidecar("B", digest="2")
        )
        with store.transaction() as transaction:
            resolution = transaction.classify(DENSITY, rows, ConflictMode.update)
        assert resolution == Resolution(unchanged=[0], replace=[1])

    def test_all_digest_rows_are_new_if_the_table_is_missing(self, store: Store) -> None:
        rows = digest_rows(FRESH, analysis_with_sidecar("A"), analysis_with_sidecar("B"))
        with store.transaction() as transaction:
            resolution = transaction.classify(FRESH, rows, ConflictMode.update)
        assert resolution == Resolution(insert=[0, 1])

    @pytest.mark.parametrize("table", [SIMULATIONS, DENSITY], ids=lambda table: table.name)
    def test_given_content_digests_are_stored(self, store: Store, table: Table) -> None:
        row = analysis_with_sidecar("A") if table is DENSITY else run("A")
        rows = batch(
            [[row[name] for name in table.schema_with_sidecar.names]], table.schema_with_sidecar
        )
        contents = content_digests(table, rows)
        with_digests = pa.RecordBatch.from_arrays(
            [*rows.columns, array(contents, pa.string())], schema=table.schema_with_digests
        )
        store.write([(table, with_digests)], ConflictMode.refuse)
        with store.transaction() as transaction:
            stored = list(transaction.digests(table, [("A",)]))
        time = rows[table.time][0].as_py()
        assert stored == [(("A",), contents[0], record_digest(contents[0], time))]

    # Digests

    @pytest.mark.parametrize("name", list(EXAMPLE_TABLES))
    def test_every_record_has_its_digests(self, store: Store, name: str) -> None:
        table, example = EXAMPLE_TABLES[name]
        write_records(store, table, example("A"))
        write_records(store, table, example("A"), example("B"), mode=ConflictMode.force)
        stored = records(table, *(example(hash_) for hash_ in "AB"))
        contents = content_digests(table, stored)
        times = texts(stored[table.time])
        expected = {
            (content, record_digest(content, time))
            for content, time in zip(contents, times, strict=True)
        }
        digests = self.raw_digests(table)
        assert {row[-2:] for row in digests} == expected
        assert sorted(row[:2] for row in digests) == [(table.id, "A"), (table.id, "B")]

    def test_a_deleted_record_leaves_no_digest(self, store: Store) -> None:
        write_records(store, OVERVIEW, overview("A", "density"), overview("A", "rdf"))
        store.delete(OVERVIEW, (OneOf("item_name", ("rdf",)),))
        (digest,) = self.raw_digests(OVERVIEW)
        assert digest[:4] == (OVERVIEW.id, "A", "analysis", "density")

    # Sidecars

    def test_sidecars_are_read_with_their_records(self, store: Store) -> None:
        write_records(
            store,
            DENSITY,
            analysis_with_sidecar("A"),
            analysis_with_sidecar("B", arrow_ipc="b" * 1_000),
        )
        assert self._read_with_sidecars(store) == {
            "A": analysis_with_sidecar("A"),
            "B": analysis_with_sidecar("B", arrow_ipc="b" * 1_000),
        }

    def test_sidecars_are_removed_with_their_records(self, store: Store) -> None:
        write_records(store, DENSITY, analysis_with_sidecar("A"), analysis_with_sidecar("B"))
        store.delete(DENSITY, (OneOf("hash", ("A",)),))
        assert [row[:2] for row in self.raw_rows(FRAME_SIDECARS)] == [(DENSITY.id, "B")]
        store.create(DENSITY, replace=True)
        assert self.raw_rows(FRAME_SIDECARS) == []

    def test_a_record_written_without_a_sidecar_loses_the_old_one(self, store: Store) -> None:
        write_records(store, DENSITY, analysis_with_sidecar("A"), analysis_with_sidecar("B"))
        write_records(store, DENSITY, analysis("A"), mode=ConflictMode.force)
        assert self._read_with_sidecars(store)["A"]["arrow_schema"] == ""
        assert self._read_with_sidecars(store)["B"]["arrow_schema"] == "schema"

    def test_a_sidecar_with_another_time_than_the_record_is_ignored(self, store: Store) -> None:
        """Another program has rewritten the record, but not the sidecar."""
        write_records(store, DENSITY, analysis_with_sidecar("A"))
        sidecars = self.raw_rows(FRAME_SIDECARS)
        store.delete(DENSITY)
        self.raw_put(DENSITY, [tuple(analysis("A", timestamp_utc=LATE_TIME).values())])
        self.raw_put(FRAME_SIDECARS, sidecars)
        assert self._read_with_sidecars(store)["A"]["arrow_schema"] == ""

    def test_update_detects_a_changed_sidecar(self, store: Store) -> None:
        write_records(store, DENSITY, analysis_with_sidecar("A"), analysis_with_sidecar("B"))
        changed = analysis_with_sidecar("A", entry="{}", digest="2", timestamp_utc=LATE_TIME)
        unchanged = analysis_with_sidecar("B", timestamp_utc=LATE_TIME)
        counts = write_records(store, DENSITY, changed, unchanged, mode=ConflictMode.update)
        assert counts == {DENSITY.name: Counts(updated=1, unchanged=1)}
        assert self._read_with_sidecars(store) == {"A": changed, "B": analysis_with_sidecar("B")}

    def _read_with_sidecars(self, store: Store) -> dict[str, dict[str, Any]]:
        """Return hash -> record with its sidecar."""
        with store.transaction() as transaction:
            return {
                row["hash"]: row
                for rows in transaction.read_with_sidecars(DENSITY)
                for row in rows.to_pylist()
            }

    @settings(MODERATE, max_examples=FRAMES_PER_STORE)
    @given(table=tables())
    def test_frames_are_stored_exactly(self, table: pa.Table) -> None:
        store = self.opened()
        store.create(DENSITY)
        encoded = asdict(encode(table))
        write_records(
            store, DENSITY, analysis_with_sidecar("A", **encoded), mode=ConflictMode.force
        )
        row = self._read_with_sidecars(store)["A"]
        assert_same(decode(Frame(**{name: row[name] for name in encoded})), table)

    def test_records_with_large_cells_are_read_in_small_batches(self, store: Store) -> None:
        text = "x" * 2**22
        write_records(
            store, DENSITY, *(analysis_with_sidecar(hash_, data_csv=text) for hash_ in "ABCDEFGH")
        )
        sizes = [rows.num_rows for rows in store.read(DENSITY)]
        assert sum(sizes) == 8
        assert max(sizes) <= 4

    def test_frames_of_pandas_are_pulled_as_they_were_recorded(
        self, empty: Store, tmp_path: Path
    ) -> None:
        pandas = pytest.importorskip("pandas")
        (tmp_path / "build.yaml").write_text(BUILD, encoding="utf-8")
        frames = pandas_frames()
        for name, frame in frames.items():
            Results(tmp_path).record_analysis(name, frame)
        initialise(empty, simulations=True, results=list(ResultType))
        scope = Scope(simulations=True, results=list(ResultType))
        push(empty, str(tmp_path), scope=scope)
        for name, frame in frames.items():
            read = Records(empty).analysis(name)
            if "hash" in read.index.names:
                read = read.droplevel("hash")
            else:
                del read["hash"]
            pandas.testing.assert_frame_equal(read, frame, check_exact=True, check_freq=False)
            assert read.attrs == frame.attrs, name
