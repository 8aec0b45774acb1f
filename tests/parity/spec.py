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
    # What embeddings are multiplied with, and what logits are divided by.
    multiplier: float
    logits_scaling: float
    layers: list
    # The layers in the order they run: those of a loop several times.
    order: list


SUBLAYER = {"bias": False, "norm_at": "before", "multiplier": 1.0}
ATTENTION = {**SUBLAYER, "window": "none", "sinks": False, "scale": None}
DEFAULTS = {
    "rms": {"eps": 1e-6},
    "tokens": {"tied": False, "multiplier": 1.0, "logits_scaling": 1.0},
    "rope": {"theta": 10000, "dim": "none"},
    "yarn": {
        "theta": 10000, "beta_fast": 32, "beta_slow": 1, "mscale": 1, "mscale_all_dim": 0, "truncate": True, "dim": "none",
    },
    "mha": {
        "kv_heads": None, "head_dim": None, "rope": Call("rope"), "qk_norm": "none", "pairs": "halves",
        "qk_norm_at": "before", **ATTENTION,
    },
    "mla": {
        "heads": 8, "kv_rank": 512, "q_rank": "none", "nope": 128, "rope_dim": 64, "value": 128, "rope": Call("rope"),
        "latent_eps": None, "pairs": "neighbours", **ATTENTION,
    },
    "dense": {"hidden": 704, "act": "swiglu", **SUBLAYER},
    "coe": {
        "shared": 0, "hidden": 704, "act": "swiglu", "residual": "inner", "gate": "independent", "norm": "once",
        "shared_at": "each", "shared_gate": "none", "router": Call("softmax"), "balance": "none", **SUBLAYER,
    },
    "softmax": {"renorm": False, "scale": 1.0, "groups": None, "keep": None, "group_score": "max", "bias": False},
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
    fields, overrides, loops = dict(MODEL), [], {}
    while reader.peek() != "}":
        key = reader.take()[1]
        # An index may need the number of layers, which may be said further down.
        mark = reader.at
        if reader.peek() == "[":
            reader.index(0)
        indexed = reader.at > mark
        reader.take("=")
        value = fill(reader.value())
        if key == "loop":
            after, reader.at = reader.at, mark
            chosen, reader.at = reader.index(0), after
            loops[chosen.start] = (chosen.stop, value)
        elif indexed:
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
        complete(layer.attention, fields["dim"], fields["norm"].eps)
        if layer.ffn.word == "coe":
            check(layer.ffn)
    embedding = fields["embedding"]
    return Spec(name, fields["vocab"], fields["dim"], fields["norm"].eps, embedding.tied, embedding.multiplier,
                embedding.logits_scaling, layers, running_order(len(layers), loops))


def complete(attention, dim, eps):
    """The defaults of an attention that depend on its other values, or on the model's."""
    values = attention.values
    if attention.word == "mha":
        values["kv_heads"] = values["kv_heads"] or values["heads"]
        values["head_dim"] = values["head_dim"] or dim // values["heads"]
        width, every = values["head_dim"], ["q", "k", "v"]
    else:
        width, every = values["nope"] + values["rope_dim"], ["q_a", "kv_a", "o"]
        values["latent_eps"] = eps if values["latent_eps"] is None else values["latent_eps"]
    values["scale"] = width**-0.5 if values["scale"] is None else values["scale"]
    if not isinstance(values["bias"], list):
        values["bias"] = every if values["bias"] else []


def check(ffn):
    """What the language refuses, so that no golden is of it."""
    if ffn.norm_at == "after" and not (ffn.norm == "once" and ffn.residual in ("outer", "delta")):
        raise ValueError("norm_at=after goes with norm=once and residual=outer or delta")
    if ffn.multiplier != 1 and ffn.residual not in ("outer", "both", "delta"):
        raise ValueError("a multiplier goes with residual=outer, both or delta")


def running_order(layers, loops):
    """The layers as they run: [0, 1, 2, 1, 2] of three under `loop[1..3] = 2`."""
    order, at = [], 0
    while at < layers:
        last, times = loops.get(at, (at + 1, 1))
        order += [*range(at, last)] * times
        at = last
    return order
