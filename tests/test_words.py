"""Pages, documents and the API's descriptions use the glossary's words, and no word that it replaced."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalapp.env import REPOSITORY

# The word that was used, as a regular expression, and the glossary's.
REPLACED = {
    r"seats?": "campaign reviewer",
    r"sen[dt]s? back|send-backs?": "change request",
    r"rulings?": "adjudication",
    r"model judges?": "LLM judge",
    r"made elsewhere": "imported",
    r"trays?": "proposed rows",
    r"look now": "evaluate gate",
    r"ships?|shipped": "release",
    r"narrow(ed|ing)": "filtered",
    r"kpis?": "weekly metric",
    r"what it became": "created files",
    r"whole models?": "full model",
    r"invented (figures|numbers)": "unsupported numbers",
    r"training recipes?": "training settings",
    r"(reckon|calculat)(e|s|ed|es)?": "compute",
    r"open pull": "shared queue",
    r"what it costs": "reviewer effort",
    r"waiting for somebody": "to do",
    r"what the reviews are worth": "review quality",
    r"weekly draws?": "weekly sample",
    r"judgements?": "review, preference",
    r"what .{1,40} can detect": "statistical power",
    r"told from none|chance alone would": "not significant",
    r"rules? kept|rules? broken|keeps? each rule": "passed, failed",
    r"unsaid|labels? said|without a label said": "predicted label, unparsed",
    r"probability of superiority": "win rate",
    r"reversals?|simpson.s trap": "Simpson's paradox check",
    r"(see|back to|go to|again from|page of) the comparisons?": "results",
}
OLD = re.compile(r"\b(" + "|".join(REPLACED) + r")\b", re.IGNORECASE)
# Where an old word is the right one.
ALLOWED = {
    "docs/glossary.md": "lists them",
    "docs/adr": "records what was decided, in the words of its time",
    "evalapp/demo/vocabulary.py": "cargo ships of the demonstration's clients",
    "evalapp/demo/open_points.py": "a client sends a questionnaire back",
}


def texts() -> Iterator[tuple[str, str]]:
    """Each text that a person may read, with where it stands."""
    for folder, pattern in (
        ("templates", "*.html"),
        ("static/js", "*.js"),
        ("docs", "*.md"),
        (".", "README.md"),
    ):
        for path in sorted((REPOSITORY / folder).rglob(pattern) if folder != "." else [REPOSITORY / pattern]):
            yield from lines_of(path)
    for path in sorted((REPOSITORY / "evalapp").rglob("*.py")):
        if "migrations" not in path.parts:
            yield from strings_of(path)


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    name = str(path.relative_to(REPOSITORY))
    if not any(name.startswith(allowed) for allowed in ALLOWED):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            yield f"{name}:{number}", line


def strings_of(path: Path) -> Iterator[tuple[str, str]]:
    if str(path.relative_to(REPOSITORY)) in ALLOWED:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield f"{path.relative_to(REPOSITORY)}:{node.lineno}", node.value


def test_no_text_uses_a_word_that_the_glossary_replaced() -> None:
    found = [f"{where}: “{match[0]}”" for where, text in texts() for match in OLD.finditer(text)]
    assert found == [], f"the glossary has {', '.join(sorted(set(REPLACED.values())))}"


@pytest.mark.parametrize("old", ["a seat", "Send back", "KPIs", "ship it"])
def test_an_old_word_is_found(old: str) -> None:
    assert OLD.search(old)
