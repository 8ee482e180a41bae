"""What is built for users holds all that the program needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def _build(source: Path, target: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, capture_output=True, check=True)
    (file,) = folder.iterdir()
    return file


@pytest.mark.parametrize("first", ["tree", "sdist"])
def test_a_wheel_has_the_package_and_the_example_campaign(first: str, tmp_path: Path) -> None:
    source = ROOT
    if first == "sdist":
        shutil.unpack_archive(_build(ROOT, "sdist", tmp_path / "sdist"), tmp_path, filter="data")
        (source,) = tmp_path.glob("mdfactory-*")
    with ZipFile(_build(source, "wheel", tmp_path / "wheel")) as wheel:
        names = wheel.namelist()
    package = (ROOT / "src").rglob("*.py")
    files = [path for path in EXAMPLES.rglob("*") if path.is_file()]
    expected = {str(path.relative_to(ROOT / "src")) for path in package}
    expected |= {f"mdfactory/examples/{path.relative_to(EXAMPLES)}" for path in files}
    assert len(files) > 50
    assert expected - set(names) == set()
    assert len(names) == len(set(names))
