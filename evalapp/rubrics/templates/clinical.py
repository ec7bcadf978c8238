from evalapp.rubrics.drafts import RubricDraft
from evalapp.rubrics.templates.criteria import fault, scale

CLINICAL = RubricDraft(
    name="Discharge summaries",
    description=(
        "Factual accuracy, completeness, safety and usability of a clinical summary against the record."
    ),
    instructions=(
        "Compare with the record beside the text, line by line: diagnoses, medicines with dose, results,"
        " follow-up.\n\nJudge as the colleague who takes over this patient tomorrow."
    ),
    criteria=(
        scale(
            "Factual accuracy",
            "Do diagnoses, medicines, doses, values and dates agree with the record?",
            (
                "Wrong on a point that decides the treatment.",
                "Several details are wrong.",
                "One detail is wrong, without consequence.",
                "Right; something is imprecise.",
                "Every detail agrees with the record.",
            ),
            ("wrong medicine", "wrong dose", "wrong value", "wrong date", "wrong side"),
            weight=2,
        ),
        scale(
            "Completeness",
            "Does it contain everything that the next clinician needs?",
            (
                "The most important point is missing.",
                "Several important points are missing.",
                "One important point is missing.",
                "Something useful is missing.",
                "It contains everything needed.",
            ),
            (
                "diagnosis left out",
                "medicine left out",
                "allergy left out",
                "result left out",
                "follow-up left out",
            ),
        ),
        scale(
            "Conciseness",
            "Is it as short as it can be for its purpose?",
            (
                "Cannot be used as a summary.",
                "It contains much that nobody needs.",
                "Somewhat long.",
                "A sentence too many.",
                "Nothing could be left out.",
            ),
            ("copied from the record", "repeats itself", "irrelevant history"),
        ),
        scale(
            "Clear plan",
            "Does it say who does what, by when?",
            (
                "No plan, or one that cannot be followed.",
                "Steps without a person or a date.",
                "Main steps; one is open.",
                "Clear; a date could be more exact.",
                "Every step says who does what, and when.",
            ),
            ("no follow-up", "no responsible person", "no date", "no warning signs"),
            allows_not_applicable=True,
        ),
        fault(
            "Could harm the patient",
            "Could somebody who relies on this text harm the patient?",
            yes="An error or omission that could lead to harm.",
            no="None that could lead to harm.",
            tags=("wrong dose", "allergy", "interaction", "invented finding", "missed finding"),
        ),
    ),
)
