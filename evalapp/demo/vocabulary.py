"""Vocabulary of the demonstration's clients: names, lives, goals, products.

Everything here is invented. A goal is a noun phrase that can follow "for", because the house-style rule "the
client's goal is named" looks for exactly these words in an answer.
"""

from typing import NamedTuple


class Segment(NamedTuple):
    """A group of clients with a similar life, by which results can be grouped."""

    name: str
    youngest: int
    oldest: int
    situations: tuple[str, ...]


class Goal(NamedTuple):
    """A savings goal: a head and endings that make it specific to one client."""

    head: str
    endings: tuple[str, ...]


class Remark(NamedTuple):
    """A market remark: as a note in the prompt and in each of the two registers."""

    note: str
    formal: tuple[str, ...]
    plain: tuple[str, ...]


class OpenPoint(NamedTuple):
    """A remaining task: as a note in the prompt and in each of the two registers.

    `formal` has noun phrases ("an increase of …"), `plain` instructions ("raise …"). Placeholders: `{sum}` an
    amount of money, `{month}` a month, `{share}` a percentage.
    """

    note: str
    formal: tuple[str, ...]
    plain: tuple[str, ...]


_GIVEN_NAMES = (
    "Ada Aiko Alba Amara Anouk Arlo Asha Bela Bram Carla Cem Chiara Dario Dina Edda Elio Emre Enid Esra "
    "Fadil Fleur Goran Greta Hana Hugo Ida Ilse Imani Ines Ivo Jana Jonas Juno Kai Karim Keiko Lars Leila "
    "Lena Luca Mads Maeve Malik Marta Milan Mina Nadia Nils Noor Odile Olga Omar Otto Pablo Petra Priya "
    "Rafael Ravi Rosa Runa Samir Selma Sven Tamar Tariq Teo Tilda Uma Vera Viggo Wanda Yara Yusuf Zora"
)
GIVEN_NAMES = tuple(_GIVEN_NAMES.split())
_FAMILY_NAMES = (
    "Abel Adeyemi Almeida Aydin Bakker Banerjee Berg Brandt Castro Cohen Costa Dahl Demir Diaz Dubois Eriksen"
    " Farkas Ferrari Fischer Gallo Grant Haddad Hansen Hoffmann Horvat Ito Jansen Kaya Keller Khan Kovac"
    " Kruger Larsen Laurent Lind Lopez Mbeki Meier Mendes Moreau Moretti Nagy Nakata Novak Okafor Olsen Osei"
    " Park Petrov Quinn Ricci Rojas Rossi Sato Schmid Silva Singh Sokol Stein Tanaka Thorne Toth Ueda Varga"
    " Vogel Wagner Weiss Wolff Yilmaz Zeman Ziegler"
)
FAMILY_NAMES = tuple(_FAMILY_NAMES.split())

SEGMENTS = (
    Segment(
        "first job",
        21,
        29,
        (
            "trainee electrician",
            "junior web designer",
            "newly qualified paramedic",
            "laboratory assistant",
            "primary school teacher in a first post",
            "apprentice carpenter",
            "graduate engineer",
        ),
    ),
    Segment(
        "young family",
        28,
        41,
        (
            "nurse with two small children",
            "bus driver with a newborn",
            "chemist, married, one daughter",
            "police officer and father of three",
            "single mother, works in a bank",
            "stay-at-home father of twins",
            "vet with a son at school",
        ),
    ),
    Segment(
        "self-employed",
        30,
        57,
        (
            "freelance translator",
            "furniture maker",
            "wedding photographer",
            "yoga teacher",
            "beekeeper with a market stall",
            "independent software tester",
            "physiotherapist with a practice",
        ),
    ),
    Segment(
        "mid-career",
        38,
        53,
        (
            "hospital doctor",
            "head of a warehouse",
            "train driver",
            "sales manager, divorced",
            "civil engineer",
            "librarian",
            "airline pilot, often abroad",
        ),
    ),
    Segment(
        "business owner",
        36,
        61,
        (
            "runs a bicycle shop",
            "owns a small hotel",
            "runs a garden centre",
            "owns a printing firm",
            "runs a dental practice",
            "owns a family restaurant",
            "runs a driving school",
        ),
    ),
    Segment(
        "near retirement",
        56,
        65,
        (
            "teacher, works part time",
            "plumber, plans to stop soon",
            "senior accountant",
            "pharmacist, widowed",
            "museum guide",
            "farmer, hands over next year",
            "surveyor, children have left home",
        ),
    ),
    Segment(
        "retired",
        66,
        81,
        (
            "retired postmaster",
            "retired midwife",
            "former ship's cook",
            "retired judge",
            "former football coach",
            "retired gardener, lives alone",
            "retired tailor with five grandchildren",
        ),
    ),
    Segment(
        "family carer",
        44,
        63,
        (
            "looks after a parent at home",
            "part-time clerk, cares for a brother",
            "social worker, supports two parents",
            "baker, cares for an aunt",
            "tram driver with a disabled son",
            "editor, supports a parent abroad",
        ),
    ),
)

