"""Worked example: a prompt against tuned models, and accuracy over growing vetted versions. See
docs/worked-examples.md.

    python docs/examples/insurance_questions.py http://127.0.0.1:8000 PROJECT TOKEN

Makes questions to an insurer, each with the contract that pays by the house's own rules. An expert vets them
in three batches; a dataset recipe writes a version after each. A small model is trained on every version and
answers the same test questions, beside the same model with the rules in its prompt; their answers are marked
by the key. Needs a running server with a model worker, a manager's token, and no package.
"""

import random
import re
from typing import Any

from program import Program, options_of

# What is claimed for, by the contract that pays, one batch after the other. Some are the house's own ways: a
# bicycle goes with the vehicles, a camera on a journey with the travel.
BATCHES: tuple[dict[str, tuple[str, ...]], ...] = (
    {
        "household": ("a burst water pipe", "a fire in the kitchen", "a stolen television"),
        "vehicle": ("a dented car door", "a stolen motorbike", "a cracked windscreen"),
        "travel": ("a lost suitcase", "a cancelled flight", "a stolen passport"),
        "liability": ("a bite by my dog", "a window my son broke", "wine on a friend's carpet"),
    },
    {
        "household": ("hail on the roof", "a flooded cellar", "a broken phone screen"),
        "vehicle": ("a stolen bicycle", "a flat tyre", "a marten in the engine"),
        "travel": ("a doctor abroad", "a missed ferry", "a scratch on a hired boat"),
        "liability": ("a cyclist I knocked over", "a fall on my icy path", "a lost key of the office"),
    },
    {
        "household": ("graffiti on my wall", "spoiled food in the freezer", "a stolen lawn mower"),
        "vehicle": ("a deer on the road", "a trailer that came loose", "a caravan in the storm"),
        "travel": ("a hotel that closed", "a leg broken while skiing", "a camera stolen on the beach"),
        "liability": ("a borrowed drill I broke", "my tree on a fence", "a ball on a neighbour's vase"),
    },
)
CONTRACTS = tuple(BATCHES[0])
QUESTIONS = (
    "Who pays for {}?",
    "I want to claim for {}.",
    "Is {} insured?",
)
TEST_QUESTIONS = ("What do I do about {}?", "Please help: {}.")
INSTRUCTION = f"Name the contract that pays: {', '.join(CONTRACTS[:-1])} or {CONTRACTS[-1]}."
SETTINGS = {
    "max_steps": 40,
    "batch_size": 8,
    "accumulation_steps": 1,
    "learning_rate": 0.001,
    "lora": {"rank": 8, "alpha": 16},
    "max_length": 96,
    "validation_share": 0,
    "checkpoint_steps": 40,
}
MARKER = "Marked by the key (a program)"


def rows_of(batch: dict[str, tuple[str, ...]], *, is_test: bool) -> list[dict[str, Any]]:
    """A row for each thing and way to ask. Questions about one thing are a group."""
    return [
        {
            "messages": [
                {"role": "system", "content": INSTRUCTION},
                {"role": "user", "content": question.format(thing)},
            ],
            "references": [contract],
            "label": contract,
            "group": thing,
            "metadata": {"id": question.format(thing)},
            "split": "test" if is_test else "train",
        }
        for contract, things in batch.items()
        for thing in things
        for question in (TEST_QUESTIONS if is_test else QUESTIONS)
    ]


def rules_in_words() -> str:
    """What a prompt tells of the house's rules: the contracts with what the expert vetted for each."""
    lines = [INSTRUCTION]
    for contract in CONTRACTS:
        things = [thing for batch in BATCHES for thing in batch[contract]]
        lines.append(f"{contract}: {', '.join(things)}.")
    return "\n".join(lines)


