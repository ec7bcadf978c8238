"""Worked example: does cleaning the labels of support messages help? See docs/worked-examples.md.

    python docs/examples/support_sentiment.py http://127.0.0.1:8000 PROJECT TOKEN

Makes messages with labels, of which some are wrong or repeated; checks and mends them; trains a
small model on both versions with two seeds each; and prints macro F1, label accuracy and how many outputs are
no label at all. Needs a running server with a model worker, an engineer's token, and no package.
"""

import random
from typing import Any

from program import Program, options_of

LABELS = ("negative", "neutral", "positive")
PRODUCTS = ("router", "invoice", "delivery", "app", "refund", "contract", "password", "subscription")
# The last two of each label are for testing alone.
MESSAGES = {
    "negative": (
        "I am angry: the {} failed again and nobody answers.",
        "The {} is a disaster, this is the third time I write.",
        "Terrible service. My {} is still broken.",
        "I am disappointed about the {} and want my money back.",
        "Your {} ruined my week, what a shame.",
        "Nothing but trouble with this awful {}.",
    ),
    "neutral": (
        "Where do I find the settings of the {}?",
        "Please send me the documents of the {}.",
        "When does the {} change next month?",
        "I would like to know how the {} works.",
        "Which form is needed for the {}?",
        "Can the {} be moved to another address?",
    ),
    "positive": (
        "Thank you, the {} works perfectly now!",
        "Great help with the {}, I am very happy.",
        "The {} is wonderful, you saved my day.",
        "Excellent: the {} was solved in five minutes.",
        "I love the new {}, well done!",
        "Best {} ever, many thanks to your team.",
    ),
}
REFUSAL = "As an AI language model, I cannot say."
ENDINGS = (" Customer number {}.", " I wrote on day {}.", " My reference is {}.")
INSTRUCTION = "Say the sentiment of the customer's message in one word: negative, neutral or positive."
SETTINGS = {
    "max_steps": 40,
    "batch_size": 8,
    "accumulation_steps": 1,
    "learning_rate": 0.001,
    "lora": {"rank": 8, "alpha": 16},
    "max_length": 128,
    "validation_share": 0,
    "checkpoint_steps": 40,
}


def rows_with_faults(seed: int, training: int, test: int) -> list[dict[str, Any]]:
    """Right rows for testing; of those for training three in ten have another label, a tenth is repeated,
    and a twentieth has a refusal for an answer.
    """
    chance = random.Random(seed)
    rows = []
    for number in range(training + test):
        label, is_test = LABELS[number % len(LABELS)], number < test
        templates = MESSAGES[label][-2:] if is_test else MESSAGES[label][:-2]
        text = chance.choice(templates).format(chance.choice(PRODUCTS))
        text += chance.choice(ENDINGS).format(1_000 + number)
        if not is_test and chance.random() < 0.3:
            label = chance.choice([each for each in LABELS if each != label])
        answer = REFUSAL if not is_test and chance.random() < 0.05 else label
        messages = [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": text}]
        row = {"messages": messages, "references": [answer], "label": label}
        rows.append({**row, "split": "test" if is_test else "train"})
        if not is_test and chance.random() < 0.1:
            rows.append(rows[-1])
    return rows


def curated(program: Program, dataset: int) -> dict[str, int]:
    """Version 2: what the health check proposes for version 1. Rows by what became of them."""
    for kind, rows in program.findings(dataset, 1).items():
        print(f"  {rows:4} {kind}")
    draft = program.draft(dataset, 1)
    for kind in ("label_issue", "exact_duplicate", "broken_answer"):
        program.ask("POST", f"{draft}proposals/", {"kind": kind})
    return program.published(draft, "Cleaned")


def main() -> None:
    options = options_of(__doc__, seed=1, rows=150, tests=36)
    program = Program(options)
    dataset = program.ask("POST", "datasets/", {"name": f"Support sentiment {options.seed}"})["id"]
    rows = rows_with_faults(options.seed, options.rows, options.tests)
    program.ask("POST", f"datasets/{dataset}/versions/", {"rows": rows, "note": "As it came"})
    program.read_labels(dataset, LABELS)
    print("Findings of version 1:")
    print("Version 2:", curated(program, dataset))
    version = program.version(dataset, 2)
    base = program.small_model(f"Small model {dataset}")
    sweep, adapters = program.swept({
        "name": "Raw and cleaned labels", "dataset_version": version, "base": base,
        "hyperparameters": SETTINGS, "axes": {"dataset_version": [1, 2], "seed": [1, 2]},
    })  # fmt: skip
    generation = program.answered({
        "name": "Sentiment of the test messages", "dataset_version": version, "splits": ["test"],
        "candidates": [base, *adapters],
        "sampling": {"max_tokens": 4, "temperature": 0, "engine": "transformers"},
    })  # fmt: skip
    curve = program.ask("GET", f"sweeps/{sweep}/curve/?by=labels-{generation}-macro_f1")
    print("Macro F1:", *curve["versions"][0]["answer"])
    program.show_progress(dataset)
    program.show_labels(generation)


if __name__ == "__main__":
    main()
