"""All that the server keeps: folders and datasets by path and rid, under one lock."""

from __future__ import annotations

import threading
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .datasets import Dataset, new_rid, stamp
from .errors import RefusedError
from .settings import Settings

DATASET, FOLDER = "ri.foundry.main.dataset.", "ri.compass.main.folder."
ROOT = "ri.compass.main.folder.0"


@dataclass(slots=True)
class Resource:
    """What stands at a path: a folder, or a dataset."""

    rid: str
    path: str
    user: str
    dataset: Dataset | None = None
    trashed: bool = False
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    def reply(self, decoration: list[str]) -> dict[str, Any]:
        """Return every field that the client demands (R2), and the decorations it asks for."""
        by = {"userId": self.user, "time": stamp(self.created)}
        extra = {"path": self.path, "inTrash": self.trashed}
        return {
            "rid": self.rid,
            "name": self.path.rpartition("/")[2],
            "created": by,
            "modified": by,
            "lastModified": self.created.timestamp(),
            "description": None,
            "directlyTrashed": self.trashed,
            "isAutosave": False,
            "isHidden": False,
            "operations": [],
            "urlVariables": {},
        } | {name: extra[name] for name in decoration if name in extra}


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "/"


class State:
    """Folders and datasets. Hold `lock` while you use it."""

    def __init__(self, settings: Settings) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.by_path = {"/": Resource(ROOT, "/", "system")}
        self.by_rid = {ROOT: self.by_path["/"]}

    def copied(self, settings: Settings) -> State:
        """Return the same folders and datasets, apart from these, with other settings."""
        copied = State(settings)
        resources = self.by_path, self.by_rid
        copied.by_path, copied.by_rid = deepcopy(resources, {id(self.settings): settings})
        return copied

    def add(self, path: str, user: str, kind: str) -> Resource:
        """Put a folder or a dataset at a path."""
        rid = new_rid(kind.removeprefix("ri.").rstrip("."))
        dataset = Dataset(rid, self.settings) if kind == DATASET else None
        made = Resource(rid, path, user, dataset)
        self.by_path[path] = self.by_rid[rid] = made
        return made

    def add_folder(self, name: str, parent_rid: str, user: str) -> Resource:
        """Make a folder in another (R4)."""
        parent = self.by_rid.get(parent_rid)
        if parent is None or parent.dataset:
            raise RefusedError("Compass:NotFound", rid=parent_rid)
        if not name or "/" in name:
            raise RefusedError("Compass:IllegalName", name=name)
        path = f"{parent.path.rstrip('/')}/{name}"
        if path in self.by_path:
            raise RefusedError("Compass:DuplicateName", name=name, parentRid=parent_rid)
        return self.add(path, user, FOLDER)

    def add_dataset(self, path: str, user: str) -> Resource:
        """Make a dataset without a branch (B1), and the folders above it if it may (R5)."""
        if not path.startswith("/") or path.endswith("/") or "//" in path:
            raise RefusedError("Catalog:InvalidArgument", datasetPath=path)
        if path in self.by_path:
            raise RefusedError("Catalog:DuplicateDatasetName", datasetPath=path)
        self._enter(_above(path), user)
        return self.add(path, user, DATASET)

    def _enter(self, folder: str, user: str) -> None:
        """See that a folder is there."""
        known = self.by_path.get(folder)
        if known and not known.dataset:
            return
        if known or not self.settings.creates_parents:
            raise RefusedError("Compass:PathNotFound", path=folder)
        self._enter(_above(folder), user)
        self.add(folder, user, FOLDER)

    def dataset(self, rid: str, unknown: str = "Catalog:DatasetsNotFound") -> Dataset:
        """Return the dataset, or refuse in the words of the service that is asked (E2)."""
        found = self.by_rid.get(rid)
        if found and found.dataset:
            return found.dataset
        if unknown.startswith("Catalog:") and not rid.startswith(DATASET):
            raise RefusedError("Catalog:InvalidArgument", datasetRid=rid)
        raise RefusedError(unknown, datasetRid=rid)
