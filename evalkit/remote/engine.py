"""One order to one provider: sent at most once, and followed to its end.

The rule that everything here serves: a request that may have arrived is never sent again. `Rejected` is
given only where it is proven that no job exists: a status that the description lists as a rejection, a
redirect that says "send it there instead", or a connection that never was. A picture in the answer, or a
job's id, is acceptance. All else is `Unknown`, except with models that never cost anything.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import urlencode

from evalkit.remote.body import Filled, data_uri, fill
from evalkit.remote.catalog import Account
from evalkit.remote.classify import Reply, Verdict, classify, message_of
from evalkit.remote.download import Downloader
from evalkit.remote.paths import find
from evalkit.remote.polling import Follower, saved
from evalkit.remote.reconcile import RECONCILERS
from evalkit.remote.settle import COST, Final, cost_in, deliver, ended, has_pictures
from evalkit.remote.spec import Order, Spec, Submit
from evalkit.remote.tools import Tools, Waiter, Watch
from evalkit.remote.transport import Foreign, Lost, NotSent, Transport
from evalkit.remote.upload import UPLOADS, UploadFailed
from evalkit.types import Failed, ImageInput, Job, Json, Outcome, Refused, Rejected, Unknown

SUBMIT_S = 60.0
"""An asynchronous submit that takes longer is lost; a synchronous one may take until the deadline."""

_ELSEWHERE = (301, 307, 308)
_LONGEST_ID = 500

Accepted = Callable[[Job], Awaitable[None]]
"""Puts an accepted job on record; awaited before the job is asked for the first time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked for, in the answer to the submit itself."""

    reply: Reply


Submitted = Job | Answer | Refused | Failed | Unknown | Rejected


class Engine:
    """One provider, one account. Connections are made when they are first needed."""

    def __init__(
        self,
        spec: Spec,
        account: Account,
        *,
        assumed: Decimal | None = None,
        webhook: str = "",
        hints: Waiter | None = None,
    ) -> None:
        self.spec = spec
        self.account = account
        self._assumed = assumed
        self._webhook = webhook
        self._hints = hints
        self._tools: Tools | None = None

    @property
    def tools(self) -> Tools:
        """The connections; made anew after `aclose`."""
        if self._tools is None:
            transport = Transport(self.spec, self.account)
            downloader = Downloader(loopback=transport.loopback)
            self._tools = Tools(self.spec, transport, downloader, self._assumed, self._hints)
        return self._tools

    async def run(self, order: Order, accepted: Accepted) -> Outcome | Rejected:
        """Send the order, put its job on record, and wait for the end."""
        watch = Watch()
        taken = await self.submit(order, watch)
        if isinstance(taken, Answer):
            return await deliver(self.tools, Final(order, (taken.reply,), watch))
        if not isinstance(taken, Job):
            return taken
        await accepted(taken)
        return await Follower(self.tools, order, taken, watch).follow()

    async def resume(self, order: Order, job: Job) -> Outcome:
        """The end of a job that was accepted earlier; sends nothing that could be billed."""
        return await Follower(self.tools, order, job, Watch(resumed=True)).follow()

    async def reconcile(
        self, order: Order, since: str, until: str, known: Collection[str] = ()
    ) -> Job | None:
        """The job of an order whose answer was lost, from the provider's own list; None if not there."""
        find_job = RECONCILERS.get(self.spec.reconcile)
        return await find_job(self.tools.transport, order, since, until, known) if find_job else None

    async def submit(self, order: Order, watch: Watch) -> Submitted:
        """Upload what has to be uploaded, then send the order once."""
        try:
            filled = await self._filled(order)
        except UploadFailed as error:
            return Rejected(error.kind, self.tools.text(error.message), error.retry_after)
        timeout = SUBMIT_S if self.spec.mode == "async" else order.deadline
        watch.started = time.monotonic()
        try:
            reply = await self.tools.transport.send(
                "POST", self._url(order), filled=filled, headers=self._headers(order), timeout=timeout
            )
        except NotSent as error:
            return Rejected(error.kind, str(error))
        except Foreign as error:
            return Rejected("permanent", str(error))
        except Lost as error:
            return self._unknown(order, f"the answer was lost: {error}")
        watch.answered = time.monotonic()
        return self._read(order, reply, watch)

    async def aclose(self) -> None:
        """Close every connection."""
        tools, self._tools = self._tools, None
        if tools is not None:
            await tools.transport.aclose()
            await tools.downloader.aclose()

    # The request --------------------------------------------------------------------------------------

    async def _filled(self, order: Order) -> Filled:
        sending, secret = self._sending(order), self.account.secret
        if sending.multipart:
            return fill(sending, order, (), "", self._webhook, secret)
        urls = [await self._picture_url(image) for image in order.images]
        mask = await self._picture_url(order.mask) if order.mask else ""
        return fill(sending, order, urls, mask, self._webhook, secret)

    def _sending(self, order: Order) -> Submit:
        sending = self.spec.sending(order.model)
        besides = self.spec.webhook_body if self._webhook else {}
        return replace(sending, body={**sending.body, **besides}) if besides else sending

    async def _picture_url(self, image: ImageInput) -> str:
        upload = UPLOADS.get(self.spec.upload)
        if upload is None or len(image.data) <= self.spec.inline_limit:
            return data_uri(image)
        return await upload(self.tools.transport, image)

    def _url(self, order: Order) -> str:
        path = self.spec.sending(order.model).path
        url = self.tools.transport.resolve("{base}" + path, {"model": order.model_id}) or self.account.base
        if not (self._webhook and self.spec.webhook_query):
            return url
        return url + ("&" if "?" in url else "?") + urlencode({self.spec.webhook_query: self._webhook})

    def _headers(self, order: Order) -> dict[str, str]:
        tag, _, mark = self.spec.tag_header.partition(":")
        headers = {
            self.spec.deadline_header: f"{order.deadline:g}",
            self.spec.idempotency_header: order.trial,
            tag.strip(): (mark.strip() or "{trial}").replace("{trial}", order.trial),
            self.spec.webhook_header: self._webhook,
        }
        return {name: value for name, value in headers.items() if name and value}

    # The answer ---------------------------------------------------------------------------------------

    def _read(self, order: Order, reply: Reply, watch: Watch) -> Submitted:
        if reply.status in self.spec.rejects:
            return self._rejected(order, reply, watch)
        if reply.status in _ELSEWHERE:
            message = f"the provider redirects (status {reply.status}): fix the base path of {self.spec.name}"
            return Rejected("permanent", message)
        if not 200 <= reply.status < 300 or reply.json is None:
            message = f"the answer proves nothing: {message_of(self.spec, reply)}"
            return self._unknown(order, message, reply)
        pictures = self.spec.mode != "async" and has_pictures(self.spec, reply)
        job = self._job(reply) if self.spec.mode != "sync" and not pictures else None
        if job is not None:
            return job
        verdict = classify(self.spec, reply, "submit") if self.spec.mode != "async" else None
        if verdict is not None:
            return ended(self.tools, Final(order, (reply,), watch), verdict)
        if pictures:
            return Answer(reply)
        wanted = "an answer in it" if self.spec.out.answer else "a picture"
        missing = "a job's id" if self.spec.mode == "async" else wanted
        message = f"the request was taken (status {reply.status}) without {missing}"
        return self._unknown(order, message, reply)

    def _rejected(self, order: Order, reply: Reply, watch: Watch) -> Refused | Failed | Rejected:
        verdict = classify(self.spec, reply, "submit") or Verdict("permanent", message_of(self.spec, reply))
        if verdict.kind == "moderation":
            return self._refused(Final(order, (reply,), watch), verdict)
        hold = verdict.kind == "balance" and self.spec.balance_in_flight
        return Rejected(verdict.kind, self.tools.text(verdict.message), verdict.retry_after, hold)

    def _refused(self, final: Final, verdict: Verdict) -> Refused | Failed:
        """At the door, so nothing was made and nothing is billed, unless the answer says otherwise."""
        if verdict.stage == "output":
            return ended(self.tools, final, verdict)
        stage = "input" if self.spec.mode == "async" else verdict.stage
        return Refused(self.tools.text(verdict.message), stage, self.tools.text(verdict.code))

    def _job(self, reply: Reply) -> Job | None:
        """The job that an answer names, with what it takes to ask for it again."""
        found = next(iter(find(reply.json, self.spec.id)), None)
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
            return None
        facts: dict[str, Json] = dict(saved(self.spec, reply))
        facts["request_id"] = reply.headers.get(self.spec.request_id_header.lower(), "")
        facts[COST] = cost_in(self.spec, reply)
        kept = {name: self.tools.clean(value) for name, value in facts.items() if value}
        return Job(str(found)[:_LONGEST_ID], kept)

    def _unknown(
        self, order: Order, message: str, reply: Reply | None = None
    ) -> Unknown | Refused | Failed | Rejected:
        if order.model.tariff.free:
            return self._free(message, reply)
        return Unknown(self.tools.text(message), self.tools.worst(order))

    def _free(self, message: str, reply: Reply | None) -> Refused | Failed | Rejected:
        """Where nothing is ever billed, nothing is at risk: it has failed, or is not ready yet."""
        verdict = classify(self.spec, reply, "submit") if reply else None
        if reply is None or verdict is None:
            return Failed("transient" if reply is None else "no_image", self.tools.text(message))
        words = self.tools.text(verdict.message)
        if verdict.kind == "moderation":
            return Refused(words, verdict.stage, self.tools.text(verdict.code))
        if reply.status == 503:
            return Rejected("transient", words, verdict.retry_after)
        return Failed(verdict.kind, words)