GOALS = (
    Goal(
        "a cottage", ("by the lake", "in the hills", "near the coast", "on the island", "close to the family")
    ),
    Goal("a first flat", ("in the city", "near the station", "with a balcony", "close to work")),
    Goal("a house deposit", ("in the suburbs", "near the school", "in the old town", "back home")),
    Goal("a campervan trip", ("through Norway", "along the Danube", "across Spain", "around Scotland")),
    Goal("a year off", ("to sail", "to write a book", "to travel", "to learn Italian")),
    Goal("university fees", ("for the twins", "for a daughter", "for three children", "for a grandson")),
    Goal("early retirement", ("by the sea", "in the village", "on a small farm", "in Portugal")),
    Goal("a bakery", ("on the corner", "with a coffee bar", "in the market hall", "for the village")),
    Goal("a workshop", ("for old clocks", "for violins", "for bicycles", "for stained glass")),
    Goal("a wedding", ("in the mountains", "on the beach", "with all the family", "in the old barn")),
    Goal("a new roof", ("for the farmhouse", "for the family home", "with solar panels", "for the barn")),
    Goal(
        "an electric car", ("for the family", "for the practice", "for long journeys", "for the school run")
    ),
    Goal("a grand piano", ("for the living room", "for the music school", "for a daughter")),
    Goal("a garden studio", ("for painting", "for pottery", "for music lessons", "for weaving")),
    Goal("a sabbatical", ("in Japan", "in Chile", "in Kenya", "in New Zealand")),
    Goal("a master's degree", ("abroad", "in design", "in nursing", "in marine biology")),
    Goal("a care reserve", ("for ageing parents", "for a brother", "for later life", "for an aunt")),
    Goal("a sailing boat", ("for the summers", "for the Baltic", "for weekends", "with two cabins")),
    Goal("a small vineyard", ("on the slope", "by the river", "in Burgundy", "near the abbey")),
    Goal("a family fund", ("for the grandchildren", "for emergencies", "for a godchild", "for school trips")),
    Goal("a riding stable", ("behind the house", "for six horses", "near the forest")),
    Goal("a second shop", ("in the next town", "by the harbour", "in the station", "on the high street")),
    Goal("a kitchen", ("for the guest house", "with room for everyone", "in the annexe")),
    Goal("a world trip", ("by train", "after the exams", "with a sister", "by cargo ship")),
    Goal("a ground-floor flat", ("with a garden", "near the clinic", "without stairs", "near the park")),
    Goal("a film school place", ("in Prague", "in London", "for a son")),
)

PRODUCTS = tuple(
    f"{first} {second}"
    for first in (
        "Northwind",
        "Harbour",
        "Oakfield",
        "Bluestone",
        "Meridian",
        "Lakeside",
        "Silverline",
        "Greenway",
    )
    for second in (
        "World Fund",
        "Dividend Fund",
        "Bond Fund",
        "Climate Fund",
        "Small Firms Fund",
        "Property Fund",
        "Health Fund",
        "Balanced Fund",
    )
)

RISK_PROFILES = ("very cautious", "cautious", "balanced", "growth", "adventurous")

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

CURRENCIES = ("EUR", "EUR", "EUR", "GBP", "CHF", "USD")
