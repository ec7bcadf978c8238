"""Worked example: summaries of hospital stays, standardised, corrected and enriched. See
docs/worked-examples.md.

    python docs/examples/discharge_summaries.py http://127.0.0.1:8000 PROJECT TOKEN

Makes notes of hospital stays with summaries as people write them: long, each in another form, with something
left out, one in three with a wrong number, some twice, some with a name and a telephone number. A draft puts
them into one short form with the right numbers; another adds when the patient shall be seen again. A small
model is trained on each version and summarises the same test notes. Three reviewers, who are a program,
compare each summary with its note; their ratings are imported. Needs a running server with a model worker, a
manager's token, and no package.
"""

import random
import re
from typing import Any

from program import Program, options_of

CONDITIONS = ("pneumonia", "heart failure", "asthma", "a kidney stone", "gout", "bronchitis")
DRUGS = ("amoxicillin", "furosemide", "prednisolone", "ibuprofen", "colchicine", "doxycycline")
PATIENTS = ("Mr Peter Hartmann", "Mrs Maria Schneider", "Mr Thomas Becker", "Mrs Anna Keller")
NOTE = (
    "Admitted with {condition}, {fever} °C. {drug} {dose} mg, {times} times a day for {days} days."
    " Home after {nights} nights. Next visit in {weeks} weeks."
)
# As people write them: each has its own form and leaves something out, all of them the next visit.
_TREATED = (
    "This patient, who came to us with {condition}, has been treated by us with good success. We gave"
    " {drug}, namely {dose} mg of it, {times} times each day, to be continued for {days} days in all. We wish"
    " a speedy recovery."
)
_REPORTED = (
    "We report on the treatment of {condition}. The patient was with us for {nights} nights, in which {drug}"
    " was started. The dose is {dose} mg, to be taken {times} times a day. We thank you for the kind"
    " referral."
)
_THANKED = (
    "Thank you for sending us this patient with {condition}. After {nights} nights the patient could leave"
    " in a good state. Please go on with {drug}, {dose} mg of it, for {days} days, and do call us at any"
    " time."
)
WORDY = (_TREATED, _REPORTED, _THANKED)
SHORT = "{condition}: {drug} {dose} mg, {times} times a day, {days} days. Stay: {nights} nights."
COMPLETE = SHORT + " Next visit: {weeks} weeks."
# Where a summary tells the number of a fact.
UNITS = {"dose": "mg", "times": "times", "days": "days", "nights": "nights", "weeks": "weeks"}
FACTS = len(UNITS) + 2
INSTRUCTION = "Summarise the note for the family doctor."
SETTINGS = {
    "max_steps": 40,
    "batch_size": 4,
    "accumulation_steps": 1,
    "learning_rate": 0.001,
    "lora": {"rank": 8, "alpha": 16},
    "max_length": 192,
    "validation_share": 0,
    "checkpoint_steps": 40,
}
REVIEWERS = ("Simulated reviewer 1", "Simulated reviewer 2", "Simulated reviewer 3")


def stay(chance: random.Random) -> dict[str, Any]:
    """The facts of one stay."""
    return {
        "condition": chance.choice(CONDITIONS),
        "fever": f"{chance.randint(365, 405) / 10:.1f}",
        "drug": chance.choice(DRUGS),
        "dose": 50 * chance.randint(1, 20),
        "times": chance.randint(2, 4),
        "days": chance.randint(3, 14),
        "nights": chance.randint(2, 12),
        "weeks": chance.randint(1, 8),
    }


def written(chance: random.Random, facts: dict[str, Any]) -> str:
    """A summary as it comes: one in three has another dose or number of days, one in eight names people."""
    told = dict(facts)
    if chance.random() < 1 / 3:
        told |= chance.choice(({"dose": facts["dose"] + 50}, {"days": facts["days"] + 2}))
    text = chance.choice(WORDY).format(**told)
    if chance.random() < 1 / 8:
        text += f" {chance.choice(PATIENTS)}, telephone +49 30 9{chance.randint(100_000, 999_999)}."
    return text


