"""Requests to put to a description, for the tests of its templates."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from evalkit.remote.body import Filled, fill
from evalkit.remote.catalog import find_model, specs
from evalkit.remote.spec import Order, Spec
from evalkit.types import ImageInput, Task

URL = "https://pictures.example/source.png"


def picture(mode: str = "RGB") -> ImageInput:
    held = io.BytesIO()
    Image.new(mode, (8, 8), "white").save(held, "PNG")
    data = held.getvalue()
    return ImageInput(data, hashlib.sha256(data).hexdigest(), 8, 8)


SOURCE, MASK = picture(), picture("L")
SOURCE_BASE64 = base64.b64encode(SOURCE.data).decode()


@dataclass(frozen=True)
class Asked:
    """One request: a system's model, a task, and the fields of the order."""

    provider: str
    model: str
    task: Task
    order: Mapping[str, Any] = field(default_factory=dict)
    webhook: str = ""

    def spec(self) -> Spec:
        return specs()[self.provider]

    def filled(self) -> Filled:
        row = find_model(self.spec(), self.model, self.task)
        images = (SOURCE,) if self.task == "edit" else ()
        made = Order(
            "trial-1", row, self.model, self.task, **{"prompt": "a red door", **self.order, "images": images}
        )
        urls = [URL] * len(images)
        mask = "data:image/png;base64,MASK" if made.mask else ""
        return fill(self.spec().sending(row), made, urls, mask, self.webhook)

    def path(self) -> str:
        row = find_model(self.spec(), self.model, self.task)
        return self.spec().sending(row).path.replace("{model}", self.model)


def asked_name(value: object) -> str | None:
    """How a test is called after what it asks."""
    return f"{value.provider}-{value.model}-{value.task}" if isinstance(value, Asked) else None
