"""Artifacts: what is read of other people's files, and what is not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mdfactory.campaign.below import OUTSIDE, open_below
from mdfactory.records.tables import artifact_table
from mdfactory.records.vocabulary import ResultType
from mdfactory.report.campaign.artifacts import (
    CHANGED,
    MAX_FILES,
    MAX_PICTURES,
    NOT_HERE,
    TOO_MANY,
    ArtifactFile,
    ArtifactRecord,
    ShownPictures,
    artifacts_data,
    look_at_files,
    read_artifacts,
)
from mdfactory.report.campaign.pictures import NoPictureError, data_uri, thumbnails
from mdfactory.report.campaign.privacy import Privacy
from mdfactory.sync.initialise import initialise
from mdfactory.testing.memory import MemoryStore
from mdfactory.testing.raw import write_records
from mdfactory.testing.records import EARLY_TIME, run

SNAPSHOTS = artifact_table("snapshot")
BUDGET = 10**7


def _encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


RED_PNG = _encoded(Image.new("RGB", (40, 30), "red"))


@pytest.fixture
def simulation(tmp_path: Path) -> Path:
    (tmp_path / "simulation" / ".analysis" / "artifacts").mkdir(parents=True)
    return tmp_path / "simulation"


def _look(
    simulation: Path, *paths: str, sha256: str | None = None, budget: int = BUDGET
) -> list[ArtifactFile]:
    """Look at files that are recorded as they are now, unless a checksum is given."""
    checksums = {}
    for path in paths:
        file = simulation / ".analysis" / path
        is_there = sha256 is None and file.is_file()
        checksums[path] = hashlib.sha256(file.read_bytes()).hexdigest() if is_there else sha256
    known = {path: digest or "0" * 64 for path, digest in checksums.items()}
    record = ArtifactRecord(0, "snapshot", str(simulation), known, EARLY_TIME)
    [entry] = look_at_files([record], budget)
    return entry.files


def _write(simulation: Path, path: str, data: bytes) -> str:
    file = simulation / ".analysis" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return path


def test_a_picture_is_shown_in_two_sizes(simulation: Path) -> None:
    picture = Image.effect_noise((1000, 500), 60).convert("RGB")
    path = _write(simulation, "artifacts/a.png", _encoded(picture))
    [file] = _look(simulation, path)
    assert (file.note, file.size) == ("", (simulation / ".analysis" / path).stat().st_size)
    assert [_opened(data).size for data in file.pictures] == [(480, 240), (240, 120)]
    assert data_uri(file.pictures[0]).startswith("data:image/webp;base64,")
    [again] = _look(simulation, path)
    assert again.pictures == file.pictures


def test_other_files_are_listed_with_size_and_checksum(simulation: Path) -> None:
    for name in ("a.pdb", "b.svg", "c.html", "d.mp4", "e"):
        _write(simulation, f"artifacts/{name}", b"<script>alert(1)</script>")
    files = _look(simulation, *(f"artifacts/{name}" for name in ("a.pdb", "b.svg", "c.html", "e")))
    assert {(file.size, file.note, file.pictures) for file in files} == {(25, "", ())}
    assert {len(file.sha256) for file in files} == {64}


def test_a_file_that_was_replaced_is_not_shown(simulation: Path) -> None:
    path = _write(simulation, "artifacts/a.png", RED_PNG)
    [file] = _look(simulation, path, sha256="0" * 64)
    assert (file.note, file.pictures) == (CHANGED, ())


def test_a_file_that_is_not_there_is_said_to_be_so(simulation: Path) -> None:
    files = _look(simulation, "artifacts/a.png", "artifacts/b/c.pdb")
    assert [(file.size, file.note) for file in files] == [(None, NOT_HERE)] * 2
    (simulation / ".analysis" / "artifacts").rmdir()
    (simulation / ".analysis").rmdir()
    assert _look(simulation, "a.png")[0].note == NOT_HERE


@pytest.mark.parametrize(
    "path", ["../a.png", "/etc/passwd", "", "a\0.png", "artifacts/../../a.png", "x/../../a.png"]
)
def test_a_path_out_of_the_folder_is_refused(simulation: Path, path: str) -> None:
    (simulation / "a.png").write_bytes(RED_PNG)
    digest = hashlib.sha256(RED_PNG).hexdigest()
    [file] = _look(simulation, path, sha256=digest)
    assert (file.note, file.size, file.pictures) == (OUTSIDE, None, ())


def test_a_link_out_of_the_folder_is_refused(simulation: Path) -> None:
    secret = simulation.parent / "secret.png"
    secret.write_bytes(RED_PNG)
    digest = hashlib.sha256(RED_PNG).hexdigest()
    artifacts = simulation / ".analysis" / "artifacts"
    (artifacts / "link.png").symlink_to(secret)
    (artifacts / "folder").symlink_to(simulation.parent)
    (artifacts / "sibling").symlink_to(simulation / ".analysis-other")
    (simulation / ".analysis-other").mkdir()
    (simulation / ".analysis-other" / "a.png").write_bytes(RED_PNG)
    names = ("link.png", "folder/secret.png", "sibling/a.png")
    files = _look(simulation, *(f"artifacts/{name}" for name in names), sha256=digest)
    assert [(file.note, file.size, file.pictures) for file in files] == [(OUTSIDE, None, ())] * 3


def test_a_link_within_the_folder_is_followed(simulation: Path) -> None:
    _write(simulation, "artifacts/a.png", RED_PNG)
    (simulation / ".analysis" / "latest.png").symlink_to("artifacts/a.png")
    [file] = _look(simulation, "latest.png")
    assert len(file.pictures) == 2


def test_what_becomes_a_link_after_it_was_resolved_is_not_followed(simulation: Path) -> None:
    """The names of the resolved path are opened one by one, none as a link."""
    folder = simulation / ".analysis"
    _write(simulation, "artifacts/a.png", RED_PNG)
    loop = folder / "loop.png"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="symbolic link"):
        open_below(str(folder), "loop.png")
    with pytest.raises(OSError, match="relative"):
        open_below("relative", "a.png")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_not_read(
    simulation: Path, make: Callable[[Path], None]
) -> None:
    make(simulation / ".analysis" / "a.png")
    [file] = _look(simulation, "a.png", sha256="0" * 64)
    assert (file.note, file.pictures) == ("no regular file", ())


def test_a_file_that_is_too_large_is_not_read(simulation: Path) -> None:
    path = _write(simulation, "a.png", RED_PNG)
    os.truncate(simulation / ".analysis" / path, 20_000_001)
    [file] = _look(simulation, path, sha256="0" * 64)
    assert (file.note, file.size) == ("larger than 20 MB", 20_000_001)


def test_so_many_pictures_and_files_of_an_artifact_are_shown(simulation: Path) -> None:
    paths = [_write(simulation, f"{number:03}.png", RED_PNG) for number in range(MAX_FILES + 5)]
    record = ArtifactRecord(
        0,
        "snapshot",
        str(simulation),
        dict.fromkeys(paths, hashlib.sha256(RED_PNG).hexdigest()),
        EARLY_TIME,
    )
    [entry] = look_at_files([record], BUDGET)
    assert (len(entry.files), entry.more) == (MAX_FILES, 5)
    assert [bool(file.pictures) for file in entry.files].count(True) == MAX_PICTURES
    assert entry.files[-1].note == TOO_MANY
    [entry] = look_at_files([record], 1)
    assert [bool(file.pictures) for file in entry.files].count(True) == 1
    [data] = artifacts_data([entry], Privacy([]), str, ShownPictures())
    assert data["more"] == 5


# Pictures of all kinds


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _bomb(width: int, height: int) -> bytes:
    """Return a PNG that announces many pixels in few bytes."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(2**20), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows)


