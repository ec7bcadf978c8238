from evalapp.rubrics.drafts import RubricDraft
from evalapp.rubrics.templates.criteria import fault, scale

QUESTIONS = RubricDraft(
    name="Answers to questions",
    description=(
        "Correctness, completeness, relevance and grounding of an answer in the documents it was given."
    ),
    instructions=(
        "Read the question first, then the documents beside it, then the answer.\n\n"
        "Use your own knowledge only for correctness; judge grounding by the documents alone."
    ),
    criteria=(
        scale(
            "Correctness",
            "Is what the answer says true?",
            (
                "Wrong on the question asked.",
                "Wrong on an important point.",
                "Mostly right, with a wrong or doubtful detail.",
                "Right; something small is imprecise.",
                "Right in every statement.",
            ),
            ("wrong answer", "wrong number", "outdated", "overstated"),
        ),
        scale(
            "Completeness",
            "Does it answer everything that was asked?",
            (
                "The question is not answered.",
                "Most of it is not answered.",
                "The main point is answered; a part is missing.",
                "Everything is answered; a useful condition is missing.",
                "Everything is answered, with the important conditions.",
            ),
            ("part not answered", "condition left out", "no answer where there is one"),
        ),
        scale(
            "Relevance",
            "Does it stay with the question?",
            (
                "About something else.",
                "The answer is hidden among other matters.",
                "Relevant, with much that is not.",
                "Relevant, with one sentence too many.",
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
                "The main statement is in the documents; others are not.",
                "Everything except a detail is in the documents.",
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
