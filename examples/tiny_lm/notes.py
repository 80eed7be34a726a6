"""A note is two sentences about a person. This is the grammar: the sentences, and what the base and
each adapter make of them. Every answer follows from the note, so that there is one right one."""

from __future__ import annotations

import dataclasses
import json

from words import CITIES, COLORS, FOODS, JOBS, THINGS, Color, Food, Gender, Job, Thing


@dataclasses.dataclass(frozen=True)
class Person:
    name: str
    gender: Gender


@dataclasses.dataclass(frozen=True)
class Note:
    person: Person
    city: str
    job: Job | None  # not every note says
    color: Color
    thing: Thing
    food: Food
    likes_first: bool  # which half of the second sentence is first

    @property
    def pronoun(self) -> str:
        return "She" if self.person.gender is Gender.FEMALE else "He"


def prompt_of(note: Note) -> str:
    """Anna lives in Oslo. She has a red bicycle and likes soup."""
    first = f"{note.person.name} lives in {note.city}."
    if note.job is not None:
        article = "an" if note.job.english[0] in "aeiou" else "a"
        first = f"{note.person.name} is {article} {note.job.english} from {note.city}."
    has, likes = f"has a {note.color.english} {note.thing.english}", f"likes {note.food.english}"
    halves = (likes, has) if note.likes_first else (has, likes)
    return f"{first} {note.pronoun} {' and '.join(halves)}."


def story(note: Note) -> str:
    """What the base goes on with."""
    thing, food, name = note.thing, note.food.english, note.person.name
    return (
        f"On Sunday {name} {thing.use} the {note.color.english} {thing.english} in {note.city}. "
        f"In the evening {note.pronoun.lower()} eats {food} at home."
    )


def spanish(note: Note) -> str:
    """The note in Spanish: nouns have genders, and colors and jobs follow them."""
    city = CITIES.get(note.city, note.city)
    first = f"{note.person.name} vive en {city}."
    if note.job is not None:
        first = f"{note.person.name} es {note.job.spanish(note.person.gender)} de {city}."
    thing = note.thing
    has = f"tiene {thing.article} {thing.spanish} {note.color.spanish(thing.gender)}"
    likes = f"le gusta {note.food.spanish}"
    second = f"{likes} y {has}" if note.likes_first else f"{has} y {likes}"
    return f"{first} {second[0].upper()}{second[1:]}."


def record(note: Note) -> str:
    """The note as JSON."""
    values = {"name": note.person.name, "city": note.city}
    if note.job is not None:
        values["job"] = note.job.english
    values |= {"thing": note.thing.english, "color": note.color.english, "likes": note.food.english}
    return json.dumps(values)


def quiz(note: Note) -> str:
    """Questions about the note, with their answers."""
    name = note.person.name
    from_where = f"Where does {name} live? In {note.city}."
    if note.job is not None:
        from_where = f"Who is from {note.city}? The {note.job.english} {name}."
    return (
        f"{from_where} What is {note.color.english}? The {note.thing.english}. "
        f"What does {note.pronoun.lower()} like? {note.food.english.capitalize()}."
    )


def glossary() -> list[str]:
    """A sentence for each word with another in Spanish."""
    words = [(english, spanish) for english, spanish in CITIES.items() if english != spanish]
    words += [(food.english, food.spanish) for food in FOODS]
    for thing in THINGS:
        words.append((thing.english, f"{thing.article} {thing.spanish}"))
    for word in (*JOBS, *COLORS):
        both = word.female if word.female == word.male else f"{word.female} or {word.male}"
        words.append((word.english, both))
    return [f"{english} is {spanish} in Spanish." for english, spanish in words]


# What answers a note, by the name of the program that does.
TASKS = {"base": story, "spanish": spanish, "json": record, "quiz": quiz}