@pytest.mark.parametrize("side", [7_100, 15_000, 2**31 - 1])
def test_a_picture_of_too_many_pixels_is_not_decoded(side: int) -> None:
    with pytest.raises(NoPictureError, match="50 megapixels"):
        thumbnails(_bomb(side, side), [480, 240])


def test_the_text_of_a_picture_is_not_unpacked_without_bounds() -> None:
    text = _chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(2**27), 9))
    bomb = RED_PNG[:33] + text + RED_PNG[33:]
    with pytest.raises(NoPictureError, match="cannot be decoded"):
        thumbnails(bomb, [480])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        RED_PNG[:60],
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    ],
)
def test_what_is_no_picture_is_named(data: bytes) -> None:
    with pytest.raises(NoPictureError, match="cannot be decoded"):
        thumbnails(data, [480])


def test_what_is_no_picture_is_named_in_the_list(simulation: Path) -> None:
    path = _write(simulation, "a.png", b"GIF89a")
    [file] = _look(simulation, path)
    assert file.note == "no picture: it cannot be decoded as a picture"
    assert file.size == 6


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(RED_PNG)))
def test_no_bytes_raise_another_error(noise: bytes, position: int) -> None:
    for data in (
        noise,
        RED_PNG[:position] + noise,
        RED_PNG[:position] + noise + RED_PNG[position:],
    ):
        try:
            assert [_opened(one).format for one in thumbnails(data, [48])] == ["WEBP"]
        except NoPictureError as error:
            assert str(error)  # noqa: PT017  # a picture, or the error


