"""House style: plain words, the client's goal by name, and exactly one concrete next step."""

from dataclasses import dataclass
from random import Random

from evalapp.demo.client_facts import ClientFacts
from evalapp.demo.market_remarks import MARKET_REMARKS
from evalapp.demo.open_points import OPEN_POINTS

# The first sentence greets the client and names the goal.
HELLO = (
    "{name}, here is how things stand with your money for {goal}.",
    "{name}, this is how your money for {goal} is doing.",
    "Hello {name}, let us look at what you have saved for {goal}.",
    "Good to see you saving for {goal}, {name}.",
    "{name}, you have {years} years left to save for {goal}.",
    "Dear {name}, this is a short look at your plan for {goal}.",
    "{name}, you are saving for {goal}, so here is the latest.",
    "With {years} years to go, {name}, you are saving for {goal}.",
    "Hello {name}, your plan for {goal} has {years} years to run.",
)
MONEY = (
    "You have {value}: {shares} in shares, {bonds} in bonds and {cash} in cash.",
    "Your money comes to {value}, with {shares} in shares, {bonds} in bonds and {cash} in cash.",
    "Today you own {value}, made up of {shares} shares, {bonds} bonds and {cash} cash.",
    "There is {value} in your account: shares {shares}, bonds {bonds}, cash {cash}.",
    "You hold {value}, and {shares} of it is in shares, {bonds} in bonds and {cash} in cash.",
    "In all you have {value}; we keep {shares} in shares, {bonds} in bonds and {cash} in cash.",
)
RISK = (
    "That mix fits the {risk} approach you chose.",
    "You asked for a {risk} mix, and this is one.",
    "It suits your {risk} profile.",
    "We keep it {risk}, as you wished.",
    "This is a {risk} mix, just as we agreed.",
)
GAIN = (
    "This year it grew by {result}.",
    "You are up {result} this year.",
    "It gained {result} this year.",
    "The year so far brought you {result}.",
    "So far this year you made {result}.",
)
LOSS = (
    "This year it fell by {result}.",
    "You are down {result} this year.",
    "It lost {result} this year.",
    "The year so far cost you {result}.",
    "So far this year you lost {result}.",
)
SAVING = (
    "You add {saving} every month.",
    "Your {saving} a month keeps it growing.",
    "Each month you put in {saving}.",
    "Every month {saving} goes in.",
    "You save {saving} a month, and that adds up.",
)
HOLDING = (
    "Your biggest fund is the {holding}.",
    "Most of it sits in the {holding}.",
    "The {holding} is your biggest fund.",
    "The largest piece is the {holding}.",
    "The {holding} makes up the biggest part.",
)
MARKET = (
    "{remark}.",
    "{remark} lately.",
    "Around you, {remark_small}.",
    "On the markets: {remark_small}.",
    "What happened outside: {remark_small}.",
)
# The last sentence announces the next step explicitly.
NEXT = (
    "Next step: {action}.",
    "Your next step: {action}.",
)
# Slots between first and last sentence; a slot is skipped if the prompt does not state its fact.
PLANS = (
    "money result saving holding market risk",
    "money risk market result saving holding",
    "result money holding saving market",
    "saving money risk result market holding",
    "money result saving holding market",
    "money market saving result holding",
    "risk money holding result saving market",
    "market money result saving holding",
    "holding money result saving market risk",
)


@dataclass(frozen=True)
class WritingHabits:
    """A writer's preferences: they use only a part of every list of clauses and plans.

    `seed` selects the part and `share` (0 to 1) is its size; at least two entries remain.
    """

    seed: str = ""
    share: float = 1.0

    def choose(self, random: Random, clauses: tuple[str, ...]) -> str:
        """One of the clauses that this writer uses."""
        if self.share >= 1:
            return random.choice(clauses)
        # Seeded by the list itself, so that a writer uses the same part in every text.
        kept = Random(f"{self.seed} {clauses[0]}").sample(clauses, max(2, round(len(clauses) * self.share)))
        return random.choice(kept)


ANY_HABITS = WritingHabits()


def write_house_style(facts: ClientFacts, random: Random, habits: WritingHabits = ANY_HABITS) -> str:
    """Write the house-style summary of `facts`; every number in it is one of the facts."""
    remark = random.choice(MARKET_REMARKS[facts.remark].plain)
    action = facts.fill_point(random.choice(OPEN_POINTS[facts.point].plain))
    words = facts.words() | {
        "remark": remark,
        "remark_small": remark[0].lower() + remark[1:],
        "action": action,
    }
    clauses = {
        "hello": HELLO,
        "money": MONEY,
        "risk": RISK,
        "result": GAIN if facts.result >= 0 else LOSS,
        "saving": SAVING,
        "holding": HOLDING,
        "market": MARKET,
        "next": NEXT,
    }
    optional = {"result", "saving", "holding", "market"}
    plan = habits.choose(random, PLANS).split()
    middle = [slot for slot in plan if slot not in optional or slot in facts.shown]
    slots = ("hello", *middle, "next")
    return " ".join(habits.choose(random, clauses[slot]).format(**words) for slot in slots)
