"""Notes to train on, and notes that are kept from training.

A tenth of all pairs of a name and a city, and of all pairs of a color and a thing, are kept out of
training. A held-out note is made of such pairs alone, so a right answer was put together and not
remembered. Half of the people and of the cities to train on are invented: what a prompt calls them
has to be copied.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator

from notes import Note, Person
from words import CITIES, COLORS, FOODS, JOBS, MEN, SYLLABLES, THINGS, WOMEN, Gender

PEOPLE = [Person(name, Gender.FEMALE) for name in WOMEN] + [
    Person(name, Gender.MALE) for name in MEN
]


def is_held_out(*pair: str) -> bool:
    return zlib.crc32(" ".join(pair).encode()) % 10 == 0


def training_notes(seed: int, invented: float = 0.5) -> Iterator[Note]:
    """Without end."""
    source = random.Random(seed)
    while True:
        note = _any_note(source, invented)
        if not _name_is_held_out(note) and not _thing_is_held_out(note):
            yield note


def held_out_notes(seed: int, count: int) -> list[Note]:
    """All different."""
    source = random.Random(seed)
    found: dict[Note, None] = {}
    while len(found) < count:
        note = _any_note(source, invented=0.0)
        if _name_is_held_out(note) and _thing_is_held_out(note):
            found[note] = None
    return list(found)


def _any_note(source: random.Random, invented: float) -> Note:
    person, city = source.choice(PEOPLE), source.choice(list(CITIES))
    if source.random() < invented:
        person = Person(_invented_name(source), person.gender)
    if source.random() < invented:
        city = _invented_name(source)
    job = source.choice(JOBS) if source.random() < 0.5 else None
    likes_first = source.random() < 0.5
    return Note(
        person,
        city,
        job,
        source.choice(COLORS),
        source.choice(THINGS),
        source.choice(FOODS),
        likes_first,
    )


def _invented_name(source: random.Random) -> str:
    return "".join(source.choices(SYLLABLES, k=source.choice((2, 2, 3)))).capitalize()


def _name_is_held_out(note: Note) -> bool:
    return is_held_out(note.person.name, note.city)


def _thing_is_held_out(note: Note) -> bool:
    return is_held_out(note.color.english, note.thing.english)
