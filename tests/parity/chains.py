"""The small models of goldens/chains: every mode of the chain, then other words; words.py has the rest.

An entry is a spec, and the changes to its text that must change its result under the same
weights: a mechanism that did nothing would prove nothing.
"""

from dataclasses import dataclass


@dataclass
class Entry:
    name: str
    text: str
    unlike: list
    # All scores equal, so that every selection is a tie.
    flat_router: bool = False
    # What experts' gate and up projections are multiplied with, for values beyond an activation's limits.
    loud: float = 1.0


TEMPLATE = """/// {comment}
model {name} {{
    vocab     = 16
    context   = 16
    dim       = 8
    layers    = {layers}
    {fields}
}}
"""


def entry(name, comment, ffn, *unlike, attention="mha(heads=2)", layers=2, more=(), flat_router=False, loud=1.0):
    fields = [f"attention = {attention}", f"ffn       = {ffn}", *more]
    text = TEMPLATE.format(name=name, comment=comment, layers=layers, fields="\n    ".join(fields))
    return Entry(name, text, list(unlike), flat_router, loud)


RESIDUALS = {"once": ["inner", "outer", "both", "delta", "init", "none"]}
RESIDUALS["each"] = RESIDUALS["tied"] = ["inner", "init", "none", "outer"]
GATES = ["independent", "tied", "frozen"]


def modes():
    """Every residual, norm and gate that go together."""
    for norm, residuals in RESIDUALS.items():
        for residual in residuals:
            for gate in GATES:
                # Three iterations, since two cannot tell all modes apart; one layer, to keep the files small.
                unlike = [(f"residual={residual}", f"residual={other}") for other in residuals if other != residual]
                if gate != "independent":
                    unlike.append((f"gate={gate}", "gate=frozen" if gate == "tied" else "gate=tied"))
                yield entry(
                    f"chain_{norm}_{residual}_{gate}",
                    f"A chain with norm={norm}, residual={residual}, gate={gate}.",
                    f"coe(iter=3, k=2, experts=5, shared=1, hidden=4,\n"
                    f"                    residual={residual}, gate={gate}, norm={norm})",
                    *unlike,
                    layers=1,
                )


SIGMOID_GROUPS = "sigmoid(renorm=true, scale=2.5, groups=3, keep=2, group_score=top2)"
YARN = "\n                    yarn(theta=100, factor=8, original=64, beta_fast=4, beta_slow=1, mscale=0.7, mscale_all_dim=0.4)"
MLA = "mla(heads=2, kv_rank=6, nope=4, rope_dim=4, value=6"


def delta(rest, iterations=2):
    return f"coe(iter={iterations}, residual=delta, hidden=4, {rest})"


