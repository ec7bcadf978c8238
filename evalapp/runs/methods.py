"""The methods of training in words: what each is, and when to use it."""

from typing import NamedTuple

from training.spec import Method


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
        "LoRA that learns lengths and directions apart. For small ranks; slower, and it ends in a full"
        " model.",
    ),
    "qlora": Words(
        "QLoRA", "LoRA beside a base rounded to 4 bits. When the base does not fit into memory otherwise."
    ),
    "full": Words(
        "Full fine-tuning",
        "every weight. With much data, and memory for about 16 bytes a weight; it ends in a full model.",
    ),
}


def method_name_of(key: object) -> str:
    """The name, also of a key that another version of the product wrote."""
    words = dict[object, Words](METHODS.items()).get(key)
    return words.name if words else str(key or "")
