"""Rubric templates by their name in the API. The first one is created in every new project."""

from collections.abc import Mapping

from evalapp.rubrics.drafts import RubricDraft
from evalapp.rubrics.templates.brand_and_safety import BRAND_AND_SAFETY
from evalapp.rubrics.templates.clinical import CLINICAL
from evalapp.rubrics.templates.legal import LEGAL
from evalapp.rubrics.templates.questions import QUESTIONS
from evalapp.rubrics.templates.summaries import SUMMARIES
from evalapp.rubrics.templates.support import SUPPORT

TEMPLATES: Mapping[str, RubricDraft] = {
    "summaries": SUMMARIES,
    "questions": QUESTIONS,
    "support": SUPPORT,
    "clinical": CLINICAL,
    "legal": LEGAL,
    "brand-and-safety": BRAND_AND_SAFETY,
}
