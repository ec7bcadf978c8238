"""The formal register: an adviser's form letter about a client.

It fails every house-style rule check: formal words, no next step, and "the stated objective" instead of the
client's goal.
"""

from random import Random

from evalapp.demo.client_facts import ClientFacts
from evalapp.demo.market_remarks import MARKET_REMARKS
from evalapp.demo.open_points import OPEN_POINTS

VALUATION = (
    (
        "The client's portfolio carries a current valuation of {value}, with an allocation of {shares} to"
        " equities, {bonds} to fixed income and {cash} to liquidity."
    ),
    (
        "As at the reporting date, assets under management amount to {value}, of which {shares} is allocated"
        " to equities, {bonds} to fixed income and {cash} to liquid instruments."
    ),
    (
        "The aggregate valuation stands at {value}; the strategic allocation comprises {shares} equities,"
        " {bonds} fixed income and {cash} liquidity."
    ),
    (
        "With a valuation of {value}, the portfolio comprises equities ({shares}), fixed income ({bonds}) and"
        " liquidity ({cash})."
    ),
    (
        "The mandate's valuation amounts to {value}, with equities at {shares}, fixed income at {bonds} and"
        " liquidity at {cash}."
    ),
    (
        "Total assets of {value} are held under the mandate, whereof {shares} equities, {bonds} fixed income"
        " and {cash} liquid assets."
    ),
)
MANDATE = (
    "The mandate remains consistent with a {risk} risk tolerance and an investment horizon of {years} years.",
    "This allocation is commensurate with the client's {risk} risk profile over a horizon of {years} years.",
    "In accordance with the {risk} risk profile, an investment horizon of {years} years is assumed.",
    "The stated objective is pursued over a horizon of {years} years under a {risk} risk tolerance.",
    (
        "Having regard to the {risk} risk tolerance and the horizon of {years} years, the strategy is deemed"
        " appropriate."
    ),
    (
        "Suitability is confirmed with respect to the {risk} risk profile and the {years} year investment"
        " horizon."
    ),
    (
        "The {risk} risk tolerance documented for the client is reflected in the strategy, the horizon being"
        " {years} years."
    ),
)
GAIN = (
    "A positive performance of {result} was recorded over the reporting period.",
    "Performance over the reporting period amounted to {result}.",
    "The mandate generated a return of {result} in the reporting period.",
    "A net appreciation of {result} was attained during the reporting period.",
    "The performance attributable to the period under review is {result}.",
)
LOSS = (
    "A negative performance of {result} was recorded over the reporting period.",
    "The mandate sustained a depreciation of {result} in the reporting period.",
    "Performance over the reporting period was negative at {result}.",
    "A drawdown of {result} was incurred during the reporting period.",
    "The loss attributable to the period under review is {result}.",
)
SAVING = (
    "Periodic contributions of {saving} per month are maintained.",
    "The client effects monthly contributions in the amount of {saving}.",
    "Contributions of {saving} are remitted on a monthly basis.",
    "Recurring monthly inflows amount to {saving}.",
    "The contribution schedule provides for {saving} per month.",
)
HOLDING = (
    "The principal position is the {holding}.",
    "The {holding} constitutes the largest individual position.",
    "Concentration is greatest in the {holding}.",
    "The {holding} represents the core holding of the mandate.",
    "The most significant exposure pertains to the {holding}.",
)
MARKET = (
    "{remark}.",
    "{remark} during the reporting period.",
    "In the prevailing environment, {remark_small}.",
    "With regard to market conditions, {remark_small}.",
)
ADVICE = (
    "Consideration should be given to {point}.",
    "It is recommended that the client consider {point}.",
    "We would respectfully advise {point}.",
    "In view of the foregoing, {point} is deemed advisable.",
    "{Point} is recommended.",
    "{Point} would be considered prudent.",
    "Subject to the client's approval, {point} is proposed.",
    "It would be prudent to contemplate {point}.",
)
# Each word is a slot; a slot is skipped if the prompt does not state its fact.
PLANS = (
    "valuation mandate result saving holding market advice",
    "valuation result market mandate holding saving advice",
    "mandate valuation saving holding result market advice",
    "market valuation holding saving result mandate advice",
    "valuation holding market result saving mandate advice",
    "result valuation mandate market saving holding advice",
    "valuation saving result mandate market holding advice",
    "mandate valuation market result holding saving advice",
    "valuation advice mandate result saving holding market",
    "saving valuation holding result market mandate advice",
)


def write_formal(facts: ClientFacts, random: Random) -> str:
    """Write the formal summary of `facts`; every number in it is one of the facts."""
    remark = random.choice(MARKET_REMARKS[facts.remark].formal)
    point = facts.fill_point(random.choice(OPEN_POINTS[facts.point].formal))
    words = facts.words() | {
        "remark": remark,
        "remark_small": remark if remark.startswith("US ") else remark[0].lower() + remark[1:],
        "point": point,
        "Point": point[0].upper() + point[1:],
    }
    clauses = {
        "valuation": VALUATION,
        "mandate": MANDATE,
        "result": GAIN if facts.result >= 0 else LOSS,
        "saving": SAVING,
        "holding": HOLDING,
        "market": MARKET,
        "advice": ADVICE,
    }
    optional = {"result", "saving", "holding", "market"}
    slots = [slot for slot in random.choice(PLANS).split() if slot not in optional or slot in facts.shown]
    return " ".join(random.choice(clauses[slot]).format(**words) for slot in slots)
