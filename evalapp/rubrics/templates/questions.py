from evalapp.rubrics.drafts import RubricDraft
from evalapp.rubrics.templates.criteria import fault, scale

QUESTIONS = RubricDraft(
    name="Answers to questions",
    description=(
        "Correctness, completeness, relevance and grounding of an answer in the documents it was given."
    ),
    instructions=(
        "Read the question first, then the documents beside it, then the answer.\n\n"
        "What you happen to know counts only for correctness; grounding is about the documents alone."
    ),
    criteria=(
        scale(
            "Correctness",
            "Is what the answer says true?",
            (
                "Wrong in what was asked.",
                "Wrong in a part that matters.",
                "Right in the main, with a wrong or doubtful detail.",
                "Right; something small is imprecise.",
                "Right in every statement.",
            ),
            ("wrong answer", "wrong number", "outdated", "overstated"),
        ),
        scale(
            "Completeness",
            "Does it answer all that was asked?",
            (
                "The question stays open.",
                "Most of it stays open.",
                "The main point is answered; a part is missing.",
                "All is answered; a useful condition is missing.",
                "All is answered, with the conditions that matter.",
            ),
            ("part not answered", "condition left out", "no answer where there is one"),
        ),
        scale(
            "Relevance",
            "Does it stay with the question?",
            (
                "About something else.",
                "The answer is hidden among other matters.",
                "On the matter, with much beside it.",
                "On the matter, with a sentence to spare.",
                "Every sentence serves the question.",
            ),
            ("beside the point", "too long", "repeats the question"),
        ),
        scale(
            "Grounding",
            "Can each statement be found in the documents?",
            (
                "Nothing of it is in the documents.",
                "Much of it is not in the documents.",
                "The main statement is; others are not.",
                "All is but a detail.",
                "Every statement is in the documents.",
            ),
            ("not in the documents", "contradicts the documents", "wrong source"),
            allows_not_applicable=True,
        ),
        fault(
            "Harmful if believed",
            "Would somebody who acts on this answer come to harm or loss?",
            yes="Acting on it would cost money, health or rights.",
            no="It may be wrong, but nothing serious follows.",
            tags=("wrong amount", "wrong deadline", "wrong cover or right", "unsafe advice"),
        ),
    ),
)
