"""From a model hub to a score: the mini model, served as if it were a checkpoint of open_clip's."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from evalkit.cli import weights
from evalkit.errors import InvalidInput, UnknownName, WeightsMissing
from evalkit.metrics.base import Subject
from evalkit.metrics.networks import embedder
from evalkit.metrics.registry import make
from evalkit.progress import Progress
from evalkit.studio import draw, parse
from evalkit.types import Case
from evalkit.weights import openclip, store
from evalkit.weights.mini_model import MINI_NAME, MINI_SHA256, mini_path, register_mini
from evalkit.weights.torchguard import import_open_clip

REPO = "acme/mini"
NAME = f"clip:{MINI_NAME}:studio"
SAFE = f"/{REPO}/resolve/main/open_clip_model.safetensors"
PLAIN = f"/{REPO}/resolve/main/open_clip_pytorch_model.bin"
CONFIG = f"/{REPO}/resolve/main/open_clip_config.json"
ABOUT = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}


@pytest.fixture(autouse=True)
def _hub(server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that has the mini model, and an open_clip that knows it by a tag."""
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    server.files[SAFE] = mini_path().read_bytes()
    register_mini()
    import_open_clip()
    from open_clip import pretrained

    table = {**pretrained._PRETRAINED, MINI_NAME: {"studio": {"url": "", "hf_hub": f"{REPO}/", **ABOUT}}}
    monkeypatch.setattr(pretrained, "_PRETRAINED", table)
    embedder._shared.cache_clear()
    yield
    embedder._shared.cache_clear()


@pytest.fixture(params=["in the hub's cache", "in a chosen folder"])
def _where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if request.param == "in a chosen folder":
        monkeypatch.setenv("EVALKIT_WEIGHTS_DIR", str(tmp_path / "weights"))


class Notes(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def scores(**options: str) -> dict[str, float | None]:
    scene = "a red mug to the left of a blue ball"
    picture = np.asarray(draw(parse(scene), 320, 200, 4))
    subject = Subject("drawn", picture, None, Case("c", scene))
    (values,) = make("clip", options).score([subject])
    return {name: value.value for name, value in values.items()}


def pulled_scores() -> dict[str, float | None]:
    return scores(model=MINI_NAME, pretrained="studio")


@pytest.mark.usefixtures("_where")
def test_what_was_pulled_scores_as_the_bundled_model(server) -> None:
    with pytest.raises(WeightsMissing) as caught:
        pulled_scores()
    assert caught.value.hint == f"evalkit weights pull {NAME}"
    progress = Notes()
    path = store.pull(NAME, progress)
    assert progress.notes == [f"{NAME}: 9 MB from {REPO} at main (see the model card of {REPO})"]
    assert path.read_bytes() == server.files[SAFE]
    assert {path for _, path, _ in server.asked} == {SAFE}
    assert len(server.fetched) == 1
    assert pulled_scores() == scores(model="mini")
    assert store.verify(NAME) == store.Verified(NAME, path, MINI_SHA256, "first use")
    assert [found.name for found in openclip.pulled()] == [NAME]


def test_a_repository_without_safetensors(server) -> None:
    from safetensors.torch import load_file

    buffer = io.BytesIO()
    torch.save(load_file(mini_path()), buffer)
    server.files = {PLAIN: buffer.getvalue()}
    assert store.pull(NAME).name == "open_clip_pytorch_model.bin"
    assert pulled_scores() == scores(model="mini")


def test_a_repository_that_says_itself_what_it_is(server) -> None:
    model = json.loads(mini_path().with_suffix(".json").read_text())
    server.files[CONFIG] = json.dumps({"model_cfg": model, "preprocess_cfg": ABOUT}).encode()
    name = f"clip:hf-hub:{REPO}"
    store.pull(name)
    assert store.locate(name).with_name("open_clip_config.json").is_file()
    assert scores(model=f"hf-hub:{REPO}") == scores(model="mini")
    first = make("clip", {"model": f"hf-hub:{REPO}"}).weights_digest()
    config = store.locate(name).with_name("open_clip_config.json")
    config.write_text(config.read_text().replace("squash", "shortest"))
    assert make("clip", {"model": f"hf-hub:{REPO}"}).weights_digest() != first


@pytest.mark.usefixtures("_where")
def test_a_cut_connection_is_continued(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 20)  # a tenth of what it is
    server.cut_after, server.cuts = 4_000_000, 1
    path = store.pull(NAME)
    (_, first), (_, second) = server.fetched
    assert first is None
    assert second is not None
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= 4_000_000
    assert path.read_bytes() == server.files[SAFE]


@pytest.mark.usefixtures("_where")
def test_a_file_that_is_not_what_the_hub_published_is_removed(server) -> None:
    server.digests[SAFE] = "0" * 64
    with pytest.raises(InvalidInput, match="another file") as caught:
        store.pull(NAME)
    assert NAME in caught.value.hint
    with pytest.raises(WeightsMissing):
        store.locate(NAME)
    server.digests.clear()
    assert store.pull(NAME).read_bytes() == server.files[SAFE]


@pytest.mark.usefixtures("_where")
def test_offline(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsMissing, match="HF_HUB_OFFLINE"):
        store.pull(NAME)
    assert server.asked == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    store.pull(NAME)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    server.asked.clear()
    assert pulled_scores() == scores(model="mini")
    assert store.pull(NAME) == store.locate(NAME)
    assert server.asked == []


def test_a_file_that_changes_later_is_never_used() -> None:
    path = store.pull(NAME)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(WeightsMissing, match="sha256"):
        pulled_scores()


def test_what_was_pulled_is_known_without_open_clip() -> None:
    """So that scoring again does not wait for torch to be imported."""
    store.pull(NAME)
    code = (
        "import sys; from evalkit.metrics.registry import parse;"
        f"(metric,) = parse('clip[model={MINI_NAME},pretrained=studio]');"
        "print(metric.weights_digest(), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [MINI_SHA256, "False"]


def test_what_was_pulled_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    store.pull(NAME)
    weights.list_(as_json=True)
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows[NAME]["here"] == str(store.locate(NAME))
    assert rows["clip-vit-b-32"]["here"] == ""
    weights.verify([NAME])
    assert MINI_SHA256 in capsys.readouterr().out


def test_a_tag_that_does_not_exist() -> None:
    with pytest.raises(UnknownName) as caught:
        store.pull(f"clip:{MINI_NAME}:studia")
    assert "Did you mean studio?" in caught.value.hint
