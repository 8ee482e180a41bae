"""The identity of recorded inputs: canonical JSON and hash as existing installations have them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from mdfactory.campaign.build_input import BuildInput
from mdfactory.errors import BuildInputError

DATA = Path(__file__).parent.parent / "data"
VECTORS = [
    vector
    for name in ("identity_vectors.json", "identity_vectors_2.json")
    for vector in json.loads((DATA / name).read_text(encoding="utf-8"))
]
VALID = [vector for vector in VECTORS if "hash" in vector]
REFUSED = [vector for vector in VECTORS if "refused" in vector]


def _id(vector: dict[str, Any]) -> str:
    return str(vector["hash"][:8] if "hash" in vector else vector["refused"])


def test_recorded_inputs_have_every_simulation_type() -> None:
    assert Counter(vector["input"]["simulation_type"] for vector in VALID) == {
        "mixedbox": 25,
        "bilayer": 18,
        "lnp": 12,
        "proteinbox": 20,
        "protein_mixedbox": 12,
    }
    assert len(REFUSED) == 27


@pytest.mark.parametrize("vector", VALID, ids=_id)
def test_a_recorded_input_has_the_recorded_hash(vector: dict[str, Any]) -> None:
    build = BuildInput.parse(vector["input"])
    assert build.canonical_json == vector["canonical_json"]
    assert build.hash == vector["hash"]
    assert build.input_data == vector.get("input_data", vector["canonical_json"])


@pytest.mark.parametrize("vector", VALID, ids=_id)
def test_the_written_yaml_has_the_same_identity(vector: dict[str, Any]) -> None:
    build = BuildInput.parse(vector["input"])
    written = yaml.safe_dump(json.loads(build.input_data), sort_keys=True)
    again = BuildInput.parse(yaml.safe_load(written))
    assert (again.hash, again.input_data) == (vector["hash"], build.input_data)


@pytest.mark.parametrize("vector", REFUSED, ids=_id)
def test_a_recorded_invalid_input_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(BuildInputError) as caught:
        BuildInput.parse(vector["input"])
    assert all(word in str(caught.value) for word in vector["words"]), str(caught.value)
