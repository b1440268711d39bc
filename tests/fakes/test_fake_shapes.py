"""Every provider answers a plain request as its documentation says, and turns away a wrong key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_talk import ASYNC, KEY_HEADERS, PROVIDERS, SEVERAL, Talk, data_uri, graph, key, multipart, png, size

from evalkit.fakes import FakeServer
from evalkit.fakes.server import BASES

CATALOG = Path(__file__).resolve().parents[2] / "evalkit" / "providers" / "catalog"
EDIT = png()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_pictures_come_and_one_job_is_billed(talk: Talk, provider: str) -> None:
    answer = talk.ask(provider, "a fox")
    assert answer.status_code in (200, 201, 202)
    pictures = talk.finish(provider, answer)
    assert [max(size(data)) <= 256 for data in pictures] == [True]
    (billed,) = talk.fakes.ledger()
    assert (billed.provider, billed.n, billed.prompt) == (provider, 1, "a fox")


@pytest.mark.parametrize("provider", SEVERAL)
def test_several_pictures_differ(talk: Talk, provider: str) -> None:
    pictures = talk.finish(provider, talk.ask(provider, "a fox", 3))
    assert len(set(pictures)) == 3
    assert [billed.n for billed in talk.fakes.ledger()] == [3]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_same_request_gives_the_same_bytes(talk: Talk, provider: str) -> None:
    first, second = (talk.finish(provider, talk.ask(provider, "a fox")) for _ in range(2))
    other = talk.finish(provider, talk.ask(provider, "a crow"))
    assert first == second != other
    assert len(talk.fakes.ledger()) == 3


@pytest.mark.parametrize("provider", sorted(KEY_HEADERS))
@pytest.mark.parametrize("given", ["", "wrong"])
def test_without_the_key_nothing_happens(fakes: FakeServer, provider: str, given: str) -> None:
    from fake_talk import ASKS

    path, make = ASKS[provider]
    name, before = KEY_HEADERS[provider]
    headers = {name: f"{before}{given}"} if given else {}
    answer = httpx.post(fakes.base(provider) + path, headers=headers, trust_env=False, **make("a fox", 1))
    expected = {"bfl": 403, "gemini": 400 if given else 403}.get(provider, 401)
    assert answer.status_code == expected
    assert answer.json()
    assert fakes.ledger() == []


def test_fal_tells_its_states_as_documented(talk: Talk) -> None:
    accepted = talk.ask("fal", "a fox", 2)
    assert set(accepted.json()) == {
        "status",
        "request_id",
        "response_url",
        "status_url",
        "cancel_url",
        "queue_position",
    }
    early = talk.http.get(accepted.json()["response_url"], headers=key("fal"))
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    looks = [talk.poll("fal", accepted) for _ in range(3)]
    assert [look.status_code for look in looks] == [202, 202, 200]
    assert [look.json()["status"] for look in looks] == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    assert looks[0].json()["queue_position"] == 0
    assert looks[1].json()["logs"] == []
    assert looks[2].json()["metrics"] == {"inference_time": 1.25}
    result = talk.http.get(accepted.json()["response_url"], headers=key("fal"))
    assert result.headers["x-fal-billable-units"] == "2"
    assert [image["content_type"] for image in result.json()["images"]] == ["image/png"] * 2


def test_fal_urls_leave_out_the_rest_of_the_endpoint(talk: Talk) -> None:
    url = talk.fakes.base("fal") + "/microsoft/mai-image-2.5/edit"
    body = {"prompt": "make it blue", "image_urls": [data_uri(EDIT)]}
    answer = talk.http.post(url, json=body, headers=key("fal"))
    assert "/microsoft/mai-image-2.5/requests/" in answer.json()["status_url"]
    assert len(talk.finish("fal", answer)) == 1


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"num_images": 9}, "less_than_equal"),
        ({"aspect_ratio": "7:5000"}, "one_of"),
        ({"output_format": "bmp"}, "one_of"),
        ({"prompt": ""}, "missing"),
        ({"image_urls": [data_uri(b"not a picture")]}, "image_load_error"),
        ({"image_urls": ["https://example.com/a.png"]}, "file_download_error"),
    ],
)
def test_fal_finds_fault_with_the_input_only_at_the_result(
    talk: Talk, change: Mapping[str, Any], kind: str
) -> None:
    accepted = talk.ask("fal", "a fox", **change)
    assert accepted.status_code == 200
    result = talk.last("fal", accepted)
    assert result.status_code == 422
    assert result.json()["detail"][0]["type"] == kind
    assert result.headers["x-fal-retryable"] == "false"


def test_fal_sync_mode_is_inline(talk: Talk) -> None:
    result = talk.last("fal", talk.ask("fal", "a fox", sync_mode=True)).json()
    assert result["images"][0]["url"].startswith("data:image/png;base64,")


def test_fal_cancels_what_is_not_over(talk: Talk) -> None:
    accepted = talk.ask("fal", "a fox").json()
    statuses = [talk.http.put(accepted["cancel_url"], headers=key("fal")) for _ in range(1)]
    assert (statuses[0].status_code, statuses[0].json()["status"]) == (202, "CANCELLATION_REQUESTED")
    status = talk.http.get(accepted["status_url"], headers=key("fal")).json()
    assert (status["status"], status["error_type"]) == ("COMPLETED", "client_cancelled")
    again = talk.http.put(accepted["cancel_url"], headers=key("fal"))
    assert (again.status_code, again.json()["status"]) == (400, "ALREADY_COMPLETED")
    nobody = talk.http.put(talk.fakes.base("fal") + "/a/b/requests/x/cancel", headers=key("fal"))
    assert (nobody.status_code, nobody.json()["status"]) == (404, "NOT_FOUND")


def test_fal_streams_its_status(talk: Talk) -> None:
    accepted = talk.ask("fal", "a fox").json()
    text = talk.http.get(accepted["status_url"] + "/stream", headers=key("fal")).text
    assert text.count("data: ") == 3
    assert "COMPLETED" in text


def test_fal_remembers_what_was_asked(talk: Talk) -> None:
    talk.ask("fal", "a fox", num_images=2)
    url = talk.fakes.base("fal") + "/v1/models/requests/by-endpoint"
    query = {"endpoint_id": "microsoft/mai-image-2.5", "expand": "payloads", "start": "2020-01-01T00:00:00Z"}
    (item,) = talk.http.get(url, params=query, headers=key("fal")).json()["items"]
    assert item["json_input"] == {"prompt": "a fox", "num_images": 2}
    assert item["sent_at"] > "2026"
    past = {**query, "end": "2020-01-02T00:00:00Z"}
    assert talk.http.get(url, params=past, headers=key("fal")).json()["items"] == []


def test_fal_forgets_results_after_an_hour(talk: Talk) -> None:
    accepted = talk.ask("fal", "a fox")
    assert talk.last("fal", accepted).status_code == 200
    talk.fakes.advance(3700)
    assert talk.last("fal", accepted).status_code == 404


def test_uploads_can_be_used_as_sources(talk: Talk) -> None:
    fal = talk.fakes.base("fal")
    token = talk.http.post(
        fal + "/storage/auth/token", params={"storage_type": "fal-cdn-v3"}, json={}, headers=key("fal")
    ).json()
    auth = {"Authorization": f"{token['token_type']} {token['token']}"}
    url = talk.http.post(token["base_url"] + "/files/upload", content=EDIT, headers=auth).json()["access_url"]
    answer = talk.http.post(fal + "/x/y/edit", json={"prompt": "p", "image_urls": [url]}, headers=key("fal"))
    assert len(talk.finish("fal", answer)) == 1


def test_each_uploads_lists_and_cancels(talk: Talk) -> None:
    base, headers = talk.fakes.base("each"), key("each")
    place = talk.http.post(
        base + "/v1/upload/presign", json={"content_type": "image/png"}, headers=headers
    ).json()
    assert (
        talk.http.put(place["presigned_url"], content=EDIT, headers=place["required_headers"]).status_code
        == 200
    )
    leak = talk.http.put(place["presigned_url"], content=EDIT, headers=place["required_headers"] | headers)
    assert (leak.status_code, leak.text) == (500, "leaked credential")
    body = {"model": "m", "input": {"prompt": "p", "image_urls": [place["public_url"]]}}
    accepted = talk.http.post(base + "/v1/prediction/", json=body, headers=headers)
    assert len(talk.finish("each", accepted)) == 1
    listing = talk.http.get(base + "/v1/executions", params={"model": "m"}, headers=headers).json()
    assert [row["id"] for row in listing["executions"]] == [accepted.json()["predictionID"]]
    assert (listing["executions"][0]["cost"], listing["executions"][0]["status"]) == (0.05, "success")
    other = talk.ask("each", "a crow").json()["predictionID"]
    assert (
        talk.http.post(f"{base}/v1/prediction/{other}/cancel", headers=headers).json()["status"]
        == "cancelled"
    )
    assert talk.http.get(f"{base}/v1/prediction/{other}", headers=headers).json()["status"] == "cancelled"


@pytest.mark.parametrize(("shape", "kind"), [("str", str), ("list", list), ("object", dict)])
def test_each_has_outputs_of_three_shapes(talk: Talk, shape: str, kind: type) -> None:
    body = talk.last("each", talk.ask("each", f"a fox [[shape:{shape}]]")).json()
    assert isinstance(body["output"], kind)
    assert body["metrics"] == {"predict_time": 12.5, "cost": 0.05}


def test_pixazo_is_accepted_with_202_or_at_once(talk: Talk) -> None:
    accepted = talk.ask("pixazo", "a fox")
    assert accepted.status_code == 202
    assert accepted.json()["request_id"].startswith("microsoft-mai-image-2-5_")
    inline = talk.ask("pixazo", "a fox", sync_mode=True)
    assert inline.json()["images"][0]["url"].startswith("data:image/png;base64,")
    url = talk.fakes.base("pixazo") + "/microsoft-mai-image-2-5-pro/v1/text-to-image"
    pro = talk.http.post(url, json={"prompt": "a fox"}, headers=key("pixazo"))
    assert (pro.status_code, list(pro.json())) == (200, ["images"])


@pytest.mark.parametrize(
    ("width", "height", "status"), [(768, 1365, 200), (767, 1024, 400), (1025, 1024, 400)]
)
def test_azure_insists_on_its_sizes(talk: Talk, width: int, height: int, status: int) -> None:
    answer = talk.ask("azure", "a fox", width=width, height=height)
    assert answer.status_code == status
    assert len(talk.fakes.ledger()) == (status == 200)


def test_azure_ignores_n_and_reports_tokens(talk: Talk) -> None:
    body = talk.ask("azure", "a fox", 4).json()
    assert len(body["data"]) == 1
    assert body["usage"]["num_output_tokens"] == 1024


def test_usage_follows_the_pictures(talk: Talk) -> None:
    one, two = (talk.ask("openai", "a fox", n).json()["usage"]["output_tokens"] for n in (1, 2))
    assert two == 2 * one
    assert talk.ask("openrouter", "a fox", 3).json()["usage"]["cost"] == pytest.approx(0.12)


def test_gemini_speaks_before_it_shows(talk: Talk) -> None:
    parts = talk.ask("gemini", "a fox").json()["candidates"][0]["content"]["parts"]
    assert [next(iter(part)) for part in parts] == ["text", "inlineData"]
    parts = talk.ask("gemini", "a fox [[shape:thought]]").json()["candidates"][0]["content"]["parts"]
    assert [part.get("thought") for part in parts] == [None, True, None]


def test_bfl_polls_under_another_name_and_links_expire(talk: Talk) -> None:
    accepted = talk.ask("bfl", "a fox")
    assert "//localhost:" in accepted.json()["polling_url"]
    ready = talk.last("bfl", accepted).json()
    assert ready["status"] == "Ready"
    assert talk.http.get(ready["result"]["sample"]).status_code == 200
    talk.fakes.advance(601)
    assert talk.http.get(ready["result"]["sample"]).status_code == 403


def test_replicate_has_files_and_cancels(talk: Talk) -> None:
    base, headers = talk.fakes.base("replicate"), key("replicate")
    kept = talk.http.post(
        base + "/v1/files", files={"content": ("a.png", EDIT, "image/png")}, headers=headers
    ).json()
    answer = talk.http.post(
        base + "/v1/predictions",
        json={"version": "v", "input": {"prompt": "p", "image": kept["urls"]["get"]}},
        headers=headers,
    )
    assert answer.status_code == 201
    ended = talk.http.post(answer.json()["urls"]["cancel"], headers=headers).json()
    assert ended["status"] == "canceled"


def test_stability_gives_json_or_bytes(talk: Talk) -> None:
    url = talk.fakes.base("stability") + "/v2beta/stable-image/generate/core"
    headers = key("stability") | {"Accept": "image/*"}
    answer = talk.http.post(url, headers=headers, **multipart(prompt="a fox"))
    assert answer.headers["finish-reason"] == "SUCCESS"
    assert size(answer.content)
    assert talk.http.post(url, headers=headers, json={"prompt": "x"}).status_code == 400


def test_a1111_reports_every_seed(talk: Talk) -> None:
    import json

    body = talk.ask("a1111", "a fox", 3).json()
    assert json.loads(body["info"])["all_seeds"] == [3, 4, 5]
    assert len(talk.ask("a1111", "a fox [[shape:grid]]", 3).json()["images"]) == 4


def test_comfyui_keeps_the_clients_id_and_bills_it_once(talk: Talk) -> None:
    for _ in range(2):
        assert talk.ask("comfyui", "a fox", prompt_id="mine").json()["prompt_id"] == "mine"
    assert [billed.id for billed in talk.fakes.ledger()] == ["mine"]
    url = talk.fakes.base("comfyui")
    assert [row[1] for row in talk.http.get(url + "/queue").json()["queue_pending"]] == ["mine"]
    talk.http.post(url + "/queue", json={"delete": ["mine"]})
    assert talk.http.get(url + "/queue").json() == {"queue_running": [], "queue_pending": []}
    assert talk.http.get(url + "/history/mine").json() == {}


def test_comfyui_interrupts_what_is_running(talk: Talk) -> None:
    accepted = talk.ask("comfyui", "a fox [[poll:stuckrun]]")
    talk.poll("comfyui", accepted)
    url = talk.fakes.base("comfyui")
    assert len(talk.http.get(url + "/queue").json()["queue_running"]) == 1
    talk.http.post(url + "/interrupt")
    (job,) = talk.poll("comfyui", accepted).json().values()
    assert [message[0] for message in job["status"]["messages"]] == [
        "execution_start",
        "execution_interrupted",
    ]


def test_comfyui_knows_bad_graphs_and_uploads(talk: Talk) -> None:
    url = talk.fakes.base("comfyui")
    nodes = graph("a fox")
    del nodes["9"]
    refused = talk.http.post(url + "/prompt", json={"prompt": nodes})
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "prompt_no_outputs")
    edit = graph("blue") | {"10": {"class_type": "LoadImage", "inputs": {"image": "none.png"}}}
    assert "10" in talk.http.post(url + "/prompt", json={"prompt": edit}).json()["node_errors"]
    name = talk.http.post(url + "/upload/image", files={"image": ("a.png", EDIT, "image/png")}).json()["name"]
    assert name == "a.png"
    edit["10"]["inputs"]["image"] = name
    assert talk.http.post(url + "/prompt", json={"prompt": edit}).status_code == 200


def test_ideogram_can_be_asked_to_wait(talk: Talk) -> None:
    base, headers = talk.fakes.base("ideogram"), key("ideogram")
    answer = talk.http.post(
        base + "/v1/ideogram-v4/generate/async", json={"text_prompt": "a fox"}, headers=headers
    )
    url = f"{base}/v1/generations/{answer.json()['generation_id']}"
    looks = [talk.http.get(url, headers=headers).json() for _ in range(3)]
    assert [look["status"] for look in looks] == ["pending", "pending", "completed"]
    assert looks[2]["data"][0]["is_image_safe"] is True


def test_together_turns_away_who_has_no_name(talk: Talk) -> None:
    url = talk.ask("together", "a fox").json()["data"][0]["url"]
    nameless = talk.http.build_request("GET", url)
    del nameless.headers["user-agent"]
    assert talk.http.send(nameless).status_code == 403
    assert talk.http.get(url).status_code == 200


EDITS: Mapping[str, tuple[str, Any]] = {
    "openai": (
        "/images/edits",
        lambda i, m: {"data": {"model": "x", "prompt": "p"}, "files": {"image[]": i, "mask": m}},
    ),
    "local": (
        "/images/edits",
        lambda i, m: {"data": {"model": "x", "prompt": "p"}, "files": {"image": i, "mask": m}},
    ),
    "stability": (
        "/v2beta/stable-image/edit/inpaint",
        lambda i, m: {"data": {"prompt": "p"}, "files": {"image": i, "mask": m}},
    ),
    "ideogram": (
        "/v1/ideogram-v3/edit",
        lambda i, m: {"data": {"prompt": "p"}, "files": {"image": i, "mask": m}},
    ),
}


@pytest.mark.parametrize("provider", sorted(EDITS))
@pytest.mark.parametrize(
    ("image", "mask", "fine"),
    [
        (EDIT, png(mode="L"), True),
        (b"broken", png(mode="L"), False),
        (EDIT, b"broken", False),
        (EDIT, png(32), False),
    ],
)
def test_sources_and_masks_have_to_be_pictures(
    talk: Talk, provider: str, image: bytes, mask: bytes, fine: bool
) -> None:
    path, make = EDITS[provider]
    answer = talk.http.post(talk.fakes.base(provider) + path, headers=key(provider), **make(image, mask))
    assert answer.status_code == (200 if fine else 400)
    assert len(talk.fakes.ledger()) == fine


@pytest.mark.parametrize(("provider", "name"), [("bfl", "input_image"), ("together", "image_url")])
def test_broken_sources_inside_json(talk: Talk, provider: str, name: str) -> None:
    assert talk.ask(provider, "p", **{name: data_uri(b"broken")}).status_code in (400, 422)
    assert talk.ask(provider, "p", **{name: data_uri(EDIT)}).status_code == 200
    assert len(talk.fakes.ledger()) == 1


def test_an_edit_shows_its_source(talk: Talk) -> None:
    files = {"image": ("a.png", png(300, 200), "image/png")}
    body = {"data": {"model": "d", "prompt": "make it blue"}, "files": files}
    answer = talk.http.post(talk.fakes.base("azure") + "/mai/v1/images/edits", headers=key("azure"), **body)
    assert size(talk.bytes_of(answer.json()["data"][0]["b64_json"])) == (256, 256)


@pytest.mark.parametrize("path", sorted(CATALOG.glob("*.toml")), ids=lambda path: path.stem)
def test_the_catalogs_free_check_tells_a_good_key_from_a_bad_one(talk: Talk, path: Path) -> None:
    spec = tomllib.loads(path.read_text("utf-8"))["provider"]
    if "check" not in spec:
        pytest.skip(f"{path.stem} has no free check")
    url = spec["check"]["url"].format(base=talk.fakes.base(path.stem))
    good = talk.http.request(spec["check"]["method"], url, headers=key(path.stem))
    assert good.status_code in spec.get("check_ok", (200, 404))
    if path.stem in KEY_HEADERS:
        assert talk.http.request(spec["check"]["method"], url).status_code in (400, 401, 403)


def test_the_environment_has_a_key_for_every_description(fakes: FakeServer) -> None:
    environment = fakes.environment()
    for path in CATALOG.glob("*.toml"):
        spec = tomllib.loads(path.read_text("utf-8"))["provider"]
        assert f"EVALKIT_{path.stem.upper()}_BASE" in environment
        optional = spec.get("auth", {}).get("optional", False)
        assert optional or not spec.get("env") or any(name in environment for name in spec["env"])


def test_every_provider_has_a_base(fakes: FakeServer) -> None:
    judges = {name for name in BASES if name.endswith("chat")}
    assert set(BASES) - judges == set(PROVIDERS)
    assert set(ASYNC) <= set(PROVIDERS)
    assert fakes.base("openai") == f"{fakes.url}/openai/v1"


@pytest.mark.parametrize("side", [0, -1, 100_000])
def test_no_picture_takes_all_memory(talk: Talk, side: int) -> None:
    size_wanted = {"width": side, "height": 64}
    assert talk.ask("fal", "a fox", image_size=size_wanted).status_code == 400
    assert talk.ask("openai", "a fox", size=f"{side}x{side}").status_code == 400
    assert talk.fakes.ledger() == []