def grown(program: Program, seed: int) -> tuple[int, list[dict[str, Any]]]:
    """The dataset with a version after each batch, and its test rows, which are the same in all."""
    chance = random.Random(seed)
    tests = [row for batch in BATCHES for row in rows_of(batch, is_test=True)]
    batches = [rows_of(batch, is_test=False) for batch in BATCHES]
    for batch in batches:
        chance.shuffle(batch)
    asked = program.ask("POST", "datasets/", {"name": f"Insurance questions {seed}"})["id"]
    vetted = program.ask("POST", "datasets/", {"name": f"Vetted questions {seed}"})["id"]
    first = {"rows": tests + batches[0], "note": "The first batch, vetted"}
    program.ask("POST", f"datasets/{asked}/versions/", first)
    program.read_labels(asked, CONTRACTS)
    recipe = ""
    for number, batch in enumerate(batches[1:], start=2):
        program.ask("POST", f"datasets/{vetted}/versions/", {"rows": batch, "note": f"Batch {number}"})
        if not recipe:
            sources = [{"dataset": asked, "version": "1"}, {"dataset": vetted, "version": "all"}]
            recipes = f"datasets/{asked}/recipes/"
            made = program.ask("POST", recipes, {"name": "Everything vetted", "sources": sources})
            recipe = f"{recipes}{made['id']}/"
        program.wait(program.ask("POST", f"{recipe}versions/")["job"]["id"])
    return int(asked), tests


def named(text: str) -> str:
    """The first contract that an answer names, empty where it names none."""
    found = re.search("|".join(CONTRACTS), text)
    return found[0] if found else ""


def marks(answers: dict[int, dict[int, str]], tests: list[dict[str, Any]]) -> str:
    """A CSV file: whether each candidate's answer to each test row names the contract of the key."""
    lines = ["item,candidate,reviewer,Right"]
    for candidate, texts in answers.items():
        for number, row in enumerate(tests, start=1):
            is_right = "yes" if named(texts[number]) == row["label"] else "no"
            lines.append(f"{row['metadata']['id']},{candidate},{MARKER},{is_right}")
    return "\n".join(lines)


def main() -> None:
    options = options_of(__doc__, seed=1)
    program = Program(options)
    dataset, tests = grown(program, options.seed)
    for number in (1, 2, 3):
        print(f"Version {number}:", program.ask("GET", f"datasets/{dataset}/versions/{number}/")["counts"])
    version = program.version(dataset, 3)
    base = program.small_model(f"Small model {dataset}")
    prompt = program.ask("POST", "models/prompt/", {
        "base": base, "label": f"Rules in the prompt {dataset}", "system_prompt": rules_in_words(),
    })["id"]  # fmt: skip
    sweep, adapters = program.swept({
        "name": "Growing vetted questions", "dataset_version": version, "base": base,
        "hyperparameters": SETTINGS, "axes": {"dataset_version": [1, 2, 3], "seed": [options.seed]},
    })  # fmt: skip
    candidates = [base, prompt, *adapters]
    generation = program.answered({
        "name": "Answers to the test questions", "dataset_version": version, "splits": ["test"],
        "candidates": candidates,
        "sampling": {"max_tokens": 24, "temperature": 0, "engine": "transformers"},
    })  # fmt: skip
    program.show_labels(generation)
    curve = program.ask("GET", f"sweeps/{sweep}/curve/?by=labels-{generation}-macro_f1")
    print("Sweep:", *curve["versions"][0]["answer"])
    program.show_progress(dataset, only=("Label accuracy",))
    answers = {candidate: program.answers(generation, candidate) for candidate in candidates}
    program.rated("Marks by the key", marks(answers, tests), {
        "dataset_version": version, "items_by": "field", "item_field": "id",
        "candidates": {str(candidate): candidate for candidate in candidates},
        "criteria": {"Right": {"kind": "yes_no"}},
    })  # fmt: skip
    found = program.ask("GET", f"analysis/tuning/?candidate={adapters[-1]}")
    print("Tuning or a prompt:", found["answer"]["words"] if found["answer"] else found["steps"])


if __name__ == "__main__":
    main()
