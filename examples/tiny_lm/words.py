"""The words that notes are made of, in English and in Spanish."""

from __future__ import annotations

import dataclasses
import enum


class Gender(enum.Enum):
    """Of a person or of a Spanish noun."""

    FEMALE = "f"
    MALE = "m"


@dataclasses.dataclass(frozen=True)
class Gendered:
    """A job or a color, whose Spanish word follows a person or a thing."""

    english: str
    female: str  # in Spanish
    male: str

    def spanish(self, gender: Gender) -> str:
        return self.female if gender is Gender.FEMALE else self.male


class Job(Gendered):
    pass


class Color(Gendered):
    pass


@dataclasses.dataclass(frozen=True)
class Thing:
    english: str
    use: str  # "She rides the bicycle"
    spanish: str
    gender: Gender

    @property
    def article(self) -> str:
        return "una" if self.gender is Gender.FEMALE else "un"


@dataclasses.dataclass(frozen=True)
class Food:
    english: str
    spanish: str  # with its article


WOMEN = ("Anna", "Clara", "Elena", "Emma", "Laura", "Maria", "Nora", "Olga", "Sara", "Sofia")
MEN = ("Adam", "Ben", "Carlos", "David", "Ivan", "Leo", "Marco", "Paul", "Tom", "Victor")

# In English and in Spanish.
CITIES = {
    "Athens": "Atenas",
    "Berlin": "Berlín",
    "Geneva": "Ginebra",
    "Lisbon": "Lisboa",
    "London": "Londres",
    "Madrid": "Madrid",
    "Moscow": "Moscú",
    "Oslo": "Oslo",
    "Paris": "París",
    "Prague": "Praga",
    "Rome": "Roma",
    "Tokyo": "Tokio",
    "Vienna": "Viena",
    "Warsaw": "Varsovia",
}

# Names of people and cities that nobody has seen before are made of these.
SYLLABLES = (
    "ba", "be", "da", "do", "el", "fa", "gu", "ha", "in", "ka", "ke", "la", "li", "lo", "ma", "mi",
    "mo", "na", "ne", "ni", "on", "pa", "ra", "ri", "ro", "sa", "se", "ta", "te", "to", "va", "wi",
    "ya", "zo",
)  # fmt: skip

JOBS = (
    Job("baker", "panadera", "panadero"),
    Job("cook", "cocinera", "cocinero"),
    Job("doctor", "médica", "médico"),
    Job("nurse", "enfermera", "enfermero"),
    Job("painter", "pintora", "pintor"),
    Job("singer", "cantante", "cantante"),
    Job("teacher", "maestra", "maestro"),
    Job("writer", "escritora", "escritor"),
)

COLORS = (
    Color("black", "negra", "negro"),
    Color("blue", "azul", "azul"),
    Color("brown", "marrón", "marrón"),
    Color("green", "verde", "verde"),
    Color("grey", "gris", "gris"),
    Color("red", "roja", "rojo"),
    Color("white", "blanca", "blanco"),
    Color("yellow", "amarilla", "amarillo"),
)

THINGS = (
    Thing("bicycle", "rides", "bicicleta", Gender.FEMALE),
    Thing("book", "reads", "libro", Gender.MALE),
    Thing("camera", "carries", "cámara", Gender.FEMALE),
    Thing("car", "drives", "coche", Gender.MALE),
    Thing("coat", "wears", "abrigo", Gender.MALE),
    Thing("guitar", "plays", "guitarra", Gender.FEMALE),
    Thing("hat", "wears", "sombrero", Gender.MALE),
    Thing("horse", "rides", "caballo", Gender.MALE),
    Thing("kite", "flies", "cometa", Gender.FEMALE),
    Thing("lamp", "lights", "lámpara", Gender.FEMALE),
    Thing("piano", "plays", "piano", Gender.MALE),
    Thing("umbrella", "carries", "paraguas", Gender.MALE),
)

FOODS = (
    Food("bread", "el pan"),
    Food("cake", "la tarta"),
    Food("cheese", "el queso"),
    Food("chocolate", "el chocolate"),
    Food("fish", "el pescado"),
    Food("fruit", "la fruta"),
    Food("pasta", "la pasta"),
    Food("rice", "el arroz"),
    Food("salad", "la ensalada"),
    Food("soup", "la sopa"),
)
