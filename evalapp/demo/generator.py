"""The demonstration's data: personalised investment summaries of invented clients.

Every example asks for a summary of one client. It has two answers: the *formal* one, which is the dataset's
reference, and the *house style* one, which only the simulated reviewers know. Pure and deterministic: a seed
gives the same examples on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random

from evalapp.demo.client_facts import ClientFacts, all_clients, all_goals, draw_facts
from evalapp.demo.formal_text import write_formal
from evalapp.demo.house_style_text import write_house_style
from evalapp.demo.row_length import fits

SEED = 42
TRAINING = 600
FEEDBACK = 40
TEST = 20


@dataclass(frozen=True)
class DemoExample:
    """One example; `split` is "train", "feedback" or "test", and `key` is unique and stable."""

    key: str
    split: str
    facts: ClientFacts
    formal: str
    house_style: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """The prompt as chat messages."""
        return [{"role": "user", "content": self.facts.prompt()}]

    @property
    def context(self) -> str:
        """The facts as text, which must support the numbers of an answer."""
        return self.facts.context()

    @property
    def metadata(self) -> dict[str, str]:
        """Every stated fact by name, including `goal`, and `segment`."""
        return self.facts.fields()


def generate_examples(
    seed: int = SEED,
    *,
    training: int = TRAINING,
    feedback: int = FEEDBACK,
    test: int = TEST,
) -> list[DemoExample]:
    """Generate the demonstration's examples in a fixed order: training, feedback, test.

    Every client has a different name. A fifth of the goals occurs only in feedback and test, so that answers
    cannot name these goals from memory. Raises ValueError for more examples than there are names.
    """
    clients = all_clients()
    total = training + feedback + test
    if total > len(clients):
        raise ValueError(
            f"{total} examples were asked for, but there are names for {len(clients)} clients only."
        )
    chosen = Random(f"{seed} clients").sample(clients, total)
    goals = all_goals()
    Random(f"{seed} goals").shuffle(goals)
    unseen = goals[: len(goals) // 5]
    seen = goals[len(goals) // 5 :]
    sizes = {"train": training, "feedback": feedback, "test": test}
    splits = [split for split, size in sizes.items() for _ in range(size)]
    numbers = _numbers(sizes)
    return [
        _example(seed, split, number, client, seen if split == "train" else unseen + seen[: len(unseen)])
        for split, number, client in zip(splits, numbers, chosen, strict=True)
    ]


def _numbers(sizes: dict[str, int]) -> Iterator[int]:
    for size in sizes.values():
        yield from range(1, size + 1)


def _example(seed: int, split: str, number: int, client: tuple[str, str], goals: list[str]) -> DemoExample:
    # Redrawn until both answers are short enough for training, as in fewer than half of the draws.
    for attempt in count():
        random = Random(f"{seed} {split} {number} {attempt}")
        facts = draw_facts(random, client=client, goal=random.choice(goals))
        formal = write_formal(facts, random)
        house_style = write_house_style(facts, random)
        prompt = facts.prompt()
        if fits(prompt, formal) and fits(prompt, house_style):
            break
    return DemoExample(
        key=f"{split}-{number:03d}",
        split=split,
        facts=facts,
        formal=formal,
        house_style=house_style,
    )