def _pixel(data: bytes, at: tuple[int, int] = (5, 5)) -> Any:
    [picture] = thumbnails(data, [480])
    return _opened(picture).convert("RGBA").getpixel(at)


def _near(first: Any, second: tuple[int, ...]) -> bool:
    return all(abs(one - other) <= 12 for one, other in zip(first, second, strict=True))


RED = (255, 0, 0, 255)


@pytest.mark.parametrize(
    ("mode", "kind", "colour", "shown"),
    [
        ("RGB", "PNG", (255, 0, 0), RED),
        ("RGB", "TIFF", (255, 0, 0), RED),
        ("RGB", "BMP", (255, 0, 0), RED),
        ("RGB", "JPEG", (255, 0, 0), RED),
        ("CMYK", "JPEG", (0, 255, 255, 0), RED),
        ("CMYK", "TIFF", (0, 255, 255, 0), RED),
        ("L", "PNG", 128, (128, 128, 128, 255)),
        ("1", "PNG", 1, (255, 255, 255, 255)),
        ("LA", "PNG", (128, 255), (128, 128, 128, 255)),
        ("RGBA", "PNG", (255, 0, 0, 0), None),
        ("I;16", "PNG", 32896, (128, 128, 128, 255)),
        ("I;16", "TIFF", 65535, (255, 255, 255, 255)),
    ],
)
def test_pictures_of_all_modes_keep_their_colours(
    mode: str, kind: str, colour: Any, shown: tuple[int, ...] | None
) -> None:
    pixel = _pixel(_encoded(Image.new(mode, (20, 20), colour), kind))
    assert pixel[3] == 0 if shown is None else _near(pixel, shown)


def test_a_picture_with_a_palette_keeps_colours_and_transparency() -> None:
    red = Image.new("RGB", (20, 20), "red").quantize(4)
    assert _near(_pixel(_encoded(red, "GIF")), RED)
    assert _near(_pixel(_encoded(red)), RED)
    transparent = _encoded(red, "PNG", transparency=red.getpixel((0, 0)))
    assert _pixel(transparent)[3] == 0


