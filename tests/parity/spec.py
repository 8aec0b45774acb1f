"""Reads the part of the .coe language that the goldens use, and fills in the defaults.

A reader of its own, so that the reference takes a spec's meaning from its text and not
from the compiler it is there to check.
"""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"\s+|//[^\n]*|(?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<word>[A-Za-z_]\w*)|(?P<mark>\.\.|[{}()\[\]=,])")


@dataclass
class Call:
    """A word with named values: `softmax(renorm=true)`."""

    word: str
    values: dict = field(default_factory=dict)

    def __getattr__(self, name):
        return self.__dict__["values"][name]


@dataclass
class Layer:
    attention: Call
    ffn: Call


@dataclass
class Spec:
    name: str
    vocab: int
    dim: int
    eps: float
    tied: bool
    layers: list


DEFAULTS = {
    "rms": {"eps": 1e-6},
    "tokens": {"tied": False},
    "rope": {"theta": 10000},
    "yarn": {"theta": 10000, "beta_fast": 32, "beta_slow": 1, "mscale": 1, "mscale_all_dim": 0},
    "mha": {"kv_heads": None, "head_dim": None, "rope": Call("rope"), "qk_norm": "none", "bias": False},
    "mla": {"heads": 8, "kv_rank": 512, "q_rank": "none", "nope": 128, "rope_dim": 64, "value": 128, "rope": Call("rope")},
    "dense": {"hidden": 704, "act": "swiglu"},
    "coe": {
        "shared": 0, "hidden": 704, "act": "swiglu", "residual": "inner", "gate": "independent", "norm": "once",
        "shared_at": "each", "shared_gate": "none", "router": Call("softmax"), "balance": "none",
    },
    "softmax": {"renorm": False, "scale": 1.0, "groups": None, "keep": None, "group_score": "max"},
}
DEFAULTS["sigmoid"] = DEFAULTS["softmax"]
MODEL = {"vocab": 102400, "dim": 1024, "layers": 4, "norm": Call("rms"), "embedding": Call("tokens"), "attention": Call("mla")}


def fill(value):
    """Gives a call, and every call inside it, the values that were left out."""
    if isinstance(value, list):
        return [fill(item) for item in value]
    if not isinstance(value, Call):
        return value
    given = dict(value.values)
    word = value.word
    if word == "moe":
        # The ordinary pre-norm mixture is a chain of one iteration.
        word, given = "coe", {"iter": 1, "residual": "outer", **given}
    filled = {**DEFAULTS.get(word, {}), **given}
    return Call(word, {key: fill(item) for key, item in filled.items()})


class Reader:
    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None:
                raise ValueError(f"cannot read {text[at:at + 20]!r}")
            at = match.end()
            if match.lastgroup:
                self.tokens.append((match.lastgroup, match.group()))
        self.at = 0

    def peek(self):
        return self.tokens[self.at][1] if self.at < len(self.tokens) else None

    def take(self, expected=None):
        kind, text = self.tokens[self.at]
        if expected is not None and text != expected:
            raise ValueError(f"expected {expected!r}, found {text!r}")
        self.at += 1
        return kind, text

    def value(self):
        kind, text = self.take()
        if kind == "number":
            return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
        if text == "[":
            items = []
            while self.peek() != "]":
                items.append(self.value())
                if self.peek() == ",":
                    self.take()
            self.take("]")
            return items
        if text in ("true", "false"):
            return text == "true"
        if self.peek() != "(":
            return text
        self.take("(")
        values = {}
        while self.peek() != ")":
            key = self.take()[1]
            self.take("=")
            values[key] = self.value()
            if self.peek() == ",":
                self.take()
        self.take(")")
        return Call(text, values)

    def index(self, layers):
        self.take("[")
        if self.peek() == "every":
            self.take()
            step = int(self.take()[1])
            chosen = range(0, layers, step)
        else:
            first = int(self.take()[1])
            last = first + 1
            if self.peek() == "..":
                self.take()
                last = int(self.take()[1])
            chosen = range(first, last)
        self.take("]")
        return chosen


def read(text):
    """The model of a text that holds one model."""
    reader = Reader(text)
    reader.take("model")
    name = reader.take()[1]
    reader.take("{")
    fields, overrides = dict(MODEL), []
    while reader.peek() != "}":
        key = reader.take()[1]
        # An index may need the number of layers, which may be said further down.
        mark = reader.at
        if reader.peek() == "[":
            reader.index(0)
        indexed = reader.at > mark
        reader.take("=")
        value = fill(reader.value())
        if indexed:
            overrides.append((key, mark, value))
        else:
            fields[key] = value
    fields = {key: fill(value) for key, value in fields.items()}
    layers = [Layer(fields["attention"], fields["ffn"]) for _ in range(fields["layers"])]
    for key, mark, value in overrides:
        reader.at = mark
        for layer in reader.index(len(layers)):
            setattr(layers[layer], key, value)
    for layer in layers:
        heads_of(layer.attention, fields["dim"])
    return Spec(name, fields["vocab"], fields["dim"], fields["norm"].eps, fields["embedding"].tied, layers)


def heads_of(attention, dim):
    """The defaults of `mha` that depend on its other values."""
    if attention.word == "mha":
        values = attention.values
        values["kv_heads"] = values["kv_heads"] or values["heads"]
        values["head_dim"] = values["head_dim"] or dim // values["heads"]
