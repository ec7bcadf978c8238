"""Rows of a help desk with faults planted among them, by a seed that is an argument.

What is planted is written without the detectors' rules: names without titles in the middle of sentences,
cards with and without spaces, answers cut at any word, copies with typing errors.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from evalapp.datasets.rows import ExampleRow

_SUBJECTS = [
    "water damage in the cellar",
    "a stolen bicycle",
    "the excess of my policy",
    "a cancelled flight",
    "hail on the car roof",
    "a broken laptop screen",
    "the renewal letter",
    "a dental crown",
    "lost luggage",
    "a burst pipe",
    "storm damage to the fence",
    "a fall on the stairs",
    "my daughter's school trip",
    "a rented van",
    "the boiler",
    "a kitchen fire",
    "smoke from a neighbour",
    "a dog bite",
    "the conservatory",
    "a missed connection",
    "legal costs",
    "physiotherapy",
    "a camera on holiday",
    "an e-bike battery",
    "glass breakage",
    "a flooded garage",
    "my late father's contract",
    "a wedding ring",
    "two hearing aids",
    "a contact lens order",
]
_ASKS = [
    "Is {s} covered under the basic plan",
    "How long does a claim for {s} take",
    "Which papers do you need for {s}",
    "Can I still report {s} after a month",
    "Why was my request about {s} turned down",
    "Who pays for {s} when I am abroad",
    "What happens to my premium after {s}",
    "Where do I upload photographs of {s}",
    "Could you explain the rules on {s}",
    "Does the family tariff include {s}",
    "Whom should I call first about {s}",
    "Is there a limit for {s}",
]
_WHEN = [
    "last Tuesday",
    "while we were moving",
    "in the second week of the contract",
    "during the storm",
    "before the new terms",
    "since the switch to paperless post",
    "after the repair",
    "in the winter holidays",
    "when the agent changed",
    "under the old tariff",
    "at my parents' place",
    "on the way to work",
    "near the lake",
    "in a shared flat",
    "by accident",
]
_FACTS = [
    "We pay the current value and not the price of a new one",
    "The excess is taken off once for each event",
    "Photographs and the original receipt are enough",
    "A report within the first days makes it quicker",
    "Repairs by our partners need no advance payment",
    "The tariff sets a ceiling for single items",
    "Wear and tear are left out of every plan",
    "You may choose the workshop yourself",
    "Costs abroad count as well",
    "An expert visits where the sum is high",
    "The premium stays the same after the first event",
    "Household members are included",
    "Gross negligence lowers the payment",
    "The police report can follow later",
    "Items in a locked room count as stored",
    "Only the account holder may change the address",
    "We answer in writing",
    "The letter names the person in charge",
    "A short note by your doctor will do",
    "Fees of the bank are not refunded",
]
_LABELS = {
    "coverage": "cover insured include plan tariff limit",
    "claim": "claim report papers photographs damage upload",
    "billing": "premium invoice debit refund bank instalment",
}
_FIRST = ["Anna", "Peter", "Maria", "Thomas", "Fatima", "Olga", "Julia", "Stefan", "Laura", "Carlos"]
_LAST = [
    "Winterbottom",
    "Okafor",
    "Schneider",
    "Castellano",
    "Lindqvist",
    "Novak",
    "Petrov",
    "Haddad",
    "Moreau",
    "Whitfield",
]
_EMOJI = ("", "", "", " \U0001f642", " \u05e9\u05dc\u05d5\u05dd", " \u2602")


@dataclass
class PlantedRows:
    """``planted``: by kind, the numbers of the rows that must be found. ``looks_like``: by kind, numbers of
    rows that must not be, however alike they look.
    """

    rows: list[ExampleRow]
    planted: dict[str, set[int]] = field(default_factory=dict)
    looks_like: dict[str, set[int]] = field(default_factory=dict)


def planted_rows(seed: int, *, clean: int = 1_500, each: int = 40) -> PlantedRows:
    """``clean`` good rows and ``each`` of every plant, shuffled; ask `personal_plants` for personal data."""
    draw = random.Random(seed)
    rows = [_clean(draw, number) for number in range(clean)]
    plants: list[tuple[str, ExampleRow]] = []
    for kind, make in _PLANTS.items():
        plants += [(kind, make(rows[source], draw)) for source in draw.sample(range(clean), each)]
    found = PlantedRows(rows + [row for _, row in plants])
    for number, (kind, _) in enumerate(plants, start=clean + 1):
        group, _, alike = kind.partition(":")
        (found.looks_like if alike == "alike" else found.planted).setdefault(group, set()).add(number)
    return found


def _clean(draw: random.Random, number: int) -> ExampleRow:
    subject = draw.choice(_SUBJECTS)
    prompt = f"{draw.choice(_ASKS).format(s=subject)}? It happened {draw.choice(_WHEN)} and {_aside(draw)}."
    answer = f"{'. '.join(draw.sample(_FACTS, draw.randint(2, 4)))}. {_aside(draw).capitalize()}."
    return ExampleRow(
        split="train",
        messages=[{"role": "user", "content": prompt + draw.choice(_EMOJI)}],
        references=[answer],
        metadata={"number": number},
    )


def _aside(draw: random.Random) -> str:
    people = (
        "my neighbour",
        "the landlord",
        "our plumber",
        "a colleague",
        "the travel desk",
        "my sister",
        "the garage",
    )
    verbs = ("wrote", "thinks", "told us", "found out", "was sure", "denies", "remembers", "asked whether")
    things = (
        "the door",
        "the window",
        "a small sum",
        "the old contract",
        "the invoice",
        "a second visit",
        "the lift",
        "that key",
        "the deposit",
        "the whole floor",
        "a spare part",
        "the warranty",
        "that form",
        "the ferry",
    )
    ends = (
        "was missing",
        "would not count",
        "came too late",
        "had been mended",
        "cost more than thought",
        "was never checked",
        "belonged to somebody else",
        "could wait",
        "was in the wrong name",
    )
    return f"{draw.choice(people)} {draw.choice(verbs)} {draw.choice(things)} {draw.choice(ends)}"


def _prompt(row: ExampleRow) -> str:
    return str(row.messages[-1]["content"])


def _with(row: ExampleRow, *, prompt: str | None = None, answer: str | None = None) -> ExampleRow:
    messages = row.messages if prompt is None else [{"role": "user", "content": prompt}]
    return replace(row, messages=messages, references=row.references if answer is None else [answer])


def _repeat(row: ExampleRow, draw: random.Random) -> ExampleRow:
    prompt, answer = _prompt(row), row.references[0]
    return draw.choice(
        (
            row,
            _with(row, prompt=prompt.upper()),
            _with(row, prompt=f"  {prompt}\n", answer=answer.replace(". ", ".  ")),
            _with(row, prompt=prompt.rstrip(".") + "!", answer=answer.lower()),
        )
    )


def _near(row: ExampleRow, draw: random.Random) -> ExampleRow:
    words = _prompt(row).split()
    place = draw.choice([at for at in range(2, len(words)) if words[at][0].isalpha()])
    how = draw.randrange(4)
    if how == 0:
        words.insert(place, "please")
    elif how == 1:
        del words[place]
    elif how == 2:
        words[place] = _mistyped(words[place], draw)
    else:
        words = [*words, "Thanks", "a", "lot"]
    return _with(row, prompt=" ".join(words))


def _mistyped(word: str, draw: random.Random) -> str:
    place = draw.randrange(len(word))
    return word[:place] + draw.choice("aeiourst") + word[place:]


def _conflict(row: ExampleRow, draw: random.Random) -> ExampleRow:
    start = draw.choice(
        (
            "There is nothing to be done here, since your file was closed years ago",
            "Ask the tax office instead",
            "Our phone line opens at 9 and closes at 17",
            "Send 250 euros first",
        )
    )
    return _with(row, answer=f"{start}.")


def _paraphrase(row: ExampleRow, draw: random.Random) -> ExampleRow:
    """Another row about the same subject, which is no copy."""
    return _clean(draw, 0)


def _cut(row: ExampleRow, draw: random.Random) -> ExampleRow:
    words = f"{row.references[0]} {'. '.join(draw.sample(_FACTS, 2))}".split()
    while words[-1].endswith("."):
        words.pop()
    return _fresh(draw, " ".join(words[: draw.randint(12, len(words))]).rstrip("."))


def _fresh(draw: random.Random, answer: str) -> ExampleRow:
    return _with(_clean(draw, 0), answer=answer)


def _broken(row: ExampleRow, draw: random.Random) -> ExampleRow:
    how = draw.randrange(8)
    if how == 0:
        return replace(_clean(draw, 0), references=[])
    if how == 1:
        return _fresh(
            draw,
            draw.choice(
                (
                    "I'm sorry, but I can't help with that request.",
                    "As an AI language model, I cannot give advice on this.",
                    "I am unable to assist with insurance questions.",
                )
            ),
        )
    if how == 2:
        return _fresh(draw, " ".join(["We will look into it and come back to you."] * draw.randint(12, 90)))
    if how == 3:
        return _fresh(
            draw,
            row.references[0]
            + " Die Versicherung zahlt für die Küche später, größere Schäden auch.".encode().decode("cp1252"),
        )
    if how == 4:
        return _fresh(draw, draw.choice(("N/A", "TODO", "-", "none")))
    if how == 5:
        return _fresh(
            draw,
            "Der Schaden wird nach Eingang der Unterlagen geprüft und bald bezahlt."
            " Bitte senden Sie uns die Rechnung und einige Bilder.",
        )
    if how == 6:
        return _fresh(draw, f"Dear [Customer Name], {row.references[0]}")
    return _cut(row, draw)


_PLANTS: dict[str, Callable[[ExampleRow, random.Random], ExampleRow]] = {
    "exact_duplicate": _repeat,
    "near_duplicate": _near,
    "conflict": _conflict,
    "broken_answer": _broken,
    "near_duplicate:alike": _paraphrase,
}


def labelled_rows(seed: int, *, count: int = 400, wrong: int = 30) -> PlantedRows:
    """Rows of three labels, of which ``wrong`` have another one's."""
    draw = random.Random(seed)
    rows = []
    names = list(_LABELS)
    wrongly = set(draw.sample(range(1, count + 1), wrong))
    for number in range(1, count + 1):
        label = draw.choice(names)
        words = draw.choices(_LABELS[label].split(), k=3) + draw.choices(" ".join(_SUBJECTS).split(), k=5)
        draw.shuffle(words)
        given = draw.choice([name for name in names if name != label]) if number in wrongly else label
        rows.append(
            ExampleRow(split="train", messages=[{"role": "user", "content": " ".join(words)}], label=given)
        )
    return PlantedRows(rows, {"label_issue": wrongly})


