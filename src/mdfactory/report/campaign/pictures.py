"""Pictures: files of other people, decoded within bounds and encoded again as thumbnails."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS: Final = 50_000_000
"""Maximum number of pixels of a picture that is decoded."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""Formats of Pillow that are decoded; those that start programs, such as EPS, are not."""

TOO_LARGE: Final = f"it has more than {MAX_PIXELS // 10**6} megapixels"

QUALITY: Final = 80

METHOD: Final = 2
"""Effort of the encoder of WebP: 4 takes twice as long, for 3 % fewer bytes."""

WIDE_MODES: Final = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Modes of Pillow whose values are not from 0 to 255."""

TRANSPARENT_MODES: Final = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})

REDUCIBLE_MODES: Final = frozenset({"RGB", "RGBA", "L", "LA", "CMYK"})
"""Modes of Pillow that are made smaller before they are converted."""

MAX_16_BITS: Final = 65535.0

ORIENTATION_TAG: Final = 0x0112

TRANSPOSITIONS: Final = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""Orientation of Exif -> the `PIL.Image.Transpose` that makes the picture upright."""


class NoPictureError(ValueError):
    """The bytes are no picture that can be shown; the message is the reason."""


def thumbnails(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Return a picture encoded again, once for each size.

    Nothing of the file but its pixels is kept: no metadata, no profile, no further frames.

    Parameters
    ----------
    data
        The file.
    sizes
        Maximum width and height of each thumbnail in pixels, the largest first.

    Returns
    -------
    list of bytes
        WebP; PNG if Pillow lacks it. The same bytes give the same thumbnails.

    Raises
    ------
    NoPictureError
        If Pillow cannot decode it, or it has more than `MAX_PIXELS`.
    """
    from PIL import Image

    with warnings.catch_warnings():
        # Of large pictures and of damaged metadata; the size is checked here.
        warnings.simplefilter("ignore")
        try:
            with Image.open(BytesIO(data), formats=FORMATS) as opened:
                if is_small := opened.width * opened.height <= MAX_PIXELS:
                    opened.draft("RGB", (2 * sizes[0], 2 * sizes[0]))  # JPEG: decode no more
                    picture = _prepared(opened, sizes[0])
        except MemoryError:
            raise
        except Image.DecompressionBombError as error:
            raise NoPictureError(TOO_LARGE) from error
        except Exception as error:  # decoders raise whatever damaged files provoke
            raise NoPictureError("it cannot be decoded as a picture") from error
    if not is_small:
        raise NoPictureError(TOO_LARGE)
    return [_encoded(picture, size) for size in sizes]


def data_uri(picture: bytes) -> str:
    """Return an encoded picture as a data URI."""
    from base64 import b64encode

    kind = "webp" if picture[8:12] == b"WEBP" else "png"
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"


def _prepared(opened: Image, size: int) -> Image:
    """Return the first frame of a picture with 8 bits a channel, upright, and not larger."""
    from PIL.Image import Transpose

    opened.seek(0)
    picture = _to_eight_bits(opened, size) if opened.mode in WIDE_MODES else opened
    if picture.mode not in REDUCIBLE_MODES:
        is_transparent = picture.mode in TRANSPARENT_MODES or "transparency" in picture.info
        picture = picture.convert("RGBA" if is_transparent else "RGB")
    picture.thumbnail((size, size), reducing_gap=3.0)
    picture = picture.convert("RGBA" if picture.mode in TRANSPARENT_MODES else "RGB")
    method = TRANSPOSITIONS.get(_orientation(opened))
    return picture if method is None else picture.transpose(Transpose(method))


def _orientation(opened: Image) -> Any:
    """Return how a camera was held, 1 to 8, or whatever the file says."""
    try:
        return opened.getexif().get(ORIENTATION_TAG)
    except Exception:  # noqa: BLE001  # as for the picture itself
        return None


def _to_eight_bits(picture: Image, size: int) -> Image:
    """Return a grey picture whose values span 0 to 255: 16 bits are scaled, others stretched."""
    import numpy as np
    from PIL import Image

    step = max(1, max(picture.size) // (4 * size))  # a copy as floats would be large
    values = np.asarray(picture)[::step, ::step].astype(np.float32)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if picture.mode.startswith("I;16"):
        low, high = 0.0, MAX_16_BITS
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / ((high - low) or 1)
    return Image.fromarray((255 * scaled.clip(0, 1)).round().astype(np.uint8))


def _encoded(picture: Image, size: int) -> bytes:
    """Return a picture of at most this size as bytes; the profile and metadata are left out."""
    from PIL import Image, features

    small = picture.copy()
    small.thumbnail((size, size))
    small = Image.frombytes(small.mode, small.size, small.tobytes())
    buffer = BytesIO()
    if features.check("webp"):
        small.save(buffer, "WEBP", quality=QUALITY, method=METHOD)
    else:
        small.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
