from evalapp.rubrics.drafts import RubricDraft
from evalapp.rubrics.templates.criteria import fault, scale

SUMMARIES = RubricDraft(
    name="Summary quality",
    description="Accuracy, clarity, tone and personalization of a text written for one person.",
    instructions=(
        "Judge the answer as if it went to the person it is written for, today and under your name.\n\n"
        "Judge each criterion on its own: a text can be accurate and still have the wrong tone. "
        "Compare it with the facts beside it, not with what you would have liked to know."
    ),
    criteria=(
        scale(
            "Accuracy",
            "Do the statements and numbers agree with the facts that were given?",
            (
                "Wrong in what matters: a decision based on it would be a mistake.",
                "Several statements or a central number are wrong or not in the facts.",
                "Right in the main; a detail is wrong, missing or not in the facts.",
                "Right throughout; something small could be more exact.",
                "Every statement and number agrees with the facts.",
            ),
            ("wrong number", "invented fact", "fact left out", "contradicts the facts", "misleading"),
        ),
        scale(
            "Clarity",
            "Will the reader understand it at the first reading?",
            (
                "Hard to make sense of, even on a second reading.",
                "Often unclear: jargon, long sentences, no order.",
                "Understandable with some effort.",
                "Clear; a sentence or word could be simpler.",
                "Clear at once, in plain words and good order.",
            ),
            ("jargon", "too long", "no clear order", "vague", "repeats itself"),
        ),
        scale(
            "Tone",
            "Does it sound as we want to sound to this reader?",
            (
                "The reader would be put off.",
                "Clearly off: too formal, too casual, too pushy.",
                "Acceptable, but not how we would say it.",
                "Right, with a phrase that is off.",
                "Just how a good colleague would say it.",
            ),
            ("too formal", "too casual", "pushy", "cold", "patronising"),
        ),
        scale(
            "Personalization",
            "Is it about this person: their goal, their situation, what they can do next?",
            (
                "Could have been sent to anybody.",
                "Names the person, but says nothing particular to them.",
                "Uses some of their facts; the goal or a next step is missing.",
                "Speaks to their goal and situation; the next step could be more concrete.",
                "Speaks to their goal and situation and gives one concrete next step.",
            ),
            ("goal not named", "no next step", "next step not concrete", "generic", "situation ignored"),
        ),
        fault(
            "Material factual error",
            "Is there an error that could lead the reader to a wrong decision?",
            yes="At least one error that matters for a decision.",
            no="No error, or none that matters for a decision.",
            tags=(
                "wrong amount",
                "wrong date or period",
                "wrong person or product",
                "invented fact",
                "wrong advice",
            ),
        ),
    ),
)
