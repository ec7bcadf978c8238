from evalapp.rubrics.drafts import RubricDraft
from evalapp.rubrics.templates.criteria import fault, scale

LEGAL = RubricDraft(
    name="Legal review",
    description="Faithfulness, coverage of obligations, precision and currency of a legal summary or review.",
    instructions=(
        "Judge against the text of the document beside it and the law in force today.\n\n"
        "A summary may be short; it may not change who owes what to whom, or when."
    ),
    criteria=(
        scale(
            "Faithfulness",
            "Does it say what the document says?",
            (
                "It turns the meaning round.",
                "It changes a right, a duty or a condition.",
                "Right in the main; a nuance is lost that could matter.",
                "Right; a nuance is lost that does not matter.",
                "Nothing is changed.",
            ),
            ("party mixed up", "duty changed", "condition dropped", "exception dropped", "invented clause"),
            weight=2,
        ),
        scale(
            "Coverage",
            "Are the clauses there that a client must know?",
            (
                "The decisive clause is missing.",
                "Several that matter are missing.",
                "One that matters is missing.",
                "A minor one is missing.",
                "All that matter are there.",
            ),
            ("deadline left out", "liability left out", "termination left out", "governing law left out"),
        ),
        scale(
            "Precision",
            "Are terms, references and dates exact?",
            (
                "Unusable without the document.",
                "Often vague or wrongly cited.",
                "One reference is vague or wrong.",
                "Exact, with a loose word.",
                "Exact throughout, with references.",
            ),
            ("wrong reference", "vague term", "wrong date", "defined term misused"),
        ),
        scale(
            "Plain wording",
            "Would a client who is no lawyer understand it?",
            (
                "No.",
                "Only in parts.",
                "With effort.",
                "Yes, but for a term.",
                "Yes, at the first reading.",
            ),
            ("legalese", "long sentences", "term not explained"),
        ),
        fault(
            "Law no longer in force",
            "Does it rest on a rule that has been repealed, replaced or overruled?",
            yes="It rests on law that is not in force.",
            no="All law that it uses is in force.",
            tags=("repealed", "amended", "overruled", "wrong jurisdiction"),
        ),
    ),
)
