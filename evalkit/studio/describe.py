"""Writing a prompt: `describe(scene) -> str`, the inverse of `grammar.parse`.

`describe(scene, pick)` chooses among the ways of saying the same; every one of them is read back as the
same scene. It decides wording only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evalkit.studio.grammar import contrasting, place_items, usual_surface
from evalkit.studio.scene import Item, Person, Scene, Sign, Thing
from evalkit.studio.vocabulary import (
    CLOSE_UPS,
    LIGHTS,
    NUMBERS,
    OPENERS,
    PLACE_PHRASES,
    PLURALS,
    SAYS,
    SURFACES,
    article,
)

Pick = Callable[[Sequence[str]], str]


def _first(options: Sequence[str]) -> str:
    return options[0]


def describe(scene: Scene, pick: Pick = _first) -> str:
    """A prompt that `parse` reads back as `scene`. `pick` chooses one of several equal phrases.

    >>> describe(Scene((Thing("mug", "red"),)))
    'a red mug'
    """
    subject = _items(scene, pick) or "an empty scene"
    clauses = [subject, _surface(scene, pick), _wall(scene, pick), _light(scene, pick)]
    opener = _opener(scene, pick)
    return (f"{opener} " if opener else "") + ", ".join(clause for clause in clauses if clause)


def _opener(scene: Scene, pick: Pick) -> str:
    how = scene.style if scene.style != "photo" else scene.framing
    if how == "close":
        portrait = any(isinstance(item, Person) for item in scene.items)
        return "a portrait of" if portrait else pick(CLOSE_UPS)
    return pick(("", *OPENERS[how])) if how == "wide" else pick(OPENERS[how])


def _items(scene: Scene, pick: Pick) -> str:
    items = scene.items
    names = [describe_item(item, pick) for item in items]
    implied = place_items([(item, None) for item in items]) == items
    if implied and (len(items) == 1 or pick(("with places", "without")) == "without"):
        return _joined(names)
    if [item.place for item in items] == ["left", "right"] and pick(("each", "related")) == "related":
        return f"{names[0]} {pick(('to the left of', 'next to'))} {names[1]}"
    places = [pick(PLACE_PHRASES[item.place]) for item in items]
    return _joined([f"{name} {place}" for name, place in zip(names, places, strict=True)])


def _joined(phrases: Sequence[str]) -> str:
    return " and ".join(phrases) if len(phrases) < 3 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


def describe_item(item: Item, pick: Pick = _first) -> str:
    """One item without its place: `three red apples`, `a woman with ...`, `a sign that says ...`."""
    match item:
        case Thing():
            return _thing(item)
        case Person():
            return _person(item)
        case Sign():
            return _sign(item, pick)


def _thing(thing: Thing) -> str:
    size = "" if thing.size == "medium" else thing.size + " "
    name = thing.kind if thing.count == 1 else PLURALS[thing.kind]
    words = f"{size}{thing.colour} {name}"
    return f"{article(words)} {words}" if thing.count == 1 else f"{NUMBERS[thing.count - 1]} {words}"


def _person(person: Person) -> str:
    mood = "" if person.mood == "calm" else person.mood + " "
    hair = "a bald head" if person.hair == "bald" else f"{person.hair} {person.hair_colour} hair"
    traits = [f"{person.skin} skin", hair]
    traits += [name for name, has in (("glasses", person.glasses), ("a beard", person.beard)) if has]
    worn = ((person.hat, "hat"), (person.scarf, "scarf"), (person.garment_colour, person.garment))
    traits += [f"{article(colour)} {colour} {name}" for colour, name in worn if colour]
    figure = f"{mood}{person.figure}"
    return f"{article(figure)} {figure} with {', '.join(traits[:-1])} and {traits[-1]}"


def _sign(sign: Sign, pick: Pick) -> str:
    lines = [f"“{line}”" for line in sign.lines]
    texts = " and ".join(lines) if len(lines) < 3 else ", ".join(lines[:-1]) + " and " + lines[-1]
    letters = "" if sign.letters == contrasting(sign.colour) else f" in {sign.letters} letters"
    return f"{article(sign.colour)} {sign.colour} {sign.kind} {pick(SAYS)} {texts}{letters}"


def _surface(scene: Scene, pick: Pick) -> str:
    if scene.surface == usual_surface(scene.items):
        return ""
    if scene.surface == "none":
        return "without a table"
    colour = scene.surface
    return "on " + pick(SURFACES.get(colour, (f"{article(colour)} {colour} table",)))


def _wall(scene: Scene, pick: Pick) -> str:
    if scene.wall == "light grey":
        return ""
    a = article(scene.wall)
    wall, background = f"{a} {scene.wall} wall", f"{a} {scene.wall} background"
    return pick((f"against {wall}", f"in front of {wall}", f"with {background}"))


def _light(scene: Scene, pick: Pick) -> str:
    return "" if scene.light == "day" else pick(LIGHTS[scene.light])
