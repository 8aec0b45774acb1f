"""The settings of a coec model: `model` is the compiled spec, word for word, and everything else follows from it."""

from transformers import PreTrainedConfig


def one_kind(block):
    """The kind of a block that is an object of one key, and what it says."""
    ((kind, values),) = block.items()
    return kind, values


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
            self.tie_word_embeddings = self.model["embedding"]["tied"]
        super().__post_init__(**kwargs)

    @property
    def layers(self):
        """Each layer's attention and feed-forward block, `(kind, values)` each, in the order they run."""
        kinds = [(one_kind(kind["attention"]), one_kind(kind["ffn"])) for kind in self.model["layers"]["kinds"]]
        return [kinds[number] for number in self.model["layers"]["order"]]

    @property
    def passes(self):
        """The layers in the order they run, one of a loop as often as it runs."""
        loops = {one["start"]: one for one in self.model["layers"].get("loops", ())}
        passes, number = [], 0
        while number < self.num_hidden_layers:
            one = loops.get(number, {"end": number + 1, "times": 1})
            passes += list(range(number, one["end"])) * one["times"]
            number = one["end"]
        return passes

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
            inner = "gate_up_proj" if ffn["act"] in ("swiglu", "geglu", "clamped") else "up_proj"
            for tensor in (inner, "down_proj"):
                plan[f"layers.*.mlp.experts.{tensor}"] = "grouped_gemm"
                if ffn["bias"]:
                    plan[f"layers.*.mlp.experts.{tensor}_bias"] = "grouped_gemm"
            plan["layers.*.mlp.experts"] = "ep_dispatch_experts"
        return plan
