from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from webhooksigning import (
    FAL_BODY,
    FAL_ID,
    FAL_KEY,
    NOW,
    OTHER_KEY,
    KeyServer,
    jwk,
    key_server,
    sign_bfl,
    sign_fal,
    sign_svix,
)

from evalkit.remote.jwks import KEEP_SECONDS, PAUSE_SECONDS, KeySet, KeysUnavailable
from evalkit.remote.webhooks import (
    SCHEMES,
    Delivery,
    Forged,
    NoKeyFits,
    Verifier,
    job_ids,
    verify_bfl,
    verify_each,
    verify_fal,
    verify_ideogram,
    verify_replicate,
)

SVIX = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEYS = (OTHER_KEY.public_key(), FAL_KEY.public_key())


def delivery(headers: Mapping[str, str], body: bytes = FAL_BODY, now: float = NOW) -> Delivery:
    return Delivery(headers, body, now)


# fal: the published message layout with a vector that two libraries agree on


def test_the_vector_of_fal() -> None:
    signature = (
        "a6186d4bf6c16e788d8c4233fc287a97bab82227184e67ba45b64c9aef05910b"
        "5a3c1a1924a8f89b7345d3b73e388f8a17a6618aea5314d165944d5b1c04ca0f"
    )
    headers = {
        "x-fal-webhook-request-id": "123e4567-e89b-12d3-a456-426614174000",
        "x-fal-webhook-user-id": "user_123",
        "x-fal-webhook-timestamp": "1767225600",
        "x-fal-webhook-signature": signature,
    }
    body = (
        b'{"request_id":"123e4567-e89b-12d3-a456-426614174000",'
        b'"gateway_request_id":"123e4567-e89b-12d3-a456-426614174000","status":"OK","payload":{"images":[]}}'
    )
    assert jwk(FAL_KEY)["x"] == "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
    verify_fal(Delivery(headers, body, 1767225600.0), b"", (FAL_KEY.public_key(),))
    assert sign_fal()["x-fal-webhook-signature"] == signature


def test_every_key_of_the_set_is_tried() -> None:
    for key in (FAL_KEY, OTHER_KEY):
        verify_fal(delivery(sign_fal(key=key)), b"", KEYS)


@pytest.mark.parametrize("name", ["request-id", "user-id", "timestamp", "signature"])
def test_each_header_of_fal_is_signed_and_needed(name: str) -> None:
    good = sign_fal()
    header = f"x-fal-webhook-{name}"
    other = {"timestamp": str(NOW + 1), "signature": "00" * 64}.get(name, "another")
    with pytest.raises(Forged):
        verify_fal(delivery(good | {header: other}), b"", KEYS)
    with pytest.raises(Forged, match=f"no {header}"):
        verify_fal(delivery({k: v for k, v in good.items() if k != header}), b"", KEYS)


def test_a_changed_body_or_a_strange_key_is_forged() -> None:
    with pytest.raises(NoKeyFits):
        verify_fal(delivery(sign_fal(), FAL_BODY.replace(b"OK", b"KO")), b"", KEYS)
    with pytest.raises(NoKeyFits):
        verify_fal(delivery(sign_fal()), b"", KEYS[:1])
    with pytest.raises(NoKeyFits):
        verify_fal(delivery(sign_fal()), b"", ())


@pytest.mark.parametrize("signature", ["xyz", "a", "00", "é" * 4, "00" * 65])
def test_malformed_signatures_are_forged(signature: str) -> None:
    with pytest.raises(Forged):
        verify_fal(delivery(sign_fal() | {"x-fal-webhook-signature": signature}), b"", KEYS)