def test_floats_are_stretched_and_what_is_no_number_is_dark() -> None:
    values = np.linspace(-3, 7, 400, dtype=np.float32).reshape(20, 20)
    values[0, 0], values[0, 1] = np.nan, np.inf
    [data] = thumbnails(_encoded(Image.fromarray(values), "TIFF"), [480])
    grey = np.asarray(_opened(data).convert("L")).astype(int)
    assert grey[-1, -1] > 240
    assert grey[1, 0] < 30
    assert thumbnails(_encoded(Image.new("F", (3, 3), 5.0), "TIFF"), [480])


def test_an_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "lime")]
    for kind in ("GIF", "WEBP", "PNG"):
        data = _encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert _near(_pixel(data), RED)
        [shown] = thumbnails(data, [480])
        assert getattr(_opened(shown), "n_frames", 1) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_shown_upright(orientation: int) -> None:
    """Pillow's own function gives the expected picture."""
    from PIL import ImageOps

    picture = Image.new("RGB", (40, 20), "white")
    picture.paste((255, 0, 0), (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _encoded(picture, "PNG", exif=exif)
    expected = ImageOps.exif_transpose(_opened(data)).convert("RGB")
    [shown] = thumbnails(data, [480])
    assert _opened(shown).size == expected.size
    for at in ((4, 4), (expected.width - 5, expected.height - 5), (4, expected.height - 5)):
        assert _near(_opened(shown).convert("RGB").getpixel(at), expected.getpixel(at))


def test_metadata_are_left_out() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret of mine"
    data = _encoded(Image.new("RGB", (20, 20)), "JPEG", exif=exif, comment=b"a secret of mine")
    [shown] = thumbnails(data, [480])
    assert b"secret" in data
    assert b"secret" not in shown
    assert b"EXIF" not in shown


def test_small_pictures_are_not_made_larger() -> None:
    assert [_opened(one).size for one in thumbnails(RED_PNG, [480, 20])] == [(40, 30), (20, 15)]
    line = _encoded(Image.new("RGB", (10_000, 1)))
    assert _opened(thumbnails(line, [480])[0]).size == (480, 1)


# Records


def _record(hash_: str, files: str, checksums: str) -> dict[str, Any]:
    return {
        "hash": hash_,
        "directory": f"/campaign/{hash_}",
        "simulation_type": "mixedbox",
        "file_count": 1,
        "files": files,
        "checksums": checksums,
        "timestamp_utc": EARLY_TIME,
    }


def test_records_that_others_wrote_are_read_as_far_as_they_go() -> None:
    store = MemoryStore()
    initialise(store, simulations=True, results=list(ResultType))
    store.create(SNAPSHOTS)
    hashes = [f"{number:040X}" for number in range(6)]
    write_records(
        store,
        SNAPSHOTS,
        _record(hashes[0], '["a.png"]', json.dumps({"a.png": "AB" * 32})),
        _record(hashes[1], "[", "null"),
        _record(hashes[2], '["b.png", 5, null]', "[" * 100_000),
        _record(hashes[3], '{"x": 1}', '{"c.png": 7}'),
        _record(hashes[5], '["d.png"]', "{}"),
    )
    assert run(hashes[0])["directory"] == f"/campaign/{hashes[0]}"
    with store.transaction() as transaction:
        names, records = read_artifacts(transaction, hashes[:5])
    assert "snapshot" in names
    assert [(one.simulation, one.checksums) for one in records] == [
        (0, {"a.png": "ab" * 32}),
        (1, {}),
        (2, {"b.png": ""}),
        (3, {"c.png": ""}),
    ]


def test_hostile_names_of_files_are_cleaned(simulation: Path) -> None:
    hostile = "\u202egnp.exe\x00<script>/home/ann/x.png"
    record = ArtifactRecord(0, "snapshot", str(simulation), {hostile: "\x1b"}, EARLY_TIME)
    [data] = artifacts_data(look_at_files([record], BUDGET), Privacy([]), str, ShownPictures())
    assert data["files"] == [
        {
            "path": "gnp.exe <script>…/x.png",
            "size": None,
            "sha256": " ",
            "picture": None,
            "note": OUTSIDE,
        }
    ]
