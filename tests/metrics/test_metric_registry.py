from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from evalkit import plugins
from evalkit.errors import UnknownName, UsageError
from evalkit.metrics import registry
from evalkit.metrics.registry import DEFAULT_METRICS, DEMO_METRICS, known, make, parse, spec


def test_every_metric_of_ours_is_found_and_well_formed():
    assert {"clip", "lpips", "ocr", "pixels"} <= set(known())
    for name, metric in known().items():
        assert metric.name == name
        assert metric.version
        assert metric.summary
        names = [output.name for output in metric.outputs]
        assert len(set(names)) == len(names)
        assert sum(output.headline for output in metric.outputs) <= 1


def test_output_names_are_unique_over_all_metrics():
    names = [output.name for metric in known().values() for output in metric.outputs]
    assert len(set(names)) == len(names)


def test_discovery_imports_no_heavy_library():
    heavy = "torch open_clip lpips rapidocr cv2 skimage httpx huggingface_hub onnxruntime pandas"
    code = (
        "import sys; from evalkit.metrics.registry import parse, DEMO_METRICS; parse(DEMO_METRICS);"
        f"print([m for m in {heavy.split()} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("text", [DEFAULT_METRICS, DEMO_METRICS])
def test_the_built_in_lists_parse_and_spell_themselves(text: str):
    assert ",".join(spec(metric) for metric in parse(text)) == text


def test_options_and_spaces():
    metrics = parse(" ocr , lpips[ trunk = squeeze , long_side=256 ] ,clip[model=ViT-B-32]")
    assert [spec(metric) for metric in metrics] == ["ocr", "lpips[long_side=256,trunk=squeeze]", "clip"]


def test_one_model_has_one_spelling():
    long = "clip[model=ViT-B-32,pretrained=laion2b_s34b_b79k],lpips[long_side=0512]"
    assert [spec(metric) for metric in parse(long)] == ["clip", "lpips"]
    with pytest.raises(UsageError, match="twice"):
        parse("clip,clip[pretrained=laion2b_s34b_b79k]")


def test_the_same_metric_with_other_options_is_another_metric():
    assert [m.options["trunk"] for m in parse("lpips[trunk=vgg],lpips[trunk=alex]")] == ["vgg", "alex"]


def test_unknown_names_offer_the_nearest():
    with pytest.raises(UnknownName) as caught:
        parse("pixel")
    assert "Did you mean pixels?" in caught.value.hint
    with pytest.raises(UnknownName) as caught:
        parse("lpips[trunc=vgg]")
    assert "Did you mean trunk?" in caught.value.hint
    with pytest.raises(UnknownName, match="trunk"):
        parse("lpips[trunk=resnet]")
    with pytest.raises(UnknownName) as caught:
        parse("clip[model=ViT-B-31]")
    assert "ViT-B-32" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["", " , ", "ocr[", "ocr]", "lpips[trunk]", "lpips[trunk=]", "lpips[=vgg]", "[a=b]", "lpips[trunk=vgg]x",
     "lpips[a=[b]]", "lpips[trunk=vgg,trunk=alex]", "ocr,ocr", "pixels[a=1]", "lpips[long_side=big]"],
)  # fmt: skip
def test_malformed_lists_are_usage_errors_with_a_hint(text: str):
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.exit_code == 2


def test_make_refuses_unknown_options():
    with pytest.raises(UnknownName):
        make("clip", {"modell": "mini"})


def test_a_broken_plugin_warns_and_leaves_the_rest(monkeypatch: pytest.MonkeyPatch):
    broken = EntryPoint("acme", "no_such_module_of_acme:Metric", registry.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda **_: [broken])
    known.cache_clear()
    try:
        with pytest.warns(UserWarning, match="acme"):
            assert "pixels" in known()
    finally:
        known.cache_clear()
