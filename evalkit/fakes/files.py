"""Where the pictures lie: no key is asked for, and one that comes along is an alarm.

A request with any credential gets `500 leaked credential`: whoever downloads must not show the API's key to
a store. Links expire where the provider's do. The `dl:` faults happen here.
"""

from __future__ import annotations

from evalkit.fakes.faults import Directive, Plan
from evalkit.fakes.messages import Answer, Asked, hang_up
from evalkit.fakes.pictures import MEDIA_TYPE, SPOILED, spoil
from evalkit.fakes.state import Job, World

CREDENTIALS = frozenset(
    {
        "authorization",
        "x-api-key",
        "api-key",
        "x-key",
        "x-goog-api-key",
        "ocp-apim-subscription-key",
        "cookie",
        "proxy-authorization",
    }
)
METADATA = "http://169.254.169.254/latest/meta-data/"
LIFETIME = {"bfl": 600, "replicate": 3600, "ideogram": 24 * 3600}
"""Seconds until a link expires, from the end of the job."""
NEEDS_AGENT = frozenset({"together"})


def get_file(world: World, asked: Asked, path: str) -> Answer:
    """`/files/{job}/{index}.{ext}`."""
    parts = path.strip("/").split("/")
    job = world.jobs.get(parts[0])
    index = parts[1].partition(".")[0] if len(parts) == 2 else ""
    if job is None or not index.isdigit() or int(index) >= job.work.n:
        return Answer(404, b"no such file")
    lifetime = LIFETIME.get(job.provider)
    if lifetime is not None and job.ended and world.now() > job.ended + lifetime:
        return Answer(403, b"the link has expired")
    return fetched(asked, job, int(index))


def get_upload(world: World, asked: Asked, path: str) -> Answer:
    """What was uploaded, as public as a provider's store is."""
    if leaked(asked):
        return Answer(500, b"leaked credential")
    data = world.uploads.get(path.strip("/"))
    return Answer(404) if data is None else Answer(200, data, {"content-type": "image/png"})


def leaked(asked: Asked) -> bool:
    return not CREDENTIALS.isdisjoint(asked.headers)


def fetched(asked: Asked, job: Job, index: int) -> Answer:
    """One picture, as it is or as its prompt wants it broken."""
    if leaked(asked):
        return Answer(500, b"leaked credential")
    if job.provider in NEEDS_AGENT and not asked.headers.get("user-agent"):
        return Answer(403, b"no user agent")
    data = job.picture(index)
    answer = Answer(200, data, {"content-type": MEDIA_TYPE[job.work.format]})
    if "direct" in asked.query:
        return answer
    plan = job.downloads.setdefault(index, Plan(job.plan.directives))
    delay = plan.delay("dl")
    fault = plan.hit("dl")
    answer = _broken(asked, answer, fault) if fault else answer
    answer.delay = delay
    return answer


def _broken(asked: Asked, answer: Answer, fault: Directive) -> Answer:
    if fault.status is not None:
        return Answer(fault.status, b"<Error><Code>AccessDenied</Code></Error>")
    if fault.name in SPOILED:
        kind = "text/html" if fault.name == "html" else answer.headers["content-type"]
        return Answer(200, spoil(answer.body, fault.name), {"content-type": kind})
    return _misbehaved(asked, answer, fault.name)


def _misbehaved(asked: Asked, answer: Answer, name: str) -> Answer:
    match name:
        case "truncate":
            answer.how = "short"
        case "wrongtype":
            answer.headers["content-type"] = "application/octet-stream"
        case "big":
            answer.how = "endless"
        case "drop":
            return hang_up()
        case "redirect":
            return _moved(f"{asked.origin}{asked.path}?direct=1")
        case "redirect_private":
            return _moved(METADATA)
        case "redirect_loop":
            return _moved(asked.origin + asked.target)
    return answer


def _moved(location: str) -> Answer:
    return Answer(302, headers={"location": location})
