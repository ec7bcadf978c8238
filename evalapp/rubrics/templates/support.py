from evalapp.rubrics.drafts import RubricDraft
from evalapp.rubrics.templates.criteria import fault, scale

SUPPORT = RubricDraft(
    name="Support answers",
    description="Whether a reply solves the customer's problem, in our voice and within our rules.",
    instructions=(
        "Judge the reply as if the customer read it now and could not ask back.\n\nYou know the product and"
        " its rules: a friendly reply that does not solve the problem is not a good one."
    ),
    criteria=(
        scale(
            "Solves the problem",
            "Can the customer do what they wanted after reading it?",
            (
                "It makes matters worse.",
                "It does not help.",
                "It solves part of the problem.",
                "Solved; a step could be clearer.",
                "Solved, with nothing left to ask.",
            ),
            ("problem misread", "wrong product", "step missing", "wrong step", "asks what was said already"),
            weight=2,
        ),
        scale(
            "Within our rules",
            "Does it follow our terms, prices and procedures?",
            (
                "Against a rule that matters.",
                "It leaves out a rule that matters here.",
                "Allowed, but not how we do it.",
                "It follows the rules; the wording could mislead.",
                "It follows the rules, and says so where it counts.",
            ),
            ("wrong terms", "wrong price", "should have been handed over"),
        ),
        scale(
            "Empathy",
            "Does the reply meet the customer's mood?",
            (
                "It would anger the customer.",
                "Cold, or excuses instead of an apology.",
                "Polite and impersonal.",
                "Warm, except for one form-letter phrase.",
                "As a good colleague would write to this person.",
            ),
            ("cold", "over-apologises", "formulaic", "blames the customer"),
        ),
        scale(
            "Ease",
            "How much must the customer read and do?",
            (
                "Nobody would get through it.",
                "Long, or in the wrong order.",
                "Doable with care.",
                "Easy, with a word too many.",
                "As short as possible, in the right order.",
            ),
            ("too long", "no clear order", "jargon"),
        ),
        fault(
            "Promise we cannot keep",
            "Does it promise a refund, a date or a function that the customer is not owed?",
            yes="It promises something that we will not or may not do.",
            no="It promises nothing, or only what we will do.",
            tags=("refund", "date", "function", "goodwill"),
        ),
    ),
)
