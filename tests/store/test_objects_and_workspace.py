"""Bytes by digest, files that are old or new, workspaces of another version."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from evalkit.errors import Locked, StorageError, UnknownName, WorkspaceError, WorkspaceTooNew
from evalkit.store import ObjectStore, Workspace, exclusive, write_atomically


def test_an_object_is_written_once(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    digest = store.put(b"picture")
    before = store.path(digest).stat().st_mtime_ns
    assert store.put(b"picture") == digest
    assert store.path(digest).stat().st_mtime_ns == before
    assert store.get(digest) == b"picture"
    assert digest in store


def test_a_damaged_or_missing_object_is_noticed(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    digest = store.put(b"picture")
    store.path(digest).write_bytes(b"pictur")
    with pytest.raises(StorageError, match="damaged"):
        store.get(digest)
    with pytest.raises(StorageError, match="missing"):
        store.get("0" * 64)


def test_half_written_objects_are_swept(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    digest = store.put(b"picture")
    (store.path(digest).parent / "abc.tmp").write_bytes(b"half")
    assert store.sweep() == 1
    assert store.get(digest) == b"picture"


def test_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_atomically(tmp_path / "f", b"old")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="No space"):
        write_atomically(tmp_path / "f", b"new")
    with pytest.raises(StorageError, match="No space"):
        ObjectStore(tmp_path / "o").put(b"x")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_workspace_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Workspace.open(tmp_path)
    (tmp_path / "workspace.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(WorkspaceTooNew, match="format 99") as caught:
        Workspace.open(tmp_path)
    assert "Upgrade" in caught.value.hint


def test_no_workspace_where_one_is_needed(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="no workspace"):
        Workspace.open(tmp_path / "nothing", create=False)
    assert not (tmp_path / "nothing").exists()


def test_the_environment_names_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_WORKSPACE", str(tmp_path / "there"))
    assert Workspace.open().root == tmp_path / "there"


def test_a_run_is_found_by_the_start_of_its_name(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="no run"):
        workspace.run_id()
    for name in ("alpha-1", "beta-2"):
        write_atomically(workspace.runs / name / "plan.json", b"{}")
    assert workspace.run_id("al") == "alpha-1"
    assert workspace.run_id() == "beta-2"
    with pytest.raises(UnknownName, match="unknown run"):
        workspace.run_id("alpha-2")


def test_a_lock_names_its_holder(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "l", "running things"),
        pytest.raises(Locked, match=r"running things \(process \d+\)"),
        exclusive(tmp_path / "l", "running things"),
    ):
        pass
    with exclusive(tmp_path / "l", "running things"):
        pass
