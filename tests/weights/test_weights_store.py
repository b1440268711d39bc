from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.errors import EvalkitError, InvalidInput, StorageError, WeightsMissing
from evalkit.progress import Progress
from evalkit.weights import digests, hub, registry, store
from evalkit.weights.registry import Entry

DATA = b"weights" * 100_000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, server) -> dict[str, Entry]:
    """Three small models that the loopback server has."""
    server.files["/files/plain.pth"] = DATA
    server.files["/acme/clip/resolve/" + "a" * 40 + "/model.bin"] = DATA
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    base = Entry("plain", "a test", "plain.pth", len(DATA), "MIT", SHA, url=server.base + "/files/plain.pth")
    clip = replace(
        base, name="clip", file="model.bin", sha256="", url="", repo="acme/clip", revision="a" * 40
    )
    found = {"plain": base, "clip": clip, "pinned": replace(clip, name="pinned", sha256=SHA)}
    monkeypatch.setattr(registry, "entries", lambda: found)
    return found


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("EVALKIT_WEIGHTS_DIR", str(tmp_path / "weights"))
    return tmp_path / "weights"


class Notes(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.mark.usefixtures("known")
def test_missing_says_which_command_fetches_it():
    with pytest.raises(WeightsMissing) as caught:
        store.locate("plain")
    assert caught.value.hint == "evalkit weights pull plain"


@pytest.mark.usefixtures("known")
def test_pull_tells_the_size_fetches_once_and_pins(folder: Path, server):
    progress = Notes()
    path = store.pull("plain", progress)
    assert path == folder / "plain.pth"
    assert progress.notes == [f"plain: 1 MB from {server.base}/files/plain.pth (MIT)"]
    assert store.digest("plain") == SHA
    assert store.verify("plain") == store.Verified("plain", path, SHA, "pinned")
    asked = len(server.asked)
    assert store.pull("plain") == path
    assert len(server.asked) == asked


@pytest.mark.usefixtures("known")
def test_a_wrong_download_is_an_error_and_removed(folder: Path, server):
    server.files["/files/plain.pth"] = b"not the weights"
    with pytest.raises(InvalidInput, match="another file"):
        store.pull("plain")
    assert not (folder / "plain.pth").exists()
    assert not (folder / "plain.pth.part").exists()
    server.files["/files/plain.pth"] = DATA
    store.pull("plain")


@pytest.mark.usefixtures("known", "folder")
def test_a_damaged_file_is_never_used():
    path = store.pull("plain")
    path.write_bytes(DATA[:-1] + b"!")
    with pytest.raises(WeightsMissing, match="sha256"):
        store.digest("plain")
    with pytest.raises(InvalidInput, match="damaged"):
        store.verify("plain")
    assert store.pull("plain").read_bytes() == DATA


@pytest.mark.usefixtures("known")
def test_offline_is_said_before_anything_is_asked(folder: Path, server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("plain", "clip"):
        with pytest.raises(WeightsMissing, match="HF_HUB_OFFLINE") as caught:
            store.pull(name)
        assert str(folder) in caught.value.hint
    assert server.asked == []


@pytest.mark.usefixtures("folder")
def test_a_full_disk_is_said_before_the_first_byte(known):
    known["plain"] = replace(known["plain"], size=10**18)
    with pytest.raises(StorageError, match="MB free"):
        store.pull("plain")


@pytest.mark.usefixtures("known")
def test_a_file_copied_by_hand_is_found(folder: Path):
    folder.mkdir()
    (folder / "plain.pth").write_bytes(DATA)
    assert store.locate("plain") == folder / "plain.pth"
    assert store.digest("plain") == SHA


@pytest.mark.usefixtures("known")
def test_what_torchvision_has_fetched_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    theirs = tmp_path / "torch" / "hub" / "checkpoints" / "plain.pth"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(DATA)
    assert store.locate("plain") == theirs


def test_hub_files_go_to_the_hubs_cache(known, tmp_path: Path):
    path = store.pull("clip")
    assert path.is_relative_to(tmp_path / "hf" / "hub")
    assert path.read_bytes() == DATA
    assert hub.cached(known["clip"]) == path
    assert store.verify("clip") == store.Verified("clip", path, SHA, "first use")
    lock = tmp_path / "cache" / "evalkit" / "weights" / "clip.lock.json"
    assert json.loads(lock.read_text())["sha256"] == SHA


@pytest.mark.usefixtures("known")
def test_hub_files_go_to_the_chosen_folder(folder: Path):
    assert store.pull("clip") == folder / "clip" / "model.bin"
    assert store.verify("clip").trust == "first use"


@pytest.mark.usefixtures("known", "folder")
def test_trust_on_first_use_notices_a_change():
    path = store.pull("clip")
    path.write_bytes(b"something else")
    with pytest.raises(WeightsMissing, match="sha256"):
        store.digest("clip")


@pytest.mark.usefixtures("known")
def test_a_hub_file_with_another_digest_is_removed(folder: Path, server):
    server.files["/acme/clip/resolve/" + "a" * 40 + "/model.bin"] = b"tampered"
    with pytest.raises(InvalidInput, match="another file"):
        store.pull("pinned")
    assert not (folder / "pinned" / "model.bin").exists()


@pytest.mark.usefixtures("known", "folder")
def test_a_hub_that_does_not_have_it_or_cannot_be_reached(server, monkeypatch: pytest.MonkeyPatch):
    server.files.clear()
    with pytest.raises(InvalidInput, match=r"has no file model\.bin") as caught:
        store.pull("clip")
    assert "access" in caught.value.hint
    with pytest.raises(EvalkitError, match="could not be fetched") as caught:
        store.pull("pinned")
    assert "HF_ENDPOINT" in caught.value.hint
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EvalkitError, match="cannot be looked up") as caught:
        store.pull("clip")
    assert "127.0.0.1:9 reachable" in caught.value.hint


@pytest.mark.usefixtures("folder")
def test_digests_are_not_computed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "big.bin"
    path.write_bytes(DATA)
    reads: list[Path] = []
    hash_file = digests.hash_file
    monkeypatch.setattr(digests, "hash_file", lambda file: reads.append(file) or hash_file(file))
    monkeypatch.setattr(digests, "_WORTH_KEEPING", 1000)
    assert digests.digest_of_file(path) == digests.digest_of_file(path) == SHA
    assert len(reads) == 1
    digests._seen.clear()
    assert digests.digest_of_file(path) == SHA
    assert len(reads) == 1
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=(1, 1))
    assert digests.digest_of_file(path) != SHA
    assert len(reads) == 2


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("EVALKIT_WEIGHTS_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(digests, "_WORTH_KEEPING", 1)
    path = tmp_path / "big.bin"
    path.write_bytes(DATA)
    assert digests.digest_of_file(path) == SHA


def test_digest_of_several_files_depends_on_each(tmp_path: Path):
    for name, data in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        (tmp_path / name).write_bytes(data)
    both = digests.digest_of_files([tmp_path / "a", tmp_path / "b"])
    assert both != digests.digest_of_files([tmp_path / "a", tmp_path / "c"])
    assert both == digests.digest_of_files([tmp_path / "a", tmp_path / "b"])
