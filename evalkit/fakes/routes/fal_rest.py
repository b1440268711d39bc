"""fal's other hosts, behind the same prefix: storage, prices, the history of requests, webhook keys.

Source: https://docs.fal.ai/model-apis/model-endpoints/ and the `storage` module of the fal client.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evalkit.fakes.face import SENTINEL, Public, Route, always
from evalkit.fakes.hooks import jwk
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.state import Job, iso
from evalkit.types import Json

if TYPE_CHECKING:
    from evalkit.fakes.routes.fal import Fal

UPLOAD_TOKEN = "fake-upload-token"
PRICE = 0.05


def rest_routes(fal: Fal) -> Sequence[Route]:
    """Everything that is neither the queue nor a model."""
    rest = _Rest(fal)
    return (
        ("GET", r"/\.well-known/jwks\.json", Public(always({"keys": [jwk()]}))),
        ("POST", r"/storage/auth/token", rest.token),
        ("POST", r"/files/upload", Public(rest.upload)),
        ("POST", r"/storage/upload/initiate", rest.initiate),
        ("PUT", r"/upload/(?P<name>[^/]+)", Public(rest.put)),
        ("GET", r"/v1/models/pricing", rest.pricing),
        ("POST", r"/v1/models/pricing/estimate", rest.estimate),
        ("GET", r"/v1/models/requests/by-endpoint", rest.by_endpoint),
        ("GET", r"/v1/models", rest.models),
        ("GET", r"/v1/meta", rest.meta),
    )


class _Rest:
    def __init__(self, fal: Fal) -> None:
        self._fal = fal
        self._world = fal.world

    def token(self, asked: Asked) -> Answer:
        expires = iso(self._world.now() + 3600)
        base = f"{asked.origin}/fal"
        return say({"token": UPLOAD_TOKEN, "token_type": "Bearer", "base_url": base, "expires_at": expires})

    def upload(self, asked: Asked) -> Answer:
        """`POST /files/upload`: raw bytes, with the token or the key."""
        given = asked.headers.get("authorization", "")
        if given not in (f"Bearer {UPLOAD_TOKEN}", f"Key {SENTINEL}fal"):
            return self._fal.error(401)
        return say({"access_url": self._keep(asked.origin, asked.body)})

    def initiate(self, asked: Asked) -> Answer:
        name = f"{uuid.uuid4().hex}_{asked.json().get('file_name', 'file')}"
        return say(
            {
                "upload_url": f"{asked.origin}/fal/upload/{name}",
                "file_url": f"{asked.origin}/uploads/{name}",
            }
        )

    def put(self, asked: Asked, name: str) -> Answer:
        self._world.uploads[name] = asked.body
        return Answer(200)

    def _keep(self, origin: str, data: bytes) -> str:
        name = f"{uuid.uuid4().hex}.png"
        self._world.uploads[name] = data
        return f"{origin}/uploads/{name}"

    def pricing(self, asked: Asked) -> Answer:
        endpoints = [name for name in asked.query.get("endpoint_id", "").split(",") if name]
        prices: list[Json] = [
            {"endpoint_id": name, "unit_price": PRICE, "unit": "images", "currency": "USD"}
            for name in endpoints
        ]
        return say({"prices": prices, "next_cursor": None, "has_more": False})

    def estimate(self, asked: Asked) -> Answer:
        endpoints = asked.json().get("endpoints", {})
        units = sum(float(value.get("unit_quantity", 1)) for value in endpoints.values())
        return say({"estimate_type": "unit_price", "total_cost": units * PRICE, "currency": "USD"})

    def models(self, asked: Asked) -> Answer:
        del asked
        return say({"models": [], "next_cursor": None, "has_more": False})

    def meta(self, asked: Asked) -> Answer:
        del asked
        return say({"egress_ip_ranges": ["127.0.0.1/32"]})

    def by_endpoint(self, asked: Asked) -> Answer:
        """The history of requests; payloads are there if they were stored and are asked for."""
        query = asked.query
        start, end = query.get("start", ""), query.get("end", "")
        jobs = [
            job
            for job in self._world.jobs.values()
            if job.provider == "fal" and job.facts.get("endpoint", job.work.model) == query.get("endpoint_id")
        ]
        inside = [job for job in jobs if between(str(iso(job.created)), start, end)]
        items: list[Json] = [self._item(job, query.get("expand") == "payloads") for job in reversed(inside)]
        return say({"items": items, "next_cursor": None, "has_more": False})

    def _item(self, job: Job, payloads: bool) -> Json:
        item: dict[str, Any] = {
            "request_id": job.id,
            "endpoint_id": job.work.model,
            "sent_at": iso(job.created),
            "started_at": iso(job.started),
            "ended_at": iso(job.ended),
            "status_code": 200 if job.ended else None,
            "duration": job.ended - job.started if job.ended else None,
        }
        if payloads and job.facts.get("stored", True):
            item["json_input"] = dict(job.work.input)
        return item


def between(moment: str, start: str, end: str) -> bool:
    """Whether a UTC time is in the window; bounds may lack the fraction or end with an offset."""
    return _comparable(start) <= _comparable(moment) and (not end or _comparable(moment) <= _comparable(end))


def _comparable(moment: str) -> str:
    text = moment.replace("+00:00", "").removesuffix("Z")
    return text if "." in text or not text else f"{text}.000000"