@pytest.mark.parametrize(("away", "fine"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_timestamps_are_good_for_five_minutes_either_way(away: int, fine: bool) -> None:
    late = delivery(sign_fal(stamp=NOW + away))
    svix = delivery(sign_svix(FAL_BODY, SVIX, stamp=NOW + away))
    if fine:
        verify_fal(late, b"", KEYS)
        verify_replicate(svix, SVIX.encode(), ())
        return
    with pytest.raises(Forged, match="too old or too new"):
        verify_fal(late, b"", KEYS)
    with pytest.raises(Forged, match="too old or too new"):
        verify_replicate(svix, SVIX.encode(), ())


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1e9", "9" * 400, "١٢٣"])
def test_timestamps_that_are_no_numbers_are_forged(stamp: str) -> None:
    with pytest.raises(Forged):
        verify_fal(delivery(sign_fal() | {"x-fal-webhook-timestamp": stamp}), b"", KEYS)


def test_ideogram_signs_like_fal_under_other_names() -> None:
    headers = sign_fal(prefix="x-ideogram-webhook-", id_name="generation-id")
    verify_ideogram(delivery(headers), b"", KEYS)
    with pytest.raises(Forged):
        verify_ideogram(delivery(sign_fal()), b"", KEYS)


# shared secrets


def test_bfl() -> None:
    verify_bfl(delivery(sign_bfl(FAL_BODY, "s3cret")), b"s3cret", ())
    for headers, body in (
        (sign_bfl(FAL_BODY, "other"), FAL_BODY),
        (sign_bfl(FAL_BODY, "s3cret"), FAL_BODY + b" "),
        ({"x-bfl-signature": sign_bfl(FAL_BODY, "s3cret")["x-bfl-signature"][7:]}, FAL_BODY),
        ({"x-bfl-signature": "sha256="}, FAL_BODY),
        ({"x-bfl-signature": "é"}, FAL_BODY),
        ({}, FAL_BODY),
    ):
        with pytest.raises(Forged):
            verify_bfl(delivery(headers, body), b"s3cret", ())


def test_replicate_by_the_vector_of_svix() -> None:
    """The example of https://docs.svix.com/receiving/verifying-payloads/how-manual."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    verify_replicate(Delivery(headers, body, 1614265330.0), SVIX.encode(), ())


def test_replicate_takes_any_of_several_signatures() -> None:
    headers = sign_svix(FAL_BODY, SVIX)
    several = f"v2,zzz v1,AAAA {headers['webhook-signature']}"
    verify_replicate(delivery(headers | {"webhook-signature": several}), SVIX.encode(), ())


@pytest.mark.parametrize("change", ["webhook-id", "webhook-timestamp", "webhook-signature", "body", "secret"])
def test_replicate_forged(change: str) -> None:
    headers = sign_svix(FAL_BODY, SVIX)
    body = FAL_BODY + b" " if change == "body" else FAL_BODY
    secret = b"whsec_AAAA" if change == "secret" else SVIX.encode()
    if change in headers:
        headers[change] = {"webhook-timestamp": str(NOW + 1)}.get(change, "v1,AAAA")
    with pytest.raises(Forged):
        verify_replicate(delivery(headers, body), secret, ())


@pytest.mark.parametrize("secret", ["whsec_", "", "whsec_not base64!"])
def test_a_broken_secret_of_replicate_lets_nobody_in(secret: str) -> None:
    with pytest.raises(Forged):
        verify_replicate(delivery(sign_svix(FAL_BODY, "whsec_")), secret.encode(), ())


def test_each() -> None:
    verify_each(delivery({"x-webhook-secret": "s3cret"}), b"s3cret", ())
    for headers in ({"x-webhook-secret": "s3cres"}, {"x-webhook-secret": "s3cret2"}, {}):
        with pytest.raises(Forged):
            verify_each(delivery(headers), b"s3cret", ())


def test_no_secret_means_nobody_is_let_in() -> None:
    for name, scheme in SCHEMES.items():
        verifier = Verifier(scheme, {})
        assert verifier.ready == (name in ("fal", "ideogram", "pixazo"))
    with pytest.raises(Forged, match="BFL_WEBHOOK_SECRET"):
        asyncio.run(Verifier(SCHEMES["bfl"], {}).verify(delivery(sign_bfl(FAL_BODY, ""))))


# what is read out of a body


def test_ids() -> None:
    fal = SCHEMES["fal"]
    assert job_ids(fal, FAL_BODY) == (FAL_ID,)
    assert job_ids(fal, b'{"request_id": "a", "gateway_request_id": "b"}') == ("a", "b")
    assert job_ids(SCHEMES["each"], b'{"exec_id": "e-1", "output": "x"}') == ("e-1",)
    assert job_ids(SCHEMES["pixazo"], b'{"request_id": "mai-image_0a", "status": "ERROR"}') == (
        "mai-image_0a",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"{}",
        b'{"request_id": 5}',
        b'{"request_id": ""}',
        b'{"request_id": "a\\nb"}',
        b'{"request_id": "../../x"}',
        b'{"request_id": "' + b"a" * 201 + b'"}',
        b"[" * 100_000,
    ],
)
def test_bodies_without_a_proper_id(body: bytes) -> None:
    with pytest.raises(Forged):
        job_ids(SCHEMES["fal"], body)


# the published keys


@pytest.fixture
def published() -> Iterator[KeyServer]:
    with key_server() as server:
        yield server


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def raw(keys: tuple[Ed25519PublicKey, ...]) -> list[bytes]:
    return [key.public_bytes_raw() for key in keys]


def test_keys_are_fetched_once_a_day(published: KeyServer) -> None:
    clock = Clock()
    keys = KeySet(f"{published.base}/.well-known/jwks.json", clock)
    asyncio.run(keys.get())
    clock.seconds += KEEP_SECONDS
    assert raw(asyncio.run(keys.get())) == raw((FAL_KEY.public_key(),))
    assert published.asked == 1
    clock.seconds += 1
    asyncio.run(keys.get())
    assert published.asked == 2


def test_a_miss_fetches_once_and_not_again_for_a_while(published: KeyServer) -> None:
    clock = Clock()
    keys = KeySet(f"{published.base}/.well-known/jwks.json", clock)

    async def ask() -> None:
        await keys.get()
        await asyncio.gather(*(keys.renewed() for _ in range(5)))
        assert published.asked == 1
        clock.seconds += PAUSE_SECONDS + 1
        await asyncio.gather(*(keys.renewed() for _ in range(5)))

    asyncio.run(ask())
    assert published.asked == 2


def test_without_keys_the_sender_is_asked_to_come_again(published: KeyServer) -> None:
    clock = Clock()
    keys = KeySet(f"{published.base}/.well-known/jwks.json", clock)
    published.down = True
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            asyncio.run(keys.get())
    assert published.asked == 1
    published.down = False
    clock.seconds += PAUSE_SECONDS
    assert len(asyncio.run(keys.get())) == 1


def test_odd_keys_are_passed_over(published: KeyServer) -> None:
    odd = [{"kty": "RSA", "n": "x"}, {"kty": "OKP", "crv": "Ed25519", "x": "AA"}, "no", jwk(OTHER_KEY)]
    published.keys = [*odd, {"kty": "OKP", "crv": "Ed25519", "x": 5}]
    keys = KeySet(f"{published.base}/.well-known/jwks.json", Clock())
    assert raw(asyncio.run(keys.get())) == raw((OTHER_KEY.public_key(),))


def test_a_changed_key_is_found(published: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("evalkit.remote.webhooks.time.monotonic", clock)
    verifier = Verifier(SCHEMES["fal"], {"EVALKIT_FAL_BASE": published.base + "/"})
    assert asyncio.run(verifier.verify(delivery(sign_fal()))) == (FAL_ID,)
    published.keys = [jwk(OTHER_KEY)]
    clock.seconds += PAUSE_SECONDS + 1
    assert asyncio.run(verifier.verify(delivery(sign_fal(key=OTHER_KEY)))) == (FAL_ID,)
    assert published.asked == 2
    with pytest.raises(Forged):
        asyncio.run(verifier.verify(delivery(sign_fal(key=FAL_KEY))))
    assert published.asked == 2
