"""The methods and objectives of training in words: what each is, and when to use it."""

from typing import NamedTuple

from training.spec import Method, Objective


class Words(NamedTuple):
    name: str
    when: str

    @property
    def choice(self) -> str:
        return f"{self.name}: {self.when}"


METHODS: dict[Method, Words] = {
    "lora": Words("LoRA", "a small adapter beside the unchanged base. The usual choice."),
    "rslora": Words("rsLoRA", "LoRA that keeps its strength at high ranks. From rank 64 upwards."),
    "dora": Words(
        "DoRA",
        "LoRA that learns lengths and directions apart. For small ranks; slower, and it ends in a full model.",
    ),
    "qlora": Words(
        "QLoRA", "LoRA beside a base rounded to 4 bits. When the base does not fit into memory otherwise."
    ),
    "full": Words(
        "Full fine-tuning",
        "every weight. With much data, and memory for about 16 bytes a weight; it ends in a full model.",
    ),
}

OBJECTIVES: dict[Objective, Words] = {
    "sft": Words("SFT", "learn the given answers. First of all, and whenever there are good answers."),
    "dpo": Words(
        "DPO", "prefer the better of two answers. After SFT, with pairs from corrections or comparisons."
    ),
    "kto": Words(
        "KTO", "prefer answers rated good to those rated bad. When there are ratings, but few pairs."
    ),
}


def name_of(names: dict[Method, Words] | dict[Objective, Words], key: object) -> str:
    """The name, also of a key that another version of the product wrote."""
    words = dict[object, Words](names.items()).get(key)
    return words.name if words else str(key or "")
