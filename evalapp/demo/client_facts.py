"""Facts about one invented client, and the prompt that states them."""

from dataclasses import asdict, dataclass
from random import Random

from evalapp.demo.market_remarks import MARKET_REMARKS
from evalapp.demo.open_points import OPEN_POINTS
from evalapp.demo.vocabulary import (
    CURRENCIES,
    FAMILY_NAMES,
    GIVEN_NAMES,
    GOALS,
    MONTHS,
    PRODUCTS,
    RISK_PROFILES,
    SEGMENTS,
)

TASK = "Write a personal investment summary for this client."

OPTIONAL_FACTS = ("result", "saving", "holding", "market")
SHARES_OF_RISK = {
    "very cautious": (10, 25),
    "cautious": (25, 40),
    "balanced": (40, 60),
    "growth": (60, 75),
    "adventurous": (75, 90),
}


@dataclass(frozen=True)
class ClientFacts:
    """Profile and portfolio of one client.

    Amounts are whole units of `currency`; `shares`, `bonds` and `cash` are percentages that add up to 100;
    `result` is the year's percentage, negative for a loss. `shown` names what the prompt states, in this
    order: the texts use no other optional facts.
    """

    given_name: str
    family_name: str
    age: int
    segment: str
    situation: str
    goal: str
    years: int
    risk: str
    currency: str
    value: int
    shares: int
    bonds: int
    cash: int
    result: float
    saving: int
    holding: str
    remark: int
    point: int
    point_sum: int
    point_month: str
    point_share: int | float
    shown: tuple[str, ...]

    @property
    def client(self) -> str:
        """The client's full name."""
        return f"{self.given_name} {self.family_name}"

    def money(self, amount: int) -> str:
        """An amount as in the prompt: `EUR 84,200`."""
        return f"{self.currency} {amount:,}"

    def words(self) -> dict[str, str]:
        """Placeholders for the clauses of both registers."""
        return {
            "name": self.given_name,
            "goal": self.goal,
            "years": str(self.years),
            "risk": self.risk,
            "value": self.money(self.value),
            "shares": f"{self.shares}%",
            "bonds": f"{self.bonds}%",
            "cash": f"{self.cash}%",
            "result": f"{abs(self.result)}%",
            "saving": self.money(self.saving),
            "holding": self.holding,
        }

    def fill_point(self, template: str) -> str:
        """Insert the open point's amount, month and percentage into `template`."""
        return template.format(sum=self.money(self.point_sum), month=self.point_month, share=self.point_share)

    def fields(self) -> dict[str, str]:
        """The prompt's facts by name, for the example's metadata and the rule "must mention field X".

        `segment` is included for grouping. Facts that the prompt does not state are left out, so that a
        number that equals one by chance still counts as unsupported.
        """
        hidden = {"remark", "point", "point_sum", "point_month", "point_share", "shown"}
        hidden |= set(OPTIONAL_FACTS) - set(self.shown)
        facts = {name: str(value) for name, value in asdict(self).items() if name not in hidden}
        facts["client"] = self.client
        if "market" in self.shown:
            facts["market"] = MARKET_REMARKS[self.remark].note
        facts["open_point"] = self.fill_point(OPEN_POINTS[self.point].note)
        return facts

    def context(self) -> str:
        """The facts as the prompt states them, one per line."""
        direction = "up" if self.result >= 0 else "down"
        optional = {
            "result": f"This year: {direction} {abs(self.result)}%",
            "saving": f"Saves: {self.money(self.saving)} a month",
            "holding": f"Biggest fund: {self.holding}",
            "market": f"Market: {MARKET_REMARKS[self.remark].note}",
        }
        lines = {
            "years": f"Time left: {self.years} years",
            "risk": f"Risk profile: {self.risk}",
            "money": (
                f"Portfolio: {self.money(self.value)}, {self.shares}% shares, {self.bonds}% bonds,"
                f" {self.cash}% cash"
            ),
            "point": f"Open point: {self.fill_point(OPEN_POINTS[self.point].note)}",
        } | optional
        first = f"Client: {self.client}, {self.age}, {self.situation}"
        return "\n".join([first, f"Goal: {self.goal}", *(lines[name] for name in self.shown)])

    def prompt(self) -> str:
        """The prompt for every candidate: the task, then the facts."""
        return f"{TASK}\n\n{self.context()}"


def draw_facts(random: Random, *, client: tuple[str, str], goal: str) -> ClientFacts:
    """Draw one client's life and portfolio. The caller gives name and goal, so that it can keep them
    distinct.
    """
    segment = random.choice(SEGMENTS)
    risk = random.choice(RISK_PROFILES)
    shares = random.randint(*SHARES_OF_RISK[risk])
    cash = random.randint(3, min(30, 98 - shares))
    saving = random.randrange(50, 1500, 10)
    result = random.randint(-79, 129)
    point = random.randrange(len(OPEN_POINTS))
    shown = ["years", "risk", "money", "point", random.choice(OPTIONAL_FACTS)]
    random.shuffle(shown)
    note = OPEN_POINTS[point].note
    return ClientFacts(
        given_name=client[0],
        family_name=client[1],
        age=random.randint(segment.youngest, segment.oldest),
        segment=segment.name,
        situation=random.choice(segment.situations),
        goal=goal,
        years=random.randint(2, 19),
        risk=risk,
        currency=random.choice(CURRENCIES),
        value=random.randrange(6_000, 480_000, 100),
        shares=shares,
        bonds=100 - shares - cash,
        cash=cash,
        result=(result or 1) / 10,
        saving=saving,
        holding=random.choice(PRODUCTS),
        remark=random.randrange(len(MARKET_REMARKS)),
        point=point,
        point_sum=_sum_for(random, note, saving),
        point_month=random.choice(MONTHS),
        point_share=_share_for(random, note, cash=cash, bonds=100 - shares - cash),
        shown=tuple(shown),
    )


def all_goals() -> list[str]:
    """Every possible goal of a client."""
    return [f"{goal.head} {ending}" for goal in GOALS for ending in goal.endings]


def all_clients() -> list[tuple[str, str]]:
    """Every possible given and family name of a client."""
    return [(given, family) for given in GIVEN_NAMES for family in FAMILY_NAMES]


def _sum_for(random: Random, note: str, saving: int) -> int:
    """A plausible amount for the open point: more than is saved now, or a round sum."""
    if "a month" in note:
        return saving + random.randrange(20, 300, 10)
    return random.randrange(1_000, 30_000, 500)


def _share_for(random: Random, note: str, *, cash: int, bonds: int) -> int | float:
    """A plausible percentage for the open point, different from the present one."""
    if note.startswith("cash should"):
        return max(1, cash - random.randint(1, 9))
    if note.startswith("bonds should"):
        return max(1, bonds + random.choice((-1, 1)) * random.randint(1, 9))
    if note.startswith("cheaper fund"):
        return random.randint(1, 9) / 10
    return random.randrange(10, 30)
