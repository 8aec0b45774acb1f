"""The settings of a coec model: `model` is the compiled spec, word for word, and everything else follows from it.

A word that this file does not know would change what is computed, so it is an error and never skipped.
"""

from transformers import PreTrainedConfig

# What each block may say. A block of several kinds is an object with one key, the kind.
BLOCKS = {
    "model": ("name", "doc", "vocab", "context", "dim", "norm", "embedding", "layers"),
    "norm": ("eps",),
    "embedding": ("tied",),
    "layers": ("kinds", "order"),
    "layer": ("attention", "ffn"),
    "mha": ("heads", "kv_heads", "head_dim", "rope", "qk_norm", "bias"),
    "mla": ("heads", "kv_rank", "q_rank", "nope", "rope_dim", "value", "rope"),
    "rope": ("theta",),
    "yarn": ("theta", "factor", "original", "beta_fast", "beta_slow", "mscale", "mscale_all_dim"),
    "dense": ("hidden", "act"),
    "coe": (
        "iter", "k", "experts", "shared", "hidden", "act", "residual", "gate", "norm", "shared_at", "shared_gate",
        "router", "balance",
    ),
    "router": ("score", "renorm", "scale", "groups"),
    "groups": ("groups", "keep", "score"),
    "seq_aux": ("alpha",),
    "switch_aux": ("alpha",),
    "z_loss": ("alpha",),
    "bias": ("rate",),
}
KINDS = {
    "attention": ("mha", "mla"),
    "ffn": ("coe", "dense"),
    "rope": ("rope", "yarn"),
    "balance": ("seq_aux", "switch_aux", "z_loss", "bias"),
}
WORDS = {
    "qk_norm": ("none", "head", "full"),
    "act": ("swiglu", "geglu", "gelu", "relu2"),
    "residual": ("inner", "outer", "both", "delta", "init", "none"),
    "gate": ("independent", "tied", "frozen"),
    "norm of a chain": ("once", "each", "tied"),
    "shared_at": ("each", "first", "last"),
    "shared_gate": ("none", "sigmoid"),
    "score of a router": ("softmax", "sigmoid"),
    "score of groups": ("max", "top2"),
}
# Written only where there is something to say.
OPTIONAL = {"doc"}


def unknown(what):
    return ValueError(f"config.json says {what}, which this code does not know: written by a newer coec?")


def one_kind(block):
    """The kind of a block that is an object of one key, and what it says."""
    ((kind, values),) = block.items()
    return kind, values


def check_block(name, block):
    """That a block says what it must, and nothing that is not known."""
    known = BLOCKS[name]
    for word in block:
        if word not in known:
            raise unknown(f"`{word}` in `{name}`")
    for word in known:
        if word not in block and word not in OPTIONAL:
            raise ValueError(f"config.json lacks `{word}` in `{name}`")


def check_kind(name, block):
    kinds = list(block)
    if len(kinds) != 1 or kinds[0] not in KINDS[name]:
        raise unknown(f"{kinds} as `{name}`")
    check_block(*one_kind(block))
    return one_kind(block)


def check_word(name, word):
    if word not in WORDS[name]:
        raise unknown(f"`{word}` as {name}")


def check_model(model):
    """Raises where `model` says what the code beside this file does not compute."""
    check_block("model", model)
    for name in ("norm", "embedding", "layers"):
        check_block(name, model[name])
    for layer in model["layers"]["kinds"]:
        check_block("layer", layer)
        kind, attention = check_kind("attention", layer["attention"])
        check_kind("rope", attention["rope"])
        if kind == "mha":
            check_word("qk_norm", attention["qk_norm"])
        kind, ffn = check_kind("ffn", layer["ffn"])
        check_word("act", ffn["act"])
        if kind == "coe":
            check_chain(ffn)


def check_chain(ffn):
    for name in ("residual", "gate", "shared_at", "shared_gate"):
        check_word(name, ffn[name])
    check_word("norm of a chain", ffn["norm"])
    check_block("router", ffn["router"])
    check_word("score of a router", ffn["router"]["score"])
    if ffn["router"]["groups"] is not None:
        check_block("groups", ffn["router"]["groups"])
        check_word("score of groups", ffn["router"]["groups"]["score"])
    for term in ffn["balance"]:
        check_kind("balance", term)


class CoecConfig(PreTrainedConfig):
    """Attributes that libraries ask for are read from `model`, so that nothing is said twice."""

    model_type = "coec"

    model: dict | None = None
    tie_word_embeddings: bool = False
    use_cache: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None

    def __post_init__(self, **kwargs):
        if self.model is not None:
            check_model(self.model)
            self.tie_word_embeddings = self.model["embedding"]["tied"]
        super().__post_init__(**kwargs)

    @property
    def layers(self):
        """Each layer's attention and feed-forward block, `(kind, values)` each, in the order they run."""
        kinds = [(one_kind(kind["attention"]), one_kind(kind["ffn"])) for kind in self.model["layers"]["kinds"]]
        return [kinds[number] for number in self.model["layers"]["order"]]

    @property
    def chains(self):
        """The feed-forward blocks that have experts."""
        return [ffn for _, (kind, ffn) in self.layers if kind == "coe"]

    @property
    def hidden_size(self):
        return self.model["dim"]

    @property
    def vocab_size(self):
        return self.model["vocab"]

    @property
    def max_position_embeddings(self):
        return self.model["context"]

    @property
    def num_hidden_layers(self):
        return len(self.model["layers"]["order"])

    # Of models whose layers differ, these are the first layer's.

    @property
    def num_attention_heads(self):
        return self.layers[0][0][1]["heads"]

    @property
    def num_key_value_heads(self):
        (_, attention), _ = self.layers[0]
        return attention.get("kv_heads", attention["heads"])

    @property
    def head_dim(self):
        (kind, attention), _ = self.layers[0]
        return attention["head_dim"] if kind == "mha" else attention["nope"] + attention["rope_dim"]

    @property
    def num_experts(self):
        return self.chains[0]["experts"] if self.chains else 0

    @property
    def base_model_ep_plan(self):
        """Experts are spread over ranks, each whole; what has no gate has one projection less."""
        plan = {}
        for ffn in self.chains:
            inner = "gate_up_proj" if ffn["act"] in ("swiglu", "geglu") else "up_proj"
            for tensor in (inner, "down_proj"):
                plan[f"layers.*.mlp.experts.{tensor}"] = "grouped_gemm"
            plan["layers.*.mlp.experts"] = "ep_dispatch_experts"
        return plan