def personal_texts(seed: int, *, each: int = 60) -> list[tuple[str, str, str]]:
    """(text, what is planted, its type) of every type with a checksum or a form; the text holds it once."""
    draw = random.Random(seed)
    made = []
    for kind, make in _PERSONAL.items():
        for _ in range(each):
            planted = make(draw)
            before, after = _aside(draw).capitalize(), _aside(draw)
            made.append(
                (
                    f"{before}, {draw.choice(('see', 'it is', 'use', 'write down'))} {planted} and {after}.",
                    planted,
                    kind,
                )
            )
    return made


def harmless_texts(seed: int, *, count: int = 300) -> list[str]:
    """Texts whose digits look like personal data and are none."""
    draw = random.Random(seed)
    numbers: Sequence[Callable[[], str]] = (
        lambda: f"Order number {_luhn('4' + _digits(draw, 14))}",
        lambda: f"Invoice {_digits(draw, 10)}",
        lambda: f"between {draw.randint(1990, 2020)} and {draw.randint(2021, 2030)}",
        lambda: f"{draw.randint(1, 999)},{_digits(draw, 3)},{_digits(draw, 3)}.50 euros",
        lambda: f"tracking {_digits(draw, 12)}",
        lambda: f"parcel no. {_digits(draw, 16)}",
        lambda: f"version {draw.randint(1, 9)}.{draw.randint(0, 20)}.{draw.randint(0, 9)}",
        lambda: f"ISBN 978-{_digits(draw, 10)}",
        lambda: f"{_digits(draw, 8)} inhabitants",
    )
    return [
        f"{_aside(draw).capitalize()}: {draw.choice(numbers)()}, and {_aside(draw)}." for _ in range(count)
    ]


