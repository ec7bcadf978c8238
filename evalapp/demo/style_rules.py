"""House style as rule checks, in the form that a project defines in the browser.

Plain words, exactly one concrete next step, the client's goal by name. "Exactly one" takes two checks, one
that must match and one that must not, because the patterns have no look-around. A separate check of numbers
concerns facts, not style.
"""

from typing import Any

from evalapp.metrics.rules import rule_from_dict

FORMAL_WORDS = (
    "the client",
    "the client's",
    "mandate",
    "allocation",
    "allocated",
    "equities",
    "fixed income",
    "liquidity",
    "liquid assets",
    "liquid instruments",
    "valuation",
    "objective",
    "tolerance",
    "horizon",
    "volatility",
    "appreciation",
    "depreciation",
    "drawdown",
    "reporting period",
    "in accordance with",
    "commensurate",
    "consideration",
    "deemed",
    "prudent",
    "advisable",
    "respectfully",
    "suitability",
    "utilisation",
    "diversified",
    "diversification",
    "assets under management",
    "whereof",
    "pursuant",
    "remitted",
)
"""Words that house style avoids, in upper or lower case."""

PLAIN_WORDS = "plain words"
NEXT_STEP = "a concrete next step"
ONE_NEXT_STEP = "no second next step"
GOAL_NAMED = "the goal by name"
NUMBERS_SUPPORTED = "only numbers of the client"

_ANNOUNCED = r"next step[^:.\n]{0,30}(?::| is to)"

STYLE_RULES: tuple[dict[str, Any], ...] = (
    {"kind": "must_not_contain", "name": PLAIN_WORDS, "texts": list(FORMAL_WORDS)},
    {
        "kind": "pattern",
        "name": NEXT_STEP,
        # Announced explicitly, with at least three words.
        "pattern": _ANNOUNCED + r"\s+(?:\S+\s+){2,}\S+",
        "ignore_case": True,
    },
    {
        "kind": "pattern",
        "name": ONE_NEXT_STEP,
        # Two announcements; "Next step: call us about the next steps" is only one.
        "pattern": f"(?s){_ANNOUNCED}.*{_ANNOUNCED}",
        "must_match": False,
        "ignore_case": True,
    },
    {"kind": "mentions_field", "name": GOAL_NAMED, "field": "goal"},
)
"""A text that passes all of these is in house style."""

FACT_RULE: dict[str, Any] = {"kind": "no_unsupported_numbers", "name": NUMBERS_SUPPORTED}

CHECKED_STYLE_RULES = tuple(rule_from_dict(definition) for definition in STYLE_RULES)
CHECKED_FACT_RULE = rule_from_dict(FACT_RULE)
