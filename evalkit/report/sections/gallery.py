"""The pictures behind the numbers: for each category the cases that tell most, and a few drawn by lot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from evalkit.leaderboard import BoardRow
from evalkit.report.context import Context
from evalkit.report.formats import decimals_for
from evalkit.report.pictures import Thumbnail, thumbnail
from evalkit.report.sections import Section

Key = tuple[str, str]
WITHHELD = Thumbnail(None, problem="left out: licence")
MAX_SCORES = 3
MAX_COLUMNS = 6


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """None where the run has no cases. Options: `differing`, `random`, `megabytes`."""
    wanted = {c: _chosen(context, c, options) for c in context.categories}
    shown = _shown(context, wanted, float(options.get("megabytes", 3.4)) * 1e6)
    if not any(shown.values()):
        return None
    totals = {row["category"]: row["n"] for row in context.rows("case_counts", run=context.run)}
    groups = [
        {"name": c, "cases": cases, "total": totals[c], "left_out": len(wanted[c]) - len(cases)}
        for c, cases in shown.items()
        if cases
    ]
    results = [{"category": g["name"], "cases": [case["key"] for case in g["cases"]]} for g in groups]
    return Section("Gallery", {"groups": groups, "systems": context.systems}, results)


def _chosen(context: Context, category: str, options: Mapping[str, Any]) -> dict[Key, str]:
    """Case -> why it was chosen."""
    lead = context.headlines.get(category)
    found = context.rows(
        "gallery_cases",
        run=context.run,
        category=category,
        metric=lead.leader.metric if lead else "",
        output=lead.leader.output if lead else "",
        differing=int(options.get("differing", 4)),
        random=int(options.get("random", 2)),
        seed=str(context.seed),
    )
    return {(row["suite"], row["case"]): row["why"] for row in found}


def _shown(
    context: Context, wanted: Mapping[str, Mapping[Key, str]], budget: float
) -> dict[str, list[dict[str, Any]]]:
    """The cases that fit, category by category in turn, so that none is left without."""
    facts = _Facts(context, [key for chosen in wanted.values() for key in chosen])
    shown: dict[str, list[dict[str, Any]]] = {category: [] for category in wanted}
    for category, key in _in_turn(wanted):
        case = facts.case(category, key, wanted[category][key])
        budget -= case["size"]
        if budget < 0:
            break
        shown[category].append(case)
    return shown


def _in_turn(wanted: Mapping[str, Mapping[Key, str]]) -> Iterable[tuple[str, Key]]:
    rounds = zip_longest(*([(c, key) for key in chosen] for c, chosen in wanted.items()))
    return [entry for one_round in rounds for entry in one_round if entry is not None]


class _Facts:
    """What the database says about the chosen cases, asked once for all of them."""

    def __init__(self, context: Context, keys: Sequence[Key]) -> None:
        self.context = context
        names = [f"{suite}/{case}" for suite, case in keys]
        texts = context.rows("gallery_texts", run=context.run, cases=names)
        tiles = context.rows("gallery_tiles", run=context.run, cases=names)
        self.outputs = {c: _outputs(context.board, c) for c in context.categories}
        self.texts = {(row["suite"], row["case"]): row for row in texts}
        self.tiles = {(row["suite"], row["case"], row["system"]): row for row in tiles}
        self.scores = self._scores([row["trial"] for row in tiles])
        self.made: dict[str | None, Thumbnail] = {}

    def case(self, category: str, key: Key, why: str) -> dict[str, Any]:
        """One case with its source, its prompt and a tile per system."""
        text = self.texts[key]
        withheld = self.context.withholds(key[0])
        source = self._source(text)
        tiles = [
            self._tile(category, self.tiles[*key, system.name], withheld and source is not None)
            for system in self.context.systems
            if (*key, system.name) in self.tiles
        ]
        look = {
            "size": _size(tiles, source),
            "shape": _shape(tiles),
            "columns": _columns(len(tiles) + bool(source)),
        }
        told = {"key": "/".join(key), "text": text, "why": why, "withheld": withheld}
        return {**told, "source": source, "tiles": tiles, **look}

    def _scores(self, trials: Sequence[str]) -> dict[tuple[str, str, str], dict[str, Any]]:
        outputs = {f"{r.metric}/{r.output}" for rows in self.outputs.values() for r, _ in rows}
        found = self.context.rows("gallery_scores", trials=list(trials), outputs=sorted(outputs))
        return {(row["trial"], row["metric"], row["output"]): row for row in found}

    def _source(self, text: Mapping[str, Any]) -> Thumbnail | None:
        if text["source_sha"] is None:
            return None
        if self.context.withholds(text["suite"]):
            return WITHHELD
        return thumbnail(self.context.read_object, text["source_sha"], text["mask_sha"])

    def _thumbnail(self, image: str | None) -> Thumbnail:
        """Systems that gave the same picture share its thumbnail's making."""
        if image not in self.made:
            self.made[image] = thumbnail(self.context.read_object, image)
        return self.made[image]

    def _tile(self, category: str, row: Mapping[str, Any], withheld: bool) -> dict[str, Any]:
        """One system's picture. An edit shows most of its source, and is withheld with it."""
        scores = [
            (output, decimals, self.scores.get((row["trial"], output.metric, output.output)))
            for output, decimals in self.outputs[category]
        ]
        picture = WITHHELD if withheld else self._thumbnail(row["image"])
        return {"row": row, "picture": picture, "scores": [score for score in scores if score[2] is not None]}


def _size(tiles: Sequence[Mapping[str, Any]], source: Thumbnail | None) -> int:
    pictures: list[Thumbnail] = [tile["picture"] for tile in tiles]
    return sum(picture.size for picture in [*pictures, *([source] if source else [])])


def _shape(tiles: Sequence[Mapping[str, Any]]) -> str:
    """The aspect ratio of the case's pictures, for the tiles that have none."""
    found = [tile["picture"] for tile in tiles if tile["picture"].uri]
    return f"{found[0].width}/{found[0].height}" if found else "1/1"


def _columns(tiles: int) -> int:
    """So many columns that the last row is as full as can be: 4 to 6, or all in one row."""
    if tiles <= MAX_COLUMNS:
        return max(tiles, 3)
    return min(range(MAX_COLUMNS, 3, -1), key=lambda columns: -tiles % columns)


def _outputs(board: Sequence[BoardRow], category: str) -> list[tuple[BoardRow, int]]:
    """The outputs printed under a picture, with their decimals: the headline first."""
    groups: dict[tuple[str, str], list[BoardRow]] = {}
    for row in board:
        if row.category == category and row.better != "neither" and row.n_scored:
            groups.setdefault(row.key, []).append(row)
    ranked = sorted(groups.values(), key=lambda g: (not g[0].headline, not g[0].notable, g[0].metric))
    return [(g[0], max(2, decimals_for([row.estimate for row in g]))) for g in ranked[:MAX_SCORES]]
