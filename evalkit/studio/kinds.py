"""The things the studio can draw, each as a short list of parts: data, no drawing.

`width` and `height` are a thing's box in units of the slot it stands in. A part's tone is a shade of the
thing's colour (`main`, `dark`, `deep`, `light`) or a colour of its own from `palette.FIXED`.
"""

from __future__ import annotations

from evalkit.studio.parts import Kind, arc, blob, box, line, oval, poly, turned

_STAR = (
    *(0.5, 0.0, 0.62, 0.35, 0.98, 0.36, 0.69, 0.58, 0.8, 0.95, 0.5, 0.74),
    *(0.2, 0.95, 0.31, 0.58, 0.02, 0.36, 0.38, 0.35),
)

KINDS: dict[str, Kind] = {
    "mug": Kind(
        0.86,
        0.78,
        "blue",
        (
            arc(0.58, 0.22, 1.0, 0.78, -100, 100, 0.1, tone="dark"),
            turned(0.06, 0.36, 0.8, 0.36, 0.94, 0.33, 1.0, 0.27),
            oval(0.14, 0.0, 0.86, 0.14, tone="light"),
            oval(0.19, 0.025, 0.81, 0.13, tone="deep"),
        ),
    ),
    "bottle": Kind(
        0.44,
        1.2,
        "green",
        (
            turned(0.02, 0.15, 0.28, 0.16, 0.38, 0.36, 0.46, 0.46, 0.94, 0.46, 1.0, 0.4),
            box(0.32, 0.0, 0.68, 0.09, 0.04, tone="ink", shade="round"),
            box(0.04, 0.56, 0.96, 0.84, 0.02, tone="ivory", shade="round"),
            line(0.28, 0.66, 0.72, 0.66, 0.05, tone="gold"),
            line(0.34, 0.74, 0.66, 0.74, 0.03, tone="ink"),
        ),
    ),
    "vase": Kind(
        0.7,
        1.05,
        "teal",
        (
            turned(0.03, 0.3, 0.16, 0.2, 0.3, 0.26, 0.52, 0.48, 0.72, 0.44, 0.92, 0.26, 1.0, 0.28),
            oval(0.2, 0.0, 0.8, 0.07, tone="deep"),
            box(0.03, 0.49, 0.97, 0.56, 0.0, tone="light", shade="round"),
        ),
    ),
    "ball": Kind(
        0.76,
        0.76,
        "red",
        (oval(0, 0, 1, 1, shade="ball"), arc(-0.5, 0.1, 0.62, 0.9, -62, 62, 0.03, tone="light")),
    ),
    "cube": Kind(
        0.8,
        0.8,
        "orange",
        (
            poly(0.5, 0.0, 1.0, 0.22, 0.5, 0.44, 0.0, 0.22, tone="light", shade="none"),
            poly(0.0, 0.22, 0.5, 0.44, 0.5, 1.0, 0.0, 0.76),
            poly(0.5, 0.44, 1.0, 0.22, 1.0, 0.76, 0.5, 1.0, tone="dark"),
        ),
    ),
    "lamp": Kind(
        0.8,
        1.2,
        "yellow",
        (
            turned(0.42, 0.04, 0.9, 0.04, tone="metal"),
            turned(0.9, 0.12, 0.96, 0.3, 1.0, 0.32, tone="metal"),
            poly(0.28, 0.0, 0.72, 0.0, 1.0, 0.46, 0.0, 0.46, shade="round"),
            oval(0.0, 0.42, 1.0, 0.5, tone="light"),
        ),
    ),
    "clock": Kind(
        0.82,
        0.82,
        "black",
        (
            oval(0, 0, 1, 1, shade="ball"),
            oval(0.11, 0.11, 0.89, 0.89, tone="ivory", shade="none"),
            line(0.5, 0.15, 0.5, 0.22, 0.03),
            line(0.5, 0.78, 0.5, 0.85, 0.03),
            line(0.15, 0.5, 0.22, 0.5, 0.03),
            line(0.78, 0.5, 0.85, 0.5, 0.03),
            line(0.5, 0.5, 0.34, 0.34, 0.045),
            line(0.5, 0.5, 0.72, 0.36, 0.03),
            oval(0.46, 0.46, 0.54, 0.54, tone="ink"),
        ),
    ),
    "book": Kind(
        0.94,
        0.66,
        "purple",
        (
            box(0.02, 0.04, 0.98, 1.0, 0.03, tone="dark"),
            poly(0.05, 0.04, 0.5, 0.1, 0.5, 0.97, 0.05, 0.9, tone="ivory", shade="round"),
            poly(0.95, 0.04, 0.5, 0.1, 0.5, 0.97, 0.95, 0.9, tone="ivory"),
            box(0.0, 0.0, 0.06, 0.94, 0.02),
            box(0.94, 0.0, 1.0, 0.94, 0.02),
            box(0.0, 0.9, 1.0, 1.0, 0.03),
            *(line(0.12, y, 0.44, y + 0.05, 0.018, tone="metal") for y in (0.22, 0.36, 0.5, 0.64)),
            *(line(0.56, y + 0.05, 0.88, y, 0.018, tone="metal") for y in (0.22, 0.36, 0.5, 0.64)),
        ),
    ),
    "chair": Kind(
        0.76,
        1.2,
        "red",
        (
            box(0.14, 0.5, 0.22, 1.0, 0.02, tone="wood"),
            box(0.78, 0.5, 0.86, 1.0, 0.02, tone="wood"),
            box(0.12, 0.0, 0.88, 0.52, 0.1, tone="dark", shade="round"),
            box(0.19, 0.06, 0.81, 0.5, 0.08, shade="round"),
            box(0.02, 0.54, 0.98, 0.7, 0.06, shade="flat"),
            box(0.04, 0.66, 0.96, 0.72, 0.04, tone="deep"),
            box(0.03, 0.7, 0.11, 1.0, 0.02, tone="wood"),
            box(0.89, 0.7, 0.97, 1.0, 0.02, tone="wood"),
        ),
    ),
    "candle": Kind(
        0.4,
        1.05,
        "white",
        (
            turned(0.9, 0.42, 0.96, 0.5, 1.0, 0.4, tone="gold"),
            box(0.2, 0.3, 0.8, 0.92, 0.02, shade="round"),
            oval(0.2, 0.26, 0.8, 0.36, tone="light"),
            line(0.5, 0.32, 0.5, 0.22, 0.06),
            oval(0.33, 0.0, 0.67, 0.26, tone="flame", shade="none"),
            oval(0.42, 0.1, 0.58, 0.25, tone="ivory", shade="none"),
        ),
    ),
    "apple": Kind(
        0.68,
        0.72,
        "red",
        (
            oval(0.0, 0.16, 0.62, 0.98, shade="ball"),
            oval(0.38, 0.16, 1.0, 0.98, shade="flat"),
            turned(0.16, 0.2, 0.3, 0.46, 0.54, 0.5, 0.8, 0.42, 1.0, 0.16, shade="ball"),
            line(0.5, 0.22, 0.56, 0.02, 0.05, tone="stem"),
            oval(0.56, 0.02, 0.84, 0.14, tone="leaf"),
        ),
    ),
    "pear": Kind(
        0.6,
        0.9,
        "green",
        (
            turned(
                0.1, 0.12, 0.22, 0.24, 0.42, 0.3, 0.6, 0.46, 0.78, 0.5, 0.92, 0.38, 1.0, 0.14, shade="ball"
            ),
            line(0.5, 0.14, 0.58, 0.0, 0.05, tone="stem"),
        ),
    ),
    "teapot": Kind(
        1.04,
        0.78,
        "white",
        (
            arc(0.68, 0.24, 1.0, 0.8, -110, 100, 0.07, tone="dark"),
            blob(0.3, 0.72, 0.04, 0.26, 0.13, 0.22, 0.34, 0.46, tone="dark"),
            turned(0.2, 0.16, 0.3, 0.26, 0.54, 0.34, 0.8, 0.29, 0.95, 0.18, 1.0, 0.2, shade="ball"),
            turned(0.12, 0.08, 0.18, 0.15, 0.24, 0.18, tone="dark"),
            oval(0.46, 0.0, 0.54, 0.13, tone="dark", shade="ball"),
        ),
    ),
    "bowl": Kind(
        0.96,
        0.52,
        "yellow",
        (
            turned(0.14, 0.5, 0.4, 0.46, 0.7, 0.32, 0.88, 0.18, 1.0, 0.2),
            oval(0.0, 0.0, 1.0, 0.28, tone="light"),
            oval(0.05, 0.035, 0.95, 0.25, tone="dark"),
        ),
    ),
    "hat": Kind(
        1.0,
        0.56,
        "brown",
        (
            oval(0.0, 0.66, 1.0, 1.0, tone="dark"),
            turned(0.0, 0.18, 0.05, 0.27, 0.4, 0.29, 0.86, 0.32),
            box(0.19, 0.58, 0.81, 0.78, 0.0, tone="ink", shade="round"),
        ),
    ),
    "bag": Kind(
        0.84,
        0.9,
        "pink",
        (
            arc(0.24, 0.02, 0.76, 0.66, 180, 360, 0.055, tone="deep"),
            poly(0.1, 0.34, 0.9, 0.34, 1.0, 1.0, 0.0, 1.0, shade="round"),
            poly(0.1, 0.34, 0.9, 0.34, 0.93, 0.52, 0.5, 0.68, 0.07, 0.52, tone="dark"),
            oval(0.44, 0.58, 0.56, 0.7, tone="gold", shade="ball"),
        ),
    ),
    "box": Kind(
        0.86,
        0.82,
        "teal",
        (
            box(0.06, 0.3, 0.94, 1.0, 0.02, shade="round"),
            box(0.0, 0.18, 1.0, 0.4, 0.02, shade="round"),
            box(0.42, 0.18, 0.58, 1.0, 0.0, tone="ivory"),
            oval(0.2, 0.0, 0.5, 0.2, tone="ivory", shade="ball"),
            oval(0.5, 0.0, 0.8, 0.2, tone="ivory", shade="ball"),
            oval(0.44, 0.08, 0.56, 0.22, tone="ivory", shade="ball"),
        ),
    ),
    "plant": Kind(
        0.84,
        1.16,
        "green",
        (
            line(0.5, 0.7, 0.5, 0.2, 0.03, tone="stem"),
            oval(0.36, 0.0, 0.64, 0.44, shade="ball"),
            blob(0.5, 0.66, 0.2, 0.56, 0.02, 0.26, 0.34, 0.38, shade="round"),
            blob(0.5, 0.66, 0.8, 0.56, 0.98, 0.26, 0.66, 0.38, tone="dark"),
            blob(0.48, 0.56, 0.3, 0.36, 0.24, 0.1, 0.44, 0.26, tone="dark"),
            blob(0.52, 0.56, 0.7, 0.36, 0.78, 0.1, 0.56, 0.26),
            poly(0.2, 0.66, 0.8, 0.66, 0.7, 1.0, 0.3, 1.0, tone="clay", shade="round"),
            box(0.16, 0.62, 0.84, 0.71, 0.02, tone="clay", shade="round"),
        ),
    ),
    "car": Kind(
        1.16,
        0.6,
        "blue",
        (
            poly(0.22, 0.4, 0.34, 0.04, 0.68, 0.04, 0.84, 0.4),
            poly(0.29, 0.38, 0.38, 0.12, 0.5, 0.12, 0.5, 0.38, tone="glass"),
            poly(0.54, 0.38, 0.54, 0.12, 0.66, 0.12, 0.76, 0.38, tone="glass"),
            box(0.0, 0.36, 1.0, 0.84, 0.09),
            box(0.0, 0.7, 1.0, 0.84, 0.04, tone="dark"),
            oval(0.92, 0.44, 1.0, 0.58, tone="flame", shade="none"),
            oval(0.13, 0.58, 0.35, 1.0, tone="rubber", shade="ball"),
            oval(0.65, 0.58, 0.87, 1.0, tone="rubber", shade="ball"),
            oval(0.19, 0.69, 0.29, 0.89, tone="metal"),
            oval(0.71, 0.69, 0.81, 0.89, tone="metal"),
        ),
    ),
    "star": Kind(0.86, 0.84, "yellow", (poly(*_STAR, shade="ball"),)),
    "heart": Kind(
        0.82,
        0.76,
        "red",
        (
            blob(
                *(
                    0.5,
                    1.0,
                    0.5,
                    1.0,
                    0.18,
                    0.66,
                    0.03,
                    0.42,
                    0.0,
                    0.24,
                    0.08,
                    0.07,
                    0.24,
                    0.0,
                    0.38,
                    0.04,
                    0.5,
                    0.18,
                    0.5,
                    0.18,
                ),
                *(0.62, 0.04, 0.76, 0.0, 0.92, 0.07, 1.0, 0.24, 0.97, 0.42, 0.82, 0.66),
                shade="ball",
            ),
        ),
    ),
    "cake": Kind(
        0.96,
        0.8,
        "pink",
        (
            oval(0.0, 0.82, 1.0, 1.0, tone="metal"),
            turned(0.4, 0.42, 0.84, 0.42, 0.92, 0.38),
            turned(0.3, 0.42, 0.42, 0.43, 0.5, 0.4, tone="ivory"),
            oval(0.08, 0.22, 0.92, 0.42, tone="ivory"),
            oval(0.4, 0.1, 0.6, 0.34, tone="dark", shade="ball"),
        ),
    ),
    "umbrella": Kind(
        1.0,
        1.04,
        "red",
        (
            line(0.5, 0.1, 0.5, 0.92, 0.03, tone="stem"),
            arc(0.5, 0.84, 0.66, 1.0, 0, 180, 0.03, tone="stem"),
            poly(
                *(
                    0.0,
                    0.5,
                    0.04,
                    0.32,
                    0.16,
                    0.15,
                    0.33,
                    0.06,
                    0.5,
                    0.03,
                    0.67,
                    0.06,
                    0.84,
                    0.15,
                    0.96,
                    0.32,
                ),
                *(1.0, 0.5, 0.9, 0.44, 0.78, 0.44, 0.67, 0.5, 0.58, 0.44, 0.42, 0.44, 0.33, 0.5, 0.22, 0.44),
                *(0.1, 0.44),
                shade="round",
            ),
            poly(0.5, 0.03, 0.67, 0.5, 0.58, 0.44, 0.42, 0.44, 0.33, 0.5, tone="dark"),
        ),
    ),
    "watch": Kind(
        0.56,
        1.08,
        "brown",
        (
            box(0.28, 0.0, 0.72, 1.0, 0.08, shade="round"),
            oval(0.0, 0.24, 1.0, 0.76, tone="metal", shade="ball"),
            oval(0.1, 0.29, 0.9, 0.71, tone="ivory", shade="none"),
            line(0.5, 0.5, 0.5, 0.35, 0.06),
            line(0.5, 0.5, 0.7, 0.55, 0.06),
        ),
    ),
}

HANGS: frozenset[str] = frozenset({"clock", "star", "heart", "ball"})
"""Kinds that need no shelf when they are up on the wall."""
