"""Worked example: a prompt against tuned models, and accuracy over growing vetted versions. See
docs/worked-examples.md.

    python docs/examples/insurance_questions.py http://127.0.0.1:8000 PROJECT TOKEN

Makes questions about what the plans of an insurer cover. An expert has vetted the answers for some things
that people ask about; a dataset recipe adds a second and a third batch. A small model is trained on each
version, and answers the same test questions beside the same model with the plans in its prompt. Needs a
running server with a model worker, an engineer's token, and no package.
"""

import argparse
import random
from typing import Any

from program import Program

PLANS = ("Basic", "Comfort", "Premium")
# The plans that cover it, by things that are asked about; a batch is vetted after the other.
BATCHES: tuple[dict[str, tuple[str, ...]], ...] = (
    {
        "a stolen bicycle": ("Comfort", "Premium"),
        "a burst water pipe": ("Basic", "Comfort", "Premium"),
        "a broken phone screen": ("Premium",),
        "a kitchen fire": ("Basic", "Comfort", "Premium"),
    },
    {
        "hail on the roof": ("Comfort", "Premium"),
        "a lost suitcase": ("Premium",),
        "a flooded cellar": ("Comfort", "Premium"),
        "spoiled food in the freezer": ("Premium",),
    },
    {
        "a cracked window": ("Comfort", "Premium"),
        "damage by a dishwasher": (),
        "a lightning strike": ("Basic", "Comfort", "Premium"),
        "graffiti on the wall": (),
    },
)
# The last two are for testing alone.
QUESTIONS = (
    "Does the {plan} plan cover {thing}?",
    "I have the {plan} plan. Is {thing} insured?",
    "{plan} plan: do you pay for {thing}?",
    "Am I covered for {thing} with {plan}?",
    "My plan is {plan}. Will you pay for {thing}?",
    "Is {thing} part of the {plan} plan?",
)
TESTED = 2
LABELS = ("yes", "no")
INSTRUCTION = "Say whether the plan covers it in one word: yes or no."
SETTINGS = {
    "max_steps": 90,
    "batch_size": 8,
    "accumulation_steps": 1,
    "learning_rate": 0.001,
    "lora": {"rank": 16, "alpha": 32},
    "max_length": 96,
    "validation_share": 0,
    "checkpoint_steps": 90,
}


def rows_of(things: dict[str, tuple[str, ...]], *, is_test: bool) -> list[dict[str, Any]]:
    """A row for each plan, thing and way to ask."""
    forms = QUESTIONS[-TESTED:] if is_test else QUESTIONS[:-TESTED]
    return [
        {
            "messages": [
                {"role": "system", "content": INSTRUCTION},
                {"role": "user", "content": form.format(plan=plan, thing=thing)},
            ],
            "references": ["yes" if plan in covered_by else "no"],
            "label": "yes" if plan in covered_by else "no",
            "metadata": {"thing": thing, "plan": plan},
            "split": "test" if is_test else "train",
        }
        for thing, covered_by in things.items()
        for plan in PLANS
        for form in forms
    ]


def plans_in_words() -> str:
    """What a prompt tells of the plans."""
    lines = [INSTRUCTION]
    for plan in PLANS:
        things = [thing for batch in BATCHES for thing, covered_by in batch.items() if plan in covered_by]
        lines.append(f"The {plan} plan covers {', '.join(things)}, and nothing else.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("address", "project", "token"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program = Program(options.address, options.project, options.token)
    chance = random.Random(options.seed)
    tests = [row for batch in BATCHES for row in rows_of(batch, is_test=True)]
    batches = [rows_of(batch, is_test=False) for batch in BATCHES]
    for batch in batches:
        chance.shuffle(batch)
    asked = program.ask("POST", "datasets/", {"name": f"Insurance questions {options.seed}"})["id"]
    vetted = program.ask("POST", "datasets/", {"name": f"Vetted answers {options.seed}"})["id"]
    first = {"rows": batches[0] + tests, "note": "The first batch, vetted"}
    program.ask("POST", f"datasets/{asked}/versions/", first)
    parser_of_labels = {"kind": "pattern", "pattern": f"({'|'.join(LABELS)})", "labels": list(LABELS)}
    program.ask("PUT", f"datasets/{asked}/label-parser/", parser_of_labels)
    recipes = f"datasets/{asked}/recipes/"
    recipe = None
    for number, batch in enumerate(batches[1:], start=2):
        program.ask("POST", f"datasets/{vetted}/versions/", {"rows": batch, "note": f"Batch {number}"})
        if recipe is None:
            sources = [{"dataset": asked, "version": "1"}, {"dataset": vetted, "version": "all"}]
            recipe = program.ask("POST", recipes, {"name": "All vetted answers", "sources": sources})["id"]
        program.wait(program.ask("POST", f"{recipes}{recipe}/versions/")["job"]["id"])
    version = program.ask("GET", f"datasets/{asked}/versions/3/")["id"]
    for number in (1, 2, 3):
        print(f"Version {number}:", program.ask("GET", f"datasets/{asked}/versions/{number}/")["counts"])
    base = program.small_model(f"Small model {asked}")
    prompt = program.ask("POST", "models/prompt/", {
        "base": base, "label": f"Plans in the prompt {asked}", "system_prompt": plans_in_words(),
    })["id"]  # fmt: skip
    _, adapters = program.sweep({
        "name": "Growing vetted answers", "dataset_version": version, "base": base,
        "hyperparameters": SETTINGS, "axes": {"dataset_version": [1, 2, 3], "seed": [options.seed]},
    })  # fmt: skip
    generation = program.ask("POST", "runs/generation/", {
        "name": "Answers to the test questions", "dataset_version": version, "splits": ["test"],
        "candidates": [base, prompt, *adapters],
        "sampling": {"max_tokens": 4, "temperature": 0, "engine": "transformers"},
    })  # fmt: skip
    program.wait(generation["job"]["id"])
    program.wait(program.ask("POST", f"runs/{generation['id']}/score/")["id"])
    for measure in program.ask("GET", f"datasets/{asked}/progress/")["measures"]:
        print(f"{measure['label']}:", " → ".join(f"{step['mean']['value']:.2f}" for step in measure["steps"]))
    for candidate in program.ask("GET", f"runs/{generation['id']}/metrics/")["candidates"]:
        labels = candidate["labels"]
        print(
            f"{candidate['label']}: macro F1 {labels['macro']['value']:.2f},"
            f" {labels['unparsed']} of {candidate['outputs']} outputs are no label"
        )


if __name__ == "__main__":
    main()
