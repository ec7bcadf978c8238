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
                "It reverses the meaning.",
                "It changes a right, a duty or a condition.",
                "Mostly right; it loses a nuance that could matter.",
                "Right; it loses a nuance that does not matter.",
                "Nothing is changed.",
            ),
            ("party mixed up", "duty changed", "condition dropped", "exception dropped", "invented clause"),
            weight=2,
        ),
        scale(
            "Coverage",
            "Does it include the clauses that a client must know?",
            (
                "The decisive clause is missing.",
                "Several important clauses are missing.",
                "One important clause is missing.",
                "A minor clause is missing.",
                "It includes all important clauses.",
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
                "Exact, except for one loose word.",
                "Exact throughout, with references.",
            ),
            ("wrong reference", "vague term", "wrong date", "defined term misused"),
        ),
        scale(
            "Plain wording",
            "Would a client who is not a lawyer understand it?",
            (
                "No.",
                "Only in parts.",
                "With effort.",
                "Yes, except for one term.",
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
