"""Frames and extras that are recorded: kept exactly, or refused with what to type instead."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from mdfactory import Results
from mdfactory.errors import ResultError
from mdfactory.frames.labels import to_pandas
from mdfactory.records.arrow import base64, stream


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)


def recorded(results: Results, frame: Any, **own: Any) -> pd.DataFrame:
    results.record_analysis("a", frame, **own)
    return to_pandas(results.load_analysis("a"))


def extras(results: Results) -> Any:
    return results.registry().analyses["a"].entry["extras"]


# Labels

TUPLES = [("0.0", "0.5"), ("0.5", "1.0")]
LABELS: dict[str, Any] = {
    "floats in an index of objects": pd.Index([0.0, 0.25], dtype=object),
    "numbers with a name": pd.Index([3, 5], name=7),
    "a name of numpy": pd.Index(["a", "b"], name=np.int64(7)),
    "booleans": [True, False],
    "dates": [date(2024, 1, 1), date(2024, 1, 2)],
    "tuples of text": pd.Index(TUPLES, tupleize_cols=False, name="state"),
    "tuples of numbers": pd.Index([(0.0, 1), (0.5, 2)], tupleize_cols=False),
    "levels": pd.MultiIndex.from_tuples([("rg", "mean"), ("rg", "std")], names=["of", None]),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_restored(results: Results, name: str) -> None:
    frame = pd.DataFrame([[1, 2]], columns=LABELS[name])
    read = recorded(results, frame)
    assert_frame_equal(read, frame, check_exact=True)
    assert [*read.columns.names] == [*frame.columns.names]


INDICES: dict[str, pd.Index] = {
    "a number for a name": pd.Index([1, 2], name=0.5),
    "a number of numpy for a name": pd.Index([1, 2], name=np.int64(3)),
    "the name of a column": pd.Index([1, 2], name="x"),
    "a range with a number for a name": pd.RangeIndex(2, name=0),
    "booleans": pd.Index([True, False], name="b"),
    "dates": pd.Index([date(2024, 1, 1), date(2024, 1, 2)]),
    "two equal names": pd.MultiIndex.from_tuples([(1, 2), (3, 4)], names=["t", "t"]),
    "nullable numbers": pd.MultiIndex.from_arrays([pd.array([0.5, None], "Float64"), ["a", "b"]]),
}


@pytest.mark.parametrize("name", INDICES)
def test_index_levels_are_restored(results: Results, name: str) -> None:
    frame = pd.DataFrame({"x": [1.5, 2.5]}, index=INDICES[name])
    assert_frame_equal(recorded(results, frame), frame, check_exact=True)


INTERVALS = pd.cut([0.1, 0.6], [0, 0.5, 1])
REFUSED: dict[str, tuple[pd.DataFrame, str]] = {
    "categories of intervals": (
        pd.DataFrame({"r_bin": INTERVALS}),
        r"column 'r_bin' has categories that are intervals.*frame\['r_bin'\]\.astype\(str\)",
    ),
    "categories of intervals in the index": (
        pd.DataFrame({"x": [1, 2]}, index=pd.Index(INTERVALS, name="r")),
        r"index level 'r' has categories.*get_level_values\('r'\).*astype\(str\)",
    ),
    "complex": (pd.DataFrame({0.5: [1j]}), r"column 0\.5 has complex numbers.*\.real and .*\.imag"),
    "sparse": (
        pd.DataFrame({"x": pd.arrays.SparseArray([0, 1])}),
        r"column 'x' has sparse values.*to_dense\(\)",
    ),
    "long": (pd.DataFrame({"x": np.ones(1, np.longdouble)}), r"'x'.*64 bits.*\.astype\(float\)"),
    "duplicate labels": (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"'a': several columns"),
    "mixed labels": (pd.DataFrame([[1, 2]], columns=["a", 0]), r"'a', 0\. Type: frame\.columns ="),
    "mixed numbers": (pd.DataFrame([[1, 2]], columns=pd.Index([1, 2.5], dtype=object)), "1, 2.5"),
    "mixed levels": (
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 0), ("b", "")])),
        r"several types.*_.*\.join",
    ),
    "mixed tuples": (
        pd.DataFrame([[1, 2]], columns=pd.Index([(1, "a"), (2, 3)], tupleize_cols=False)),
        r"several types",
    ),
    "a missing label": (pd.DataFrame([[1, 2]], columns=["a", None]), "several types"),
    "categories as labels": (
        pd.DataFrame([[1, 2]], columns=pd.CategoricalIndex(["a", "b"])),
        r"they are categorical\. Type: frame\.columns = frame\.columns\.map\(str\)",
    ),
    "a tuple as name of a level": (
        pd.DataFrame({"x": [1]}, index=pd.Index([1], name=("a", "b"))),
        "names of the index levels.*rename_axis",
    ),
    "huge integers in the index": (
        pd.DataFrame({"x": [1]}, index=[2**70]),
        "index level 0 has an int",
    ),
    "huge integers in lists": (pd.DataFrame({"x": [[2**70]]}), "'x' has an integer of more than"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_restored_is_refused_with_what_to_type(results: Results, name: str) -> None:
    frame, message = REFUSED[name]
    with pytest.raises(ResultError, match=f"analysis a: .*{message}"):
        results.record_analysis("a", frame)
    assert not results.folder.exists()


def test_what_the_messages_say_works(results: Results) -> None:
    frame = pd.DataFrame({"r_bin": INTERVALS})
    assert list(recorded(results, frame.assign(r_bin=frame["r_bin"].astype(str)))["r_bin"]) == [
        "(0.0, 0.5]",
        "(0.5, 1.0]",
    ]
    levels = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 0), ("b", "")]))
    levels.columns = ["_".join(map(str, label)) for label in levels.columns]
    assert list(recorded(results, levels)) == ["a_0", "b_"]


def test_a_type_that_parquet_cannot_store_is_named_by_its_column(results: Results) -> None:
    table = pa.table({"x": [1], "span": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    with pytest.raises(
        ResultError, match=r"analysis a: Parquet cannot store column 'span' \(month"
    ):
        results.record_analysis("a", table)
    assert not results.registry().analyses


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, "a"], "values of the types int, str"),
        ([None, True, 1], "values of the types bool, int"),
        (["a", b"b"], "values of the types str, bytes"),  # Arrow would store bytes
        ([pd.Timestamp(0), 1], r"values of the types \S+Timestamp, int"),  # and a time here
        ([{"a": 1}, 2], "values of the types dict, int"),
        ([{"a": 1}, [2]], "values of the types dict, list"),
        ([PurePath("a")], r"values of the types pathlib\S+Path"),
        ([2**64], "an integer of more than 64 bits"),
    ],
)
def test_objects_that_parquet_cannot_store_are_named_by_their_column(
    results: Results, values: list[Any], kind: str
) -> None:
    objects = pd.Series(values, dtype=object)
    kind += ", which Parquet cannot store. Type instead: "
    with pytest.raises(ResultError, match=rf"^analysis a: column 'x' has {kind}frame\['x'\]\.as"):
        results.record_analysis("a", pd.DataFrame({"n": [0] * len(values), "x": objects}))
    recorded(results, objects.astype(str).to_frame("x"))
    with pytest.raises(ResultError, match=rf"index level 'x' has {kind}frame\.index\.get_level"):
        results.record_analysis("a", pd.DataFrame(index=pd.Index(objects, name="x")))


def test_objects_of_one_type_are_restored(results: Results) -> None:
    for values in (["a", None], [np.arange(2), [1]], [{"a": 1}, {"a": 2}], [date(2024, 1, 1)]):
        objects = pd.Series(values, dtype=object)
        restored = recorded(results, pd.DataFrame({"x": objects}))["x"]
        assert [*map(str, restored.dropna())] == [*map(str, objects.dropna())]


# Tables of other libraries


def test_polars_frames_are_taken(results: Results) -> None:
    import polars as pl

    frame = pl.DataFrame(
        {"t": [0.5, 1.5], "name": ["a", None], "kind": pl.Series(["x", "y"], dtype=pl.Categorical)}
    )
    results.record_analysis("a", frame, units={"t": "ps"})
    table = results.load_analysis("a")
    assert table.to_pylist() == frame.to_dicts()
    assert pl.DataFrame(table).equals(frame)
    assert extras(results) == {"units": {"t": "ps"}}


class Interchange:
    """A table that speaks only one protocol."""

    def __init__(self, table: pa.Table, protocol: str) -> None:
        setattr(type(self), protocol, lambda _, *__, **___: getattr(table, protocol)())


def test_tables_of_the_arrow_interchange_are_taken(results: Results) -> None:
    batch = pa.record_batch({"x": [1]})
    stream = pa.RecordBatchReader.from_batches(batch.schema, [batch])
    for frame in (batch, stream, Interchange(pa.table({"x": [1]}), "__dataframe__")):
        assert list(recorded(results, frame)["x"]) == [1]


def test_the_types_of_polars_are_taken(results: Results) -> None:
    """Texts and categories are views there."""
    texts = pa.array(["a", None], pa.string_view())
    categories = pa.DictionaryArray.from_arrays(
        pa.array([1, 0], pa.uint32()), pa.array(["x", "y"], pa.string_view())
    )
    table = pa.table({"text": texts, "kind": categories})
    results.record_analysis("a", Interchange(table, "__arrow_c_stream__"))
    assert results.load_analysis("a").to_pydict() == {"text": ["a", None], "kind": ["y", "x"]}
    assert pa.types.is_dictionary(results.load_analysis("a").schema.field("kind").type)


# Types that Parquet does not store

ZONE = "Europe/Berlin"
UNSTORED: dict[str, Any] = {
    "categories of integers": pd.Categorical([2, 1, None], [3, 2, 1], ordered=True),
    "categories of floats": pd.Categorical([0.5, None, 0.25]),
    "categories of booleans": pd.Categorical([True, False, True]),
    "categories of times": pd.Categorical(pd.date_range("2024", periods=3)),
    "seconds": pd.date_range("2024", periods=3, unit="s"),
    "seconds of a zone": pd.date_range("2024", periods=3, unit="s", tz=ZONE),
}


@pytest.mark.parametrize("name", UNSTORED)
def test_types_that_parquet_does_not_store_are_restored(results: Results, name: str) -> None:
    values = pd.Series(UNSTORED[name], name="x")
    for frame in (values.to_frame(), values.to_frame().iloc[:0], pd.DataFrame(index=values)):
        frame = frame.assign(k=1)  # noqa: PLW2901
        assert_frame_equal(recorded(results, frame), frame, check_exact=True, check_freq=False)


@pytest.mark.parametrize(
    "types",
    [
        "no base64",
        base64(stream(pa.table({"x": pa.array(["a"]).dictionary_encode()}))),
        base64(stream(pa.table({"x": pa.array([5]).dictionary_encode()}))),
        base64(stream(pa.table({"x": [pa.scalar(0, pa.timestamp("s"))]}))),
        base64(stream(pa.table({"other": pa.array([5]).dictionary_encode()}))),
    ],
)
def test_types_of_other_programs_that_do_not_fit_are_left_out(results: Results, types: str) -> None:
    results.record_analysis("a", pa.table({"x": [1.5, 2.5]}))
    foreign = pa.table({"x": [1.5, 2.5]}).replace_schema_metadata({"mdfactory.types": types})
    pq.write_table(foreign, results.folder / "a.parquet")
    assert results.load_analysis("a").equals(pa.table({"x": [1.5, 2.5]}), check_metadata=True)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([1, 2], r"got list. Type: pandas\.DataFrame"),
        ({"x": [1]}, "got dict"),
        (pd.Series([1], name="x"), r"Series\. Type: series\.to_frame\(\)"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_table_is_refused(results: Results, frame: Any, message: str) -> None:
    with pytest.raises(ResultError, match=f"analysis a: expected a .*{message}"):
        results.record_analysis("a", frame)


# Units and extras


def test_units_may_be_of_columns_and_index_levels(results: Results) -> None:
    frame = pd.DataFrame([[1.0, 2.0]], columns=[0.0, 0.25], index=pd.Index([1.0], name="time"))
    recorded(results, frame, units={0: "kT", np.float64(0.25): "kT", "time": "ps"})
    assert extras(results) == {"units": {"0.0": "kT", "0.25": "kT", "time": "ps"}}
    levels = pd.DataFrame([[1.0]], columns=pd.MultiIndex.from_tuples([("rg", "mean")]))
    recorded(results, levels, units={("rg", "mean"): "nm"})
    assert extras(results) == {"units": {"('rg', 'mean')": "nm"}}
    recorded(results, pa.table({"x": [1]}), units={"x": "nm"})
    assert extras(results) == {"units": {"x": "nm"}}


def test_units_of_the_frame_count_if_none_are_given(results: Results) -> None:
    frame = pd.DataFrame({"x": [1]})
    frame.attrs = {"units": {"x": "nm"}, "temperature": 300}
    read = recorded(results, frame)
    assert read.attrs == frame.attrs
    assert extras(results) == {"units": {"x": "nm"}}
    recorded(results, frame, units={"x": "pm"})
    assert extras(results) == {"units": {"x": "pm"}}
    frame.attrs["units"] = {"y": "nm"}
    with pytest.raises(ResultError, match="units: no column or index level 'y'; the frame has 'x'"):
        results.record_analysis("a", frame)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"units": {"y": "nm"}}, "units: no column or index level 'y'; the frame has 'x'"),
        ({"units": {("x",): "nm"}}, r"no column or index level \('x',\)"),
        ({"units": "nm"}, "units is a str; expected a unit by column"),
        ({"units": {"x": 5}}, "the unit of 'x' is 5; expected a text"),
        ({"length_unit": 5}, "length_unit is 5; expected a text"),
        ({"plot": {"kind": "pie"}}, "no kind 'pie'; there are timeseries, profile"),
        ({"plot": {"y": ["x", "z"]}}, "plot: y: no column or index level 'z'"),
        ({"plot": {"colour": "x"}}, "plot has 'colour'; expected a dictionary with some of kind"),
        ({"plot": "x"}, "plot is a str"),
        ({"units": {"x": "nm"}, "extras": {"units": {}}}, "units is also in extras"),
        ({"extras": {"units": {"y": "nm"}}}, "no column or index level 'y'"),
        ({"extras": "by us"}, "extras is a str; expected a value by name"),
        ({"extras": None}, "extras is a NoneType; expected a value by name"),
        ({"extras": {"by": object()}}, "cannot be written as JSON: it contains object"),
        ({"extras": {"factor": float("nan")}}, "cannot be written as JSON"),
    ],
)
def test_wrong_extras_are_refused(results: Results, own: dict[str, Any], message: str) -> None:
    with pytest.raises(ResultError, match=f"a: .*{message}"):
        results.record_analysis("a", pd.DataFrame({"x": [1]}), **own)
    assert not results.folder.exists()


def test_a_misspelt_keyword_is_an_error(results: Results) -> None:
    with pytest.raises(TypeError, match="unit"):
        results.record_analysis("a", pd.DataFrame({"x": [1]}), unit={"x": "nm"})  # type: ignore[call-arg]


def test_all_extras_are_in_the_registry(results: Results) -> None:
    frame = pd.DataFrame({"t": [1], 0.5: [1]}.values(), columns=[0.5]).rename_axis("t")
    plot = {"kind": "timeseries", "x": "t", "y": [0.5]}
    recorded(results, frame, length_unit="nm", plot=plot, extras={"by": "us"})
    assert extras(results) == {
        "length_unit": "nm",
        "plot": {"kind": "timeseries", "x": "t", "y": ["0.5"]},
        "by": "us",
    }


AWKWARD = {
    "number": (np.float64(0.5), 0.5),
    "integer": (np.int32(5), 5),
    "flag": (np.bool_(True), True),  # noqa: FBT003
    "array": (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
    "path": (PurePath("a/b"), "a/b"),
    "time": (datetime(2024, 1, 2, 3), "2024-01-02 03:00:00"),  # noqa: DTZ001
    "date": (date(2024, 1, 2), "2024-01-02"),
    "hour": (time(1, 2), "01:02:00"),
    "duration": (timedelta(seconds=90), "0:01:30"),
    "numpy time": (np.datetime64("2024-01-02T03:04:05.123456789"), "2024-01-02T03:04:05.123456789"),
    "numpy times": (np.array(["2024-01-02"], "datetime64[D]"), ["2024-01-02"]),
    "pandas time": (pd.Timestamp("2024-01-02", tz="UTC"), "2024-01-02 00:00:00+00:00"),
    "tuple": ((1, np.int8(2)), [1, 2]),
    "keys": ({0.5: np.int8(1), ("a", 1): None}, {"0.5": 1, "('a', '1')": None}),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_attributes_and_extras_are_kept_as_plain_values(results: Results, name: str) -> None:
    given, kept = AWKWARD[name]
    frame = pd.DataFrame({"x": [1]})
    frame.attrs = {"it": given}
    assert recorded(results, frame, extras={"it": given}).attrs == {"it": kept}
    assert extras(results) == {"it": kept}
    assert frame.attrs == {"it": given}


def test_an_attribute_that_cannot_be_kept_is_named(results: Results) -> None:
    frame = pd.DataFrame({"x": [1]})
    frame.attrs["universe"] = {"a": [object()]}
    with pytest.raises(ResultError, match=r"frame\.attrs\['universe'\] cannot be kept.*object"):
        results.record_analysis("a", frame)