def words():
    plain = "moe(k=2, experts=4, hidden=4)"

    # Feed-forward: which layers, which activation.
    yield entry("dense", "Two dense layers.", "dense(hidden=12)")
    yield entry("moe", "The ordinary pre-norm mixture.", "moe(k=2, experts=6, hidden=4)")
    yield entry("moe_every_expert", "As many selected as there are.", "moe(k=4, experts=4, hidden=4)")
    yield entry("one_iteration", "A chain of one iteration numbers neither its router nor its norm.",
                "coe(iter=1, k=2, experts=5, hidden=4, norm=each)")
    yield entry("paper_baseline", "The baseline of the paper: one iteration that drops the stream.",
                "coe(iter=1, k=2, experts=5, shared=1, hidden=4, residual=inner)", ("inner", "outer"))
    for act in ("geglu", "gelu", "relu2"):
        yield entry(f"act_{act}", f"Experts and a shared expert with act={act}.",
                    delta(f"k=2, experts=5, shared=1, act={act}"))
        yield entry(f"dense_{act}", f"A dense layer with act={act}.", f"dense(hidden=12, act={act})", layers=1)

    # Attention.
    yield entry("mha_grouped", "Four query heads, wider than dim / heads, read two key-value heads.", plain,
                attention="mha(heads=4, kv_heads=2, head_dim=4, rope=rope(theta=50))")
    yield entry("mha_bias", "Biases on queries, keys and values.", plain, attention="mha(heads=2, bias=true)")
    yield entry("mha_qk_norm_head", "A norm on each query and key head.", plain,
                attention="mha(heads=2, kv_heads=1, head_dim=6, qk_norm=head)")
    yield entry("mha_qk_norm_full", "A norm over all queries and over all keys, behind biases.", plain,
                attention="mha(heads=4, kv_heads=2, head_dim=4, qk_norm=full, bias=true)")
    # mscale_all_dim is not among the changes here: where every dimension turns it cancels out of the scores.
    yield entry("mha_yarn", "YaRN on ordinary attention.", plain,
                ("mscale=0.7", "mscale=0.4"), ("original=64", "original=16"),
                ("beta_fast=4", "beta_fast=1"), ("factor=8", "factor=2"),
                attention=f"mha(heads=2, head_dim=8, rope={YARN})")
    yield entry("mha_yarn_defaults", "YaRN with what it takes when left alone.", plain,
                attention="mha(heads=2, head_dim=8, rope=yarn(factor=8, original=64))")
    yield entry("mla", "Latent attention, queries direct.", plain, attention=f"{MLA})")
    yield entry("mla_q_rank", "Latent attention, queries through a latent of their own.", plain,
                attention=f"{MLA}, q_rank=5, rope=rope(theta=50))")
    yield entry("mla_yarn", "YaRN on latent attention, the softmax scaled too.", plain,
                ("mscale_all_dim=0.4", "mscale_all_dim=0"), ("beta_slow=1", "beta_slow=3"), ("factor=8", "factor=2"),
                attention=f"{MLA.replace('rope_dim=4', 'rope_dim=8')}, rope={YARN})")
    yield entry("mla_yarn_q_rank", "YaRN with mscale = mscale_all_dim, as DeepSeek publishes it.", plain,
                attention=f"{MLA}, q_rank=5, rope={YARN.replace('mscale_all_dim=0.4', 'mscale_all_dim=0.7')})")

    # Routing.
    yield entry("router_renorm_scale", "Softmax, renormed, then scaled.",
                delta("k=2, experts=6, router=softmax(renorm=true, scale=1.7)"),
                ("renorm=true", "renorm=false"), ("scale=1.7", "scale=1.0"))
    yield entry("router_scale", "Softmax scaled but not renormed.",
                delta("k=2, experts=6, router=softmax(scale=3.5)"), ("scale=3.5", "scale=1.0"))
    yield entry("router_sigmoid", "Sigmoid scores.", delta("k=2, experts=6, router=sigmoid()"), ("sigmoid", "softmax"))
    yield entry("router_sigmoid_renorm_scale", "Sigmoid scores, renormed, then scaled.",
                delta("k=3, experts=6, router=sigmoid(renorm=true, scale=2.5)"),
                ("renorm=true", "renorm=false"), ("scale=2.5", "scale=1.0"))
    yield entry("groups_max", "Groups by their best expert, softmax, as DeepSeek-V2.",
                "moe(k=3, experts=8, hidden=4, router=softmax(scale=2, groups=4, keep=2, group_score=max))",
                ("group_score=max", "group_score=top2"), ("keep=2", "keep=4"))
    yield entry("groups_top2", "Groups by their two best experts, softmax.",
                delta("k=2, experts=6, router=softmax(groups=3, keep=1, group_score=top2)"),
                ("group_score=top2", "group_score=max"), ("keep=1", "keep=2"))
    yield entry("groups_max_bias", "Groups by the best biased score, sigmoid.",
                delta("k=3, experts=6, router=sigmoid(groups=3, keep=2), balance=bias(rate=0.01)"),
                ("balance=bias(rate=0.01)", "balance=none"), ("keep=2", "keep=3"))
    yield entry("groups_top2_bias", "Groups by the two best biased scores, sigmoid, as DeepSeek-V3.",
                f"moe(k=2, experts=6, shared=1, hidden=4, balance=bias(rate=0.01),\n"
                f"                    router={SIGMOID_GROUPS})",
                ("balance=bias(rate=0.01)", "balance=none"), ("top2", "max"), ("keep=2", "keep=3"))
    yield entry("k_list", "A k for each iteration.", delta("k=[3, 1, 2], experts=6", 3), ("[3, 1, 2]", "[1, 3, 2]"))
    yield entry("k_list_tied", "A k for each iteration of one router, with balance losses.",
                delta("k=[3, 1], experts=6, gate=tied, balance=[seq_aux(alpha=0.3), switch_aux(alpha=0.2)]"),
                ("[3, 1]", "[1, 3]"))

    yield entry("router_ties", "All scores equal, the router's weights being zero: the lower groups and experts win.",
                "moe(k=3, experts=6, hidden=4, router=softmax(groups=3, keep=2))", flat_router=True)

    # Shared experts.
    yield entry("shared_each", "Two shared experts in each iteration.", delta("k=1, experts=4, shared=2"),
                ("shared=2", "shared=2, shared_at=first"))
    yield entry("shared_first", "Shared experts in the first iteration only.",
                delta("k=1, experts=4, shared=2, shared_at=first"), ("first", "last"))
    yield entry("shared_last", "Shared experts in the last iteration only.",
                delta("k=1, experts=4, shared=1, shared_at=last", 3), ("last", "each"))
    yield entry("shared_gate", "A gate on the shared experts, as Qwen2-MoE.",
                "moe(k=2, experts=4, shared=3, hidden=4, shared_gate=sigmoid)")
    yield entry("shared_gate_chain", "One gate on the shared experts of each iteration.",
                delta("k=1, experts=4, shared=1, shared_gate=sigmoid"))
    yield entry("shared_gate_last", "A gated shared expert in the last iteration only.",
                delta("k=1, experts=4, shared=1, shared_gate=sigmoid, shared_at=last"), ("last", "first"))

    # Balance.
    for router in ("softmax", "sigmoid"):
        for term in ("seq_aux", "switch_aux", "z_loss"):
            yield entry(f"balance_{term}_{router}", f"The balance loss {term} over {router} scores.",
                        delta(f"k=2, experts=5, router={router}(), balance={term}(alpha=0.3)"), ("0.3", "0.0"))
    yield entry("balance_bias", "A selection bias for each iteration's router, softmax.",
                delta("k=2, experts=5, balance=bias(rate=0.01)"), ("balance=bias(rate=0.01)", "balance=none"))
    yield entry("balance_bias_tied", "One selection bias for the one router, sigmoid.",
                delta("k=2, experts=5, gate=tied, router=sigmoid(), balance=bias(rate=0.01)"),
                ("balance=bias(rate=0.01)", "balance=none"))
    yield entry("balance_together", "All balance terms at once.",
                delta("k=2, experts=5, router=softmax(renorm=true),\n                    "
                      "balance=[seq_aux(alpha=0.3), switch_aux(alpha=0.2), z_loss(alpha=0.05), bias(rate=0.01)]"),
                ("0.3", "0.0"), ("0.2", "0.0"), ("0.05", "0.0"), (", bias(rate=0.01)", ""))
    yield entry("balance_frozen", "Routed once, so the balance terms count once.",
                delta("k=2, experts=5, gate=frozen, balance=[seq_aux(alpha=0.3), z_loss(alpha=0.05), bias(rate=0.01)]", 3),
                ("gate=frozen", "gate=tied"))
    yield entry("balance_groups", "Balance losses see all experts, dropped groups included.",
                "moe(k=2, experts=6, hidden=4, router=softmax(groups=3, keep=1, group_score=max),\n"
                "                    balance=[seq_aux(alpha=0.3), switch_aux(alpha=0.2)])", ("keep=1", "keep=3"))

    # The model around it.
    yield entry("tied_embedding", "The output head is the embedding table.", plain,
                more=["embedding = tokens(tied=true)"])
    yield entry("norm_eps", "An eps large enough to see, in every norm.", plain,
                ("eps=0.2", "eps=0.1"), attention=f"{MLA}, q_rank=5)", more=["norm      = rms(eps=0.2)"])
    yield entry("override_ffn", "A dense first layer under a chain.", delta("k=2, experts=4"),
                more=["ffn[0]    = dense(hidden=12, act=geglu)"])
    yield entry("override_attention", "Another attention in the second layer.", plain,
                attention="mha(heads=2, qk_norm=head)", more=[f"attention[1..2] = {MLA})"])
    yield entry("override_every", "Chains of different kinds in every second layer.",
                "coe(iter=2, k=1, experts=4, hidden=4, norm=each, balance=z_loss(alpha=0.1))",
                layers=3, more=["ffn[every 2] = moe(k=2, experts=4, hidden=6, act=relu2, router=sigmoid())"])
    yield entry("everything", "Most of the language in one model.",
                "coe(iter=2, k=[2, 1], experts=6, shared=2, hidden=4, act=geglu, residual=outer, norm=tied,\n"
                "                    shared_at=last, shared_gate=sigmoid,\n"
                f"                    router={SIGMOID_GROUPS},\n"
                "                    balance=[bias(rate=0.01), seq_aux(alpha=0.3)])",
                ("top2", "max"), ("[2, 1]", "[1, 2]"),
                attention=f"{MLA}, q_rank=5, rope={YARN})",
                more=["norm      = rms(eps=0.001)", "embedding = tokens(tied=true)",
                      "attention[0] = mha(heads=2, kv_heads=1, head_dim=6, qk_norm=full, bias=true)",
                      "ffn[0]    = dense(hidden=6, act=gelu)"])


def entries():
    return [*modes(), *words()]
