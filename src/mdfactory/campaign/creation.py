"""Creation of simulation folders: each gets the YAML file of its BuildInput."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from mdfactory.campaign.build_input import BuildInput
from mdfactory.errors import OutputError, UsageError
from mdfactory.files import (
    UNSTORABLE,
    absolute_path,
    create_folder,
    describe_file_error,
    escape_undecoded,
    is_storable,
    replacing,
)

_Dumper: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def storable_path(path: str | Path) -> Path:
    """Return an absolute path; raise an `OutputError` if it is not UTF-8, as stores require."""
    absolute = absolute_path(path)
    if not is_storable(absolute):
        raise OutputError(f"{escape_undecoded(absolute)} {UNSTORABLE}")
    return Path(absolute)


@contextmanager
def output_errors(folder: Path) -> Iterator[None]:
    """Raise an `OutputError` if something in or below a folder cannot be read or written."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{error.filename or folder} cannot be written: {describe_file_error(error)}"
        ) from error


def refuse_links(paths: Iterable[Path]) -> None:
    """Raise an `OutputError` if one of the paths is a link: somebody else may have put it there."""
    for path in filter(os.path.islink, paths):
        raise OutputError(f"{path} is a symbolic link; remove it, or choose another folder")


def require_build_input(given: object) -> None:
    """Raise a `UsageError` for anything but a BuildInput, such as the dict to make one from."""
    if not isinstance(given, BuildInput):
        raise UsageError(
            f"the BuildInput is a {type(given).__name__}. Type: BuildInput.parse(...) of it"
        )


def create_simulation_folder(folder: Path, build: BuildInput) -> None:
    """Create a folder, unless it exists, and write a BuildInput into it."""
    create_folder(folder)
    write_yaml(folder / f"{folder.name}.yaml", json.loads(build.input_data))


def dump_yaml(values: Mapping[str, Any], *, sort_keys: bool = True) -> bytes:
    """Return the content of a YAML file, in UTF-8."""
    content: bytes = yaml.dump(
        values, Dumper=_Dumper, allow_unicode=True, encoding="utf-8", sort_keys=sort_keys
    )
    return content


def write_yaml(path: Path, values: Mapping[str, Any], *, sort_keys: bool = True) -> None:
    """Write a YAML file, in place of an existing one."""
    with replacing(path) as file:
        file.write(dump_yaml(values, sort_keys=sort_keys))
