"""An output as the metrics see it."""

from evalapp.metrics.rows import Row
from evalapp.runs.models import Output


def metric_row(output: Output) -> Row:
    """``output.example`` must be loaded. Metadata values become text; nested ones are left out."""
    example = output.example
    return Row(
        output=output.text,
        references=tuple(str(reference) for reference in example.references),
        context=example.context,
        prompt="\n".join(str(message["content"]) for message in example.messages),
        fields={
            key: str(value) for key, value in example.metadata.items() if isinstance(value, str | int | float)
        },
    )
