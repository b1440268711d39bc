"""What can be asked of a provider for nothing: does the key work, what about a job that is not there.

No look can be billed: they ask for the state of jobs, or read lists. What costs money is for `steps`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from evalkit.providers.catalogued import Catalogued
from evalkit.remote.catalog import account
from evalkit.remote.classify import Reply, message_of
from evalkit.remote.polling import owner_app
from evalkit.remote.redact import cut_urls, plain
from evalkit.remote.spec import Spec
from evalkit.remote.tools import texts
from evalkit.remote.transport import Foreign, Lost, NotSent, Transport
from evalkit.runner.probing.facts import Fact, place
from evalkit.types import Job

NOBODY = "00000000-0000-4000-8000-000000000000"
TIMEOUT_S = 20.0
LISTS: Mapping[str, tuple[str, str]] = {
    "fal": ("price list", "{api}/v1/models/pricing?endpoint_id={model}"),
    "each": ("model card", "{base}/v1/model?slug={model}"),
}
"""What providers tell about a model for nothing: the name of the fact, and where."""

_MONEY = re.compile(r"bill|charge|cost|credit|price|spend|spent|unit")
_LONGEST = 300
_CARRIERS = (("Authorization", "Bearer {key}"), ("X-API-Key", "{key}"))


@dataclass(frozen=True, slots=True)
class Look:
    """One free question, and what came of it. `stop`: nothing that costs money makes sense any more."""

    question: str
    answer: str
    facts: tuple[Fact, ...] = ()
    stop: bool = False


async def look_around(provider: Catalogued, model: str) -> list[Look]:
    """Everything that can be asked before anything is paid."""
    checked = await provider.check()
    words = {True: "yes", False: "no", None: "cannot be told for free"}[checked.ok]
    looks = [Look("does the account work?", f"{words}: {checked.message}", stop=checked.ok is False)]
    spec = provider.spec
    if looks[0].stop or spec.base_is_model:
        return looks
    asker = _Asker(spec, model)
    try:
        looks += [look async for look in _job_that_is_not_there(asker)]
        if spec.name in LISTS:
            looks.append(await _listed(asker, *LISTS[spec.name]))
    finally:
        await asker.transport.aclose()
    return looks


async def look_at_result(spec: Spec, model: str, task: str, job: Job) -> Look | None:
    """Fetch the result of a finished job once more, for its headers; None where that cannot be done."""
    asker = _Asker(spec, model)
    template = spec.result or next(iter(spec.poll), "")
    values = {**texts(job.facts), "id": job.id, "model": model, "owner_app": owner_app(model)}
    url = asker.transport.resolve(template, values) if template else None
    if url is None:
        return None
    try:
        reply = await asker.get(url)
    finally:
        await asker.transport.aclose()
    if not isinstance(reply, Reply) or not 200 <= reply.status < 300:
        return None
    money = [f"{name}: {value}" for name, value in sorted(reply.headers.items()) if _MONEY.search(name)]
    words = plain(", ".join(money), _LONGEST) or "none"
    fact = asker.fact("headers about money", words, model=model, task=task)
    return Look("which headers of a result tell what it cost?", words, (fact,))


class _Asker:
    """One provider, and the day."""

    def __init__(self, spec: Spec, model: str) -> None:
        self.spec = spec
        self.model = model
        self.account = account(spec)
        self.transport = Transport(spec, self.account)
        self.today = datetime.now(UTC).date().isoformat()

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Reply | str:
        """The answer, or in words why there is none. `headers` go instead of the key's own."""
        try:
            if not self.transport.trusts(url):
                return "not asked: the address is not the provider's"
            own = headers is None
            sent = {} if headers is None else headers
            return await self.transport.send("GET", url, headers=sent, authorized=own, timeout=TIMEOUT_S)
        except (NotSent, Foreign, Lost) as error:
            return f"no answer: {error}"

    def words(self, reply: Reply | str) -> str:
        """Status and message of an answer."""
        if isinstance(reply, str):
            return reply
        message = plain(cut_urls(self.transport.redact(message_of(self.spec, reply))), _LONGEST)
        telling = reply.status >= 400 and message != f"HTTP {reply.status}"
        return f"{reply.status}" + (f" ({message})" if message and telling else "")

    def fact(self, name: str, value: str, about: str = "", model: str = "", task: str = "") -> Fact:
        """Something seen today."""
        return Fact(name, value, self.today, place(self.account), model, task, about, "free look")


async def _job_that_is_not_there(asker: _Asker) -> AsyncIterator[Look]:
    """Asked with the key where it belongs, without it, and with the key in the usual other headers."""
    values = {"id": NOBODY, "model": asker.model, "owner_app": owner_app(asker.model)}
    resolved = (asker.transport.resolve(template, values) for template in asker.spec.poll)
    url = next((url for url in resolved if url), None)
    if url is None or not asker.account.key:
        return
    own = asker.spec.auth.header
    ways: dict[str, dict[str, str] | None] = {f"key in {own}": None, "without a key": {}}
    for header, value in _CARRIERS:
        if header.lower() != own.lower():
            ways[f"key in {header}"] = {header: value.replace("{key}", asker.account.key)}
    for how, headers in ways.items():
        words = asker.words(await asker.get(url, headers))
        fact = asker.fact("job that is not there", words, how)
        yield Look(f"a job that is not there, {how}?", words, (fact,))


async def _listed(asker: _Asker, name: str, template: str) -> Look:
    url = asker.transport.resolve(template, {"model": asker.model})
    reply = await asker.get(url) if url else "not asked"
    good = isinstance(reply, Reply) and reply.status == 200
    words = plain(cut_urls(reply.text), _LONGEST) if isinstance(reply, Reply) and good else asker.words(reply)
    facts = (asker.fact(name, words, model=asker.model),) if good else ()
    return Look(f"what does its {name} say?", words, facts)
