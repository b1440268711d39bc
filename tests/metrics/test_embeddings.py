"""Embeddings outlive the process, and a cache that is broken costs time only."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_clip
from tiny_clip import Counting

from evalkit.metrics.clip import Clip
from evalkit.metrics.edit import Edit
from evalkit.metrics.networks.embedder import Embedder
from evalkit.metrics.networks.embeddings import EmbeddingCache, Memory
from evalkit.metrics.networks.torchrun import Resources
from evalkit.metrics.networks.views import View


def vectors(count: int, seed: int = 0, width: int = 8) -> dict[str, np.ndarray]:
    values = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return {f"key {n}": value for n, value in enumerate(values)}


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return found.keys() == expected.keys() and all(np.array_equal(found[k], expected[k]) for k in expected)


def test_what_was_written_comes_back_exactly(tmp_path: Path):
    some = vectors(1200)
    EmbeddingCache(tmp_path).write("a", some)
    assert same(EmbeddingCache(tmp_path).read("a", list(some)), some)
    assert EmbeddingCache(tmp_path).read("b", list(some)) == {}
    assert EmbeddingCache(tmp_path).read("a", ["another"]) == {}


def test_a_later_process_embeds_only_what_is_new(tmp_path: Path, make_subject, photo, noisy, centre_mask):
    captions = {"source_caption": "a red cup", "target_caption": "a green cup"}
    subjects = [make_subject(noisy, photo, centre_mask, task="edit", **captions)]
    counting = Counting(tiny_clip.tiny())

    def process(metric):
        """A metric as a new process has it: nothing in memory, the cache on the disk."""
        metric._own = Embedder(counting, "space", Resources(cache=tmp_path))
        counting.seen_images = counting.seen_texts = 0
        return metric

    first = process(Clip()).score(subjects)
    assert (counting.seen_images, counting.seen_texts) == (2, 2)
    assert process(Clip()).score(subjects) == first
    assert (counting.seen_images, counting.seen_texts) == (0, 0)
    process(Edit()).score(subjects)
    assert (counting.seen_images, counting.seen_texts) == (
        2,
        1,
    )  # the source and the crop; the source's caption


def test_pictures_that_are_known_are_not_decoded(tmp_path: Path, photo):
    encoder = tiny_clip.tiny()
    Embedder(encoder, "s", Resources(cache=tmp_path)).see([View("a", lambda: photo)])

    def never() -> None:
        raise AssertionError("decoded")

    assert set(Embedder(encoder, "s", Resources(cache=tmp_path)).see([View("a", never)])) == {"a"}


def test_without_a_cache_and_with_broken_pictures_it_works(photo, noisy):
    views = [View("a", lambda: photo), View("b", lambda: None), View("c", lambda: noisy)]
    for threads in (0, 1, 3):
        found = Embedder(tiny_clip.tiny(), "", Resources(threads=threads, batch=1)).see(views)
        assert set(found) == {"a", "c"}
        assert np.array_equal(found["a"], tiny_clip.tiny().images([photo])[0])


@pytest.mark.parametrize("damage", ["noise", "cut", "empty table", "header"])
def test_a_broken_file_is_left_for_a_new_one(tmp_path: Path, damage: str):
    some = vectors(3000)
    cache = EmbeddingCache(tmp_path)
    cache.write("a", some)
    cache.close()
    path = tmp_path / "embeddings-1.sqlite"
    if damage == "empty table":
        path.unlink()
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE embeddings (something TEXT)")
        db.close()
    else:
        data = bytearray(path.read_bytes())
        middle = slice(4096, len(data) - 4096)
        data[middle] = data[middle] if damage != "noise" else b"\xff" * len(data[middle])
        data = data[: 3 * 4096 + 7] if damage == "cut" else data
        data[:16] = b"not a database!!" if damage == "header" else data[:16]
        path.write_bytes(data)
    again = EmbeddingCache(tmp_path)
    with pytest.warns(UserWarning, match="worked out again"):
        assert again.read("a", list(some)) == {}
    again.write("a", some)
    assert same(EmbeddingCache(tmp_path).read("a", list(some)), some)
    assert not path.exists()


def test_a_changed_bit_is_a_missing_vector_and_never_another_number(tmp_path: Path):
    some = vectors(2)
    cache = EmbeddingCache(tmp_path)
    cache.write("a", some)
    cache.close()
    path = tmp_path / "embeddings-1.sqlite"
    data, wanted = path.read_bytes(), some["key 0"].tobytes()
    assert wanted in data
    path.write_bytes(data.replace(wanted, bytes([wanted[0] ^ 1]) + wanted[1:]))
    assert same(EmbeddingCache(tmp_path).read("a", list(some)), {"key 1": some["key 1"]})


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path):
    (tmp_path / "cache").write_text("in the way")
    cache = EmbeddingCache(tmp_path / "cache")
    cache.write("a", vectors(1))
    assert cache.read("a", ["key 0"]) == {}


WRITER = """
import sys, numpy as np
from pathlib import Path
from evalkit.metrics.networks.embeddings import EmbeddingCache
cache, space = EmbeddingCache(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
for n in range(int(sys.argv[3])):
    cache.write(space, {f"key {n} {k}": np.full(64, n + k, np.float32) for k in range(20)})
"""


def writer(folder: Path, space: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), space, str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_several_processes_write_at_once(tmp_path: Path):
    running = [writer(tmp_path, space, 25) for space in "abc"]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    for one in running:
        one.stdout.close()
    for space in "abc":
        found = EmbeddingCache(tmp_path).read(space, [f"key {n} {k}" for n in range(25) for k in range(20)])
        assert len(found) == 500
        assert all(vector[0] == sum(map(int, key.split()[1:])) for key, vector in found.items())
    assert [path.name for path in tmp_path.glob("*.sqlite")] == ["embeddings-1.sqlite"]


def test_a_killed_writer_leaves_whole_vectors(tmp_path: Path):
    running = writer(tmp_path, "a", 100_000)
    assert running.stdout.readline() == "ready\n"
    cache, keys = EmbeddingCache(tmp_path), [f"key {n} {k}" for n in range(50) for k in range(20)]
    while len(cache.read("a", keys)) < 100:
        assert running.poll() is None
    running.send_signal(signal.SIGKILL)
    running.wait(10)
    running.stdout.close()
    found = cache.read("a", keys)
    assert len(found) >= 100
    assert len(found) % 20 == 0
    cache.write("a", vectors(1))
    assert len(cache.read("a", ["key 0"])) == 1


def test_memory_forgets_the_oldest():
    memory = Memory(size=2)
    memory.put(vectors(2))
    memory.put({"key 0": np.zeros(1)})
    memory.put({"new": np.zeros(1)})
    assert set(memory.get(["key 0", "key 1", "new"])) == {"key 0", "new"}
