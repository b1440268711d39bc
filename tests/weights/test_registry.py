from __future__ import annotations

import re

import pytest

from evalkit.errors import UnknownName, UsageError
from evalkit.weights.registry import clip_entry, entries, entry


@pytest.mark.parametrize("name", list(entries()))
def test_every_entry_is_complete(name: str):
    found = entry(name)
    assert found.purpose
    assert found.licence
    assert found.size > 1_000_000
    assert bool(found.url) != bool(found.repo)
    assert not found.sha256 or re.fullmatch("[0-9a-f]{64}", found.sha256)
    assert not found.url or found.url.endswith("/" + found.file)
    assert not found.repo or re.fullmatch("[0-9a-f]{40}", found.revision) or not found.sha256


def test_published_prefixes_are_those_of_the_pinned_digests():
    """torchvision's file names end in the first eight digits of the sha256."""
    named = [one for one in entries().values() if one.url]
    assert len(named) == 3
    for one in named:
        assert one.sha256.startswith(one.file.rsplit("-", 1)[1].removesuffix(".pth"))


def test_clips_are_found_by_open_clips_names():
    assert clip_entry("ViT-B-32").name == "clip-vit-b-32"
    assert clip_entry("ViT-L-14", "datacomp_xl_s13b_b90k").name == "clip-vit-l-14"


def test_what_open_clip_knows_can_be_named():
    found = clip_entry("ViT-B-16", "laion2b_s34b_b88k")
    assert found.name == "clip:ViT-B-16:laion2b_s34b_b88k"
    assert found == entry(found.name)
    assert (found.repo, found.revision) == ("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "main")
    assert [v.file for v in found.variants] == ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
    assert (found.sha256, found.size, found.megabytes) == ("", 0, 0)
    assert found.slug == "clip--ViT-B-16--laion2b_s34b_b88k"
    named = entry("clip:ViTamin-S:datacomp1b")
    assert [v.file for v in named.variants] == ["pytorch_model.safetensors", "pytorch_model.bin"]


def test_a_repository_can_be_named():
    found = entry("clip:hf-hub:acme/clip")
    assert (found.name, found.repo, found.model) == ("clip:hf-hub:acme/clip", "acme/clip", "hf-hub:acme/clip")
    assert found.beside == ("open_clip_config.json",)


def test_names_that_say_nothing_or_too_little():
    with pytest.raises(UnknownName) as caught:
        entry("clip:ViT-B-61:openai")
    assert "ViT-B-16" in caught.value.hint
    with pytest.raises(UnknownName) as caught:
        entry("clip:ViT-B-16:laion2b")
    assert "laion2b_s34b_b88k" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        entry("clip:ViT-B-16")
    assert "openai" in caught.value.hint
    with pytest.raises(UsageError):
        entry("clip:hf-hub:acme/clip/more")


def test_open_clip_knows_the_clips_under_these_names():
    from evalkit.weights.torchguard import import_open_clip

    open_clip = import_open_clip()
    for one in entries().values():
        if one.model:
            assert open_clip.get_pretrained_cfg(one.model, one.pretrained)["hf_hub"].strip("/") == one.repo


def test_unknown_names_offer_the_nearest():
    with pytest.raises(UnknownName) as caught:
        entry("lpips-alexnet")
    assert "lpips-alex" in caught.value.hint
