"""ROUGE, equal to the last bit to rouge-score 0.1.2."""
from collections.abc import Sequence
from dataclasses import dataclass
from evalapp.measure import Measure

@dataclass(frozen=True, slots=True, kw_only=True)
class RougeOptions:
    variants: tuple[str, ...] = ("rouge1", "rouge2", "rougeL")
    stemmer: bool = True
    tokenizer: str = "english"  # or "unicode", "characters"

def rouge(output: str, references: Sequence[str], options: RougeOptions) -> dict[str, Measure]:
    raise NotImplementedError

def rouge_batch(outputs: Sequence[str], references: Sequence[Sequence[str]], options: RougeOptions) -> list[dict[str, Measure]]:
    raise NotImplementedError

@dataclass(frozen=True, slots=True, kw_only=True)
class OracleCheck:
    checked: int
    differences: tuple[str, ...]
    oracle: str
    seed: int

def check_against_oracle(outputs: Sequence[str], references: Sequence[Sequence[str]], options: RougeOptions, *, seed: int, sample: int = 50) -> OracleCheck:
    raise NotImplementedError