def row_of(name: str, facts: dict[str, Any], summary: str, is_test: bool) -> dict[str, Any]:
    note = NOTE.format(**facts)
    return {
        "messages": [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": note}],
        "references": [summary],
        "context": note,
        "metadata": {"id": name},
        "split": "test" if is_test else "train",
    }


def next_version(
    program: Program, dataset: int, base: int, texts: dict[str, str], reason: str, *drops: str
) -> None:
    """Publish a draft of the base in which the training rows have the texts, which are by the ids of stays,
    without the rows that the health check would drop of the kinds ``drops``.
    """
    draft = program.draft(dataset, base)
    for kind in drops:
        program.ask("POST", f"{draft}proposals/", {"kind": kind})
    dropped = {each["row_number"] for each in program.pages(f"{draft}rows/")}
    edits = [
        {
            "row_number": row["row_number"], "operation": "change", "reason": reason,
            "changes": {"references.0": texts[row["metadata"]["id"]]},
        }
        for row in program.pages(f"datasets/{dataset}/versions/{base}/examples/?split=train")
        if row["row_number"] not in dropped
    ]  # fmt: skip
    program.ask("PATCH", f"{draft}rows/", {"edits": edits})
    print(f"Version {base + 1}, {reason.lower()}:", program.published(draft, reason))


def told(facts: dict[str, Any], summary: str) -> tuple[int, int]:
    """How many of the `FACTS` a summary tells right, and how many wrong; the rest it leaves out."""
    right = sum(facts[name] in summary.lower() for name in ("condition", "drug"))
    wrong = 0
    for name, unit in UNITS.items():
        numbers = set(re.findall(rf"(\d+) {unit}\b", summary))
        right += numbers == {str(facts[name])}
        wrong += bool(numbers - {str(facts[name])})
    return right, wrong


def ratings(chance: random.Random, stays: list[dict[str, Any]], answers: dict[int, dict[int, str]]) -> str:
    """A CSV file as people's tools export it. Each reviewer counts the facts that are told right and those
    told wrong, and overlooks one of the right ones in one case of seven.
    """
    lines = ["item,candidate,reviewer,Facts told right,Wrong facts"]
    for candidate, texts in answers.items():
        for number, facts in enumerate(stays, start=1):
            right, wrong = told(facts, texts[number])
            for reviewer in REVIEWERS:
                seen = max(0, right - (chance.random() < 1 / 7))
                lines.append(f"stay {number},{candidate},{reviewer},{seen},{wrong}")
    return "\n".join(lines)


def curated(program: Program, seed: int, stays: dict[str, dict[str, Any]], tests: list[str]) -> int:
    """The dataset with its three versions. ``tests``: the stays that are held out."""
    chance = random.Random(seed)
    rows = []
    for name, facts in stays.items():
        is_test = name in tests
        row = row_of(name, facts, COMPLETE.format(**facts) if is_test else written(chance, facts), is_test)
        rows += [row] * (2 if not is_test and chance.random() < 1 / 12 else 1)
    dataset = int(program.ask("POST", "datasets/", {"name": f"Discharge summaries {seed}"})["id"])
    program.ask("POST", f"datasets/{dataset}/versions/", {"rows": rows, "note": "As it came"})
    print("Findings of version 1:", program.findings(dataset, 1))
    short = {name: SHORT.format(**facts) for name, facts in stays.items()}
    next_version(program, dataset, 1, short, "Standardised and corrected", "exact_duplicate")
    complete = {name: COMPLETE.format(**facts) for name, facts in stays.items()}
    next_version(program, dataset, 2, complete, "Enriched")
    print("Findings of version 3:", program.findings(dataset, 3))
    return dataset


def main() -> None:
    options = options_of(__doc__, seed=1, rows=120, tests=24)
    program = Program(options)
    chance = random.Random(options.seed)
    stays = {f"stay {number}": stay(chance) for number in range(1, options.tests + options.rows + 1)}
    tests = list(stays)[: options.tests]
    dataset = curated(program, options.seed, stays, tests)
    version = program.version(dataset, 3)
    base = program.small_model(f"Small model {dataset}")
    _, adapters = program.swept({
        "name": "Raw, corrected, enriched", "dataset_version": version, "base": base,
        "hyperparameters": SETTINGS, "axes": {"dataset_version": [1, 2, 3], "seed": [options.seed]},
    })  # fmt: skip
    generation = program.answered({
        "name": "Summaries of the test notes", "dataset_version": version, "splits": ["test"],
        "candidates": adapters,
        "sampling": {"max_tokens": 96, "temperature": 0, "engine": "transformers"},
    })  # fmt: skip
    answers = {candidate: program.answers(generation, candidate) for candidate in adapters}
    program.rated("Simulated reviewers", ratings(chance, [stays[name] for name in tests], answers), {
        "dataset_version": version, "items_by": "field", "item_field": "id",
        "candidates": {str(candidate): candidate for candidate in adapters},
        "criteria": {
            "Facts told right": {"kind": "scale", "minimum": 0, "maximum": FACTS},
            "Wrong facts": {"kind": "scale", "minimum": 0, "maximum": FACTS, "lower_is_better": True},
        },
    })  # fmt: skip
    for candidate, texts in answers.items():
        print(f"Candidate {candidate}:", texts[1])
    program.show_progress(dataset, only=("Facts told right", "Wrong facts", "Words"))


if __name__ == "__main__":
    main()
