"""Rows that are alike in a column: their numbers, and what follows from them."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Codes: TypeAlias = "npt.NDArray[np.int64]"
"""A number for each row."""

Floats: TypeAlias = "npt.NDArray[np.float64]"


def codes_of(column: pa.ChunkedArray[Any]) -> Codes:
    """Return a number for each value, in the order of first rows; -1 for missing values and NaN."""
    import numpy as np

    encoded = dictionary_of(column)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if not pa.types.is_floating(encoded.dictionary.type):
        return codes
    values = encoded.dictionary.to_numpy(zero_copy_only=False)
    missing = np.flatnonzero(np.isnan(values))
    for position in missing[::-1]:
        codes = np.where(codes == position, -1, codes - (codes > position))
    return codes


def dictionary_of(column: pa.ChunkedArray[Any]) -> pa.DictionaryArray[Any, Any]:
    """Return a column as unique values and their positions; categories are not written out."""
    import numpy as np

    chunks: list[Any] = column.chunks
    if not isinstance(chunks[0], pa.DictionaryArray):
        encoded: pa.ChunkedArray[Any] = column.dictionary_encode()
        whole: Any = encoded.combine_chunks()
        return whole  # type: ignore[no-any-return]
    values: Any = pa.concat_arrays([chunk.dictionary for chunk in chunks]).dictionary_encode()
    ends = accumulate((len(chunk.dictionary) for chunk in chunks), initial=0)
    places = [
        values.indices[end:].take(chunk.indices) for end, chunk in zip(ends, chunks, strict=False)
    ]
    positions = pa.concat_arrays(places).fill_null(-1).to_numpy(zero_copy_only=False)
    present, codes = np.unique(positions, return_inverse=True)
    shift = int((present < 0).any())
    own: Any = pa.array(codes - shift, pa.int64(), mask=codes < shift)
    return pa.DictionaryArray.from_arrays(own, values.dictionary.take(pa.array(present[shift:])))


def pair_codes(first: Codes, second: Codes) -> Codes:
    """Return a number for each row; rows whose two values are alike have equal numbers."""
    import numpy as np

    pairs = (first + 1) * (int(second.max(initial=-1)) + 2) + second + 1
    codes: Codes = np.unique(pairs, return_inverse=True)[1].astype(np.int64)
    return codes


def is_one_valued(groups: Codes, values: Codes) -> bool:
    """Whether each group of rows has one value; missing ones don't count."""
    import numpy as np

    present = values >= 0
    groups, values = groups[present], values[present]
    first = np.full(int(groups.max(initial=-1)) + 2, -1)
    first[groups] = values
    return bool((first[groups] == values).all())


def is_monotone(values: Floats, groups: Codes) -> bool:
    """Whether values rise or fall strictly within groups."""
    import numpy as np

    order = np.argsort(groups, kind="stable")
    steps = np.diff(values[order])[groups[order][1:] == groups[order][:-1]]
    return bool((steps > 0).all() or (steps < 0).all())


def move_together(first: Floats, second: Floats) -> bool:
    """Whether two columns rise together, or one rises where the other falls."""
    import numpy as np

    present = np.isfinite(first)
    if (present != np.isfinite(second)).any():
        return False
    first, second = first[present], second[present]
    order = np.lexsort((second, first))
    steps = np.sign(np.diff(first[order])), np.sign(np.diff(second[order]))
    return bool((steps[0] == steps[1]).all() or (steps[0] == -steps[1]).all())
