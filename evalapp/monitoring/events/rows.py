"""Production events as rows of a dataset version."""

from collections.abc import Iterator, Mapping, Sequence

from evalapp.datasets.models import VaultEntry
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.vault import ENTRY
from evalapp.monitoring.events.models import ProductionEvent
from evalapp.monitoring.events.reading import token_of_event
from evalapp.monitoring.models import Stream


def rows_of_events(
    stream: Stream,
    events: Sequence[ProductionEvent],
    *,
    split: str,
    metadata: Mapping[str, str] | None = None,
) -> Iterator[ExampleRow]:
    """Dataset rows of the events' prompts and contexts, in order, with placeholders resolved where they were
    masked.

    ``events`` come with their keys; ``metadata`` is added to each row's metadata.
    """
    tokens = {each.pk: token_of_event(stream, each.key.external_id) for each in events}
    entries = VaultEntry.objects.filter(project=stream.project_id, token__in=tokens.values())
    masked = set(entries.values_list("token", flat=True))
    for each in events:
        token = tokens[each.pk]
        yield ExampleRow(
            split=split,
            messages=each.messages,
            conversation=each.conversation,
            context=each.context,
            metadata={**each.fields, **(metadata or {})},
            provenance={
                "stream": stream.pk,
                "external_id": each.key.external_id,
                **({ENTRY: str(token)} if token in masked else {}),
            },
        )
