"""Advice on training settings, with its sources."""

from collections.abc import Iterator
from typing import NamedTuple

from training.spec import Method

FEW_ROWS = 200
OFTEN_REQUIRED_ROWS = 10_000


class Source(NamedTuple):
    words: str
    url: str


class Advice(NamedTuple):
    text: str
    sources: tuple[Source, ...] = ()


LIMA = Source("Zhou et al. 2023, LIMA", "https://arxiv.org/abs/2305.11206")
LORA = Source("Hu et al. 2021, LoRA", "https://arxiv.org/abs/2106.09685")
LORA_LEARNS_LESS = Source(
    "Biderman et al. 2024, LoRA Learns Less and Forgets Less", "https://arxiv.org/abs/2405.09673"
)
QLORA = Source("Dettmers et al. 2023, QLoRA", "https://arxiv.org/abs/2305.14314")


def advice(*, rows: int, method: Method, truncated: int, longest: int, context: int) -> list[Advice]:
    """Advice for a training on ``rows`` rows; ``truncated`` of all rows are truncated, the longest has
    ``longest`` tokens, and the base reads ``context``.
    """
    return [
        *_advice_on_truncation(truncated, longest, context),
        *_advice_on_rows(rows),
        *_advice_on_method(method),
    ]


def _advice_on_truncation(truncated: int, longest: int, context: int) -> Iterator[Advice]:
    if not truncated:
        return
    way = (
        f"Set “Longest row in tokens” to {longest:,} to keep all, if the memory is enough, or shorten these"
        " rows."
        if longest <= context
        else (
            f"The base reads at most {context:,} tokens and the longest row has {longest:,}: shorten these"
            " rows, or choose a base that reads more."
        )
    )
    yield Advice(
        f"{truncated:,} {'row loses' if truncated == 1 else 'rows lose'} the end of an answer, so the model"
        f" does not learn how it ends. {way}"
    )


def _advice_on_rows(rows: int) -> Iterator[Advice]:
    curve = (
        "Train on a quarter, on half and on all of the rows: if the score still rises at the end, more rows"
        " help."
    )
    if rows < FEW_ROWS:
        yield Advice(
            f"{rows:,} rows are few. They can teach a format or a tone but hardly new knowledge, and the"
            f" result depends on the chosen rows. {curve}",
            (LIMA,),
        )
    elif rows < OFTEN_REQUIRED_ROWS:
        yield Advice(
            f"10,000 examples are often recommended; there are {rows:,} here. LIMA was good with 1,000"
            f" carefully chosen ones, at 65 billion parameters. Your task may need another number. {curve}",
            (LIMA,),
        )
    else:
        yield Advice(
            f"{rows:,} rows are more than many tasks need: LIMA was good with 1,000 carefully chosen ones,"
            f" at 65 billion parameters. {curve}",
            (LIMA,),
        )


def _advice_on_method(method: Method) -> Iterator[Advice]:
    if method == "full":
        yield Advice(
            "Full fine-tuning can learn more from much data, and forgets more of what the base could do. The"
            " LoRA paper found an adapter on par on its tasks, at a small part of the memory. Train an"
            " adapter on the same rows and compare the two before you keep the full model.",
            (LORA, LORA_LEARNS_LESS),
        )
        return
    yield Advice(
        "An adapter is often said to come within 1–2% of full fine-tuning. It depends on the task: the LoRA"
        " paper found it on par, a later comparison found it behind on code and mathematics with much data,"
        " and less forgetful. If it falls short, raise the rank first, then compare with full fine-tuning.",
        (LORA, LORA_LEARNS_LESS),
    )
    if method == "qlora":
        yield Advice(
            "The adapter is trained on a base quantised to 4 bits and answers with the unquantised one. The"
            " QLoRA paper found 4 bits as good as 16 in training; evaluate the model that will be served.",
            (QLORA,),
        )