def _digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choice("0123456789") for _ in range(count))


def _luhn(start: str) -> str:
    total = 0
    for position, digit in enumerate(reversed(start)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return start + str(-total % 10)


def _card(draw: random.Random) -> str:
    number = _luhn(draw.choice(("4", "51", "55")) + _digits(draw, 14))[:16]
    number = _luhn(number[:15])
    return number if draw.random() < 0.5 else " ".join(number[at : at + 4] for at in range(0, 16, 4))


def _iban(draw: random.Random) -> str:
    bank = _digits(draw, 18)
    check = 98 - int(f"{bank}131400") % 97
    number = f"DE{check:02d}{bank}"
    return number if draw.random() < 0.5 else " ".join(number[at : at + 4] for at in range(0, 22, 4))


def _phone(draw: random.Random) -> str:
    return draw.choice(
        (
            f"+44 20 7{_digits(draw, 3)} {_digits(draw, 4)}",
            f"+4930{draw.randint(2, 9)}{_digits(draw, 6)}",
            f"020 7{_digits(draw, 3)} {_digits(draw, 4)}",
            f"+33 1 4{_digits(draw, 1)} {_digits(draw, 2)} {_digits(draw, 2)} {_digits(draw, 2)}",
        )
    )


_PERSONAL: dict[str, Callable[[random.Random], str]] = {
    "EMAIL": lambda draw: (
        f"{draw.choice(_FIRST).lower()}.{draw.choice(_LAST).lower()}{_digits(draw, 2)}@mail.example.org"
    ),
    "CARD": _card,
    "IBAN": _iban,
    "PHONE": _phone,
    "NAME": lambda draw: f"{draw.choice(_FIRST)} {draw.choice(_LAST)}",
}
