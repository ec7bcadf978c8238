"""House style, as three rule checks that a project could define in the browser.

A fourth check counts figures that are not among the facts; it is about truth, not about style.
"""

FORMAL_WORDS = (
    "the client",
    "mandate",
    "allocat",
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
    "diversif",
    "assets under management",
    "whereof",
    "pursuant",
    "remitted",
)
"""What plain words leave out, in any case and inside longer words ("allocat" is in "reallocation")."""

NEXT_STEP = r"\bnext step(?: for you|, \w+)?(?::| is to) (?:[\w%.,-]+ ){2,}[\w%.,-]+"
"""A step that is announced as such and says in three words or more what to do."""

EXACTLY_ONE_NEXT_STEP = rf"\A(?!.*next step.*next step).*{NEXT_STEP}"
"""The same, once: a second mention of a next step fails. `.` must match line ends, letters in any case."""
