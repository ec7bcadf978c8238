"""Worked example: summaries of hospital stays, standardised, corrected and enriched. See
docs/worked-examples.md.

    python docs/examples/discharge_summaries.py http://127.0.0.1:8000 PROJECT TOKEN

Makes notes of hospital stays with summaries as people write them: long, each in another form, and one in
three with a wrong number. A draft puts them into one short form with the right numbers; another adds when the
patient shall be seen again. A small model is trained on each version and summarises the same test notes.
Needs a running server with a model worker, an engineer's token, and no package.
"""

import argparse
import random
import re
from typing import Any

from program import Program

CONDITIONS = ("pneumonia", "heart failure", "asthma", "a kidney stone", "cellulitis", "gout", "bronchitis")
DRUGS = ("amoxicillin", "furosemide", "prednisolone", "ibuprofen", "cefuroxime", "colchicine", "doxycycline")
NOTE = (
    "Admitted on day {day} with {condition}. Temperature {fever} °C on arrival. Treated with {drug} {dose}"
    " mg, {times} times a day, for {days} days. Discharged after {stay} days. To be seen again in {weeks}"
    " weeks."
)
# As people write them; each has its own form.
WORDY = (
    """This patient, who came to us with {condition}, has stayed with us for {stay} days. During this stay
the patient was given {drug}, namely {dose} mg of it {times} times each day, which should be continued for
{days} days in all. We wish a speedy recovery and remain at your disposal for any questions.""",
    """We report on the treatment of {condition}. It took {stay} days, in the course of which {drug} was
started. The dose is {dose} mg, taken {times} times daily over {days} days. We thank you for the kind
referral of this patient and for the good cooperation.""",
    """Thank you for sending us this patient with {condition}. After {stay} days the patient could leave in a
good state. Please go on with {drug}, {dose} mg, {times} times a day for {days} days, and do not hesitate to
call us at any time.""",
)
SHORT = "{condition}: {drug} {dose} mg, {times} a day, {days} days. Stay: {stay} days."
COMPLETE = SHORT + " Next visit: {weeks} weeks."
INSTRUCTION = "Summarise the hospital note for the family doctor."
SETTINGS = {
    "max_steps": 60,
    "batch_size": 8,
    "accumulation_steps": 1,
    "learning_rate": 0.001,
    "lora": {"rank": 16, "alpha": 32},
    "max_length": 256,
    "validation_share": 0,
    "checkpoint_steps": 60,
}


def stay(chance: random.Random) -> dict[str, Any]:
    """The facts of one stay."""
    return {
        "day": chance.randint(1, 28),
        "condition": chance.choice(CONDITIONS),
        "fever": f"{chance.randint(365, 405) / 10:.1f}",
        "drug": chance.choice(DRUGS),
        "dose": 50 * chance.randint(1, 20),
        "times": chance.randint(1, 4),
        "days": chance.randint(3, 14),
        "stay": chance.randint(2, 12),
        "weeks": chance.randint(1, 8),
    }


def written(chance: random.Random, facts: dict[str, Any]) -> str:
    """A summary as it comes: one in three has another dose, or another number of days."""
    told = dict(facts)
    if chance.random() < 1 / 3:
        told |= chance.choice(({"dose": facts["dose"] + 50}, {"days": facts["days"] + 2}))
    return " ".join(chance.choice(WORDY).format(**told).split())


def row_of(facts: dict[str, Any], summary: str, *, is_test: bool) -> dict[str, Any]:
    note = NOTE.format(**facts)
    messages = [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": note}]
    split = "test" if is_test else "train"
    return {"messages": messages, "references": [summary], "context": note, "split": split}


def next_version(program: Program, dataset: int, base: int, summaries: list[str], reason: str) -> None:
    """Publish a draft of the base in which each training row has its new summary."""
    drafts = f"datasets/{dataset}/drafts/"
    draft = f"{drafts}{program.ask('POST', drafts, {'base': base})['id']}/"
    edits = [
        {"row_number": number, "operation": "change", "changes": {"references.0": text}, "reason": reason}
        for number, text in enumerate(summaries, start=1)
    ]
    program.ask("PATCH", f"{draft}rows/", {"edits": edits})
    program.wait(program.ask("POST", f"{draft}publish/", {"note": reason})["job"]["id"])
    print(f"Version {base + 1}, {reason.lower()}:", program.ask("GET", draft)["counts"])


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?", text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("address", "project", "token"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--tests", type=int, default=24)
    options = parser.parse_args()
    program = Program(options.address, options.project, options.token)
    chance = random.Random(options.seed)
    stays = [stay(chance) for _ in range(options.rows)]
    rows = [row_of(facts, written(chance, facts), is_test=False) for facts in stays]
    for _ in range(options.tests):
        facts = stay(chance)
        rows.append(row_of(facts, COMPLETE.format(**facts), is_test=True))
    dataset = program.ask("POST", "datasets/", {"name": f"Discharge summaries {options.seed}"})["id"]
    program.ask("POST", f"datasets/{dataset}/versions/", {"rows": rows, "note": "As it came"})
    corrected = [SHORT.format(**facts) for facts in stays]
    next_version(program, dataset, 1, corrected, "Standardised and corrected")
    next_version(program, dataset, 2, [COMPLETE.format(**facts) for facts in stays], "Enriched")
    version = program.ask("GET", f"datasets/{dataset}/versions/3/")["id"]
    base = program.small_model(f"Small model {dataset}")
    _, adapters = program.sweep({
        "name": "Raw, corrected, enriched", "dataset_version": version, "base": base,
        "hyperparameters": SETTINGS, "axes": {"dataset_version": [1, 2, 3], "seed": [options.seed]},
    })  # fmt: skip
    generation = program.ask("POST", "runs/generation/", {
        "name": "Summaries of the test notes", "dataset_version": version, "splits": ["test"],
        "candidates": adapters,
        "sampling": {"max_tokens": 120, "temperature": 0, "engine": "transformers"},
    })  # fmt: skip
    program.wait(generation["job"]["id"])
    program.wait(program.ask("POST", f"runs/{generation['id']}/score/")["id"])
    for measure in program.ask("GET", f"datasets/{dataset}/progress/")["measures"]:
        print(f"{measure['label']}:", " → ".join(f"{step['mean']['value']:.2f}" for step in measure["steps"]))


if __name__ == "__main__":
    main()
