"""More small models of goldens/chains: loops, windows, sinks, biases, partial rotations, norms that stand after a
sublayer, and what streams, scores and logits are multiplied with. First one for each word, then words that could
go wrong together.
"""

from chains import MLA, YARN, delta, entry

PLAIN = "moe(k=2, experts=4, hidden=4)"
DENSE = "dense(hidden=6)"


def model():
    yield entry("embedding_multiplier", "Embeddings are multiplied on their way in.", DENSE, ("=3.0", "=1.0"),
                layers=1, more=["embedding = tokens(multiplier=3.0)"])
    yield entry("logits_scaling", "Logits are divided.", DENSE, ("=4.0", "=1.0"),
                layers=1, more=["embedding = tokens(logits_scaling=4.0)"])
    yield entry("embedding_scaled_tied", "The one table is multiplied on the way in and its products divided on the way out.",
                DENSE, ("multiplier=3.0", "multiplier=1.0"), ("scaling=4.0", "scaling=1.0"), layers=1,
                more=["embedding = tokens(tied=true, multiplier=3.0, logits_scaling=4.0)"])

    # Loops.
    yield entry("loop_one_layer", "The second layer runs three times.", "moe(k=1, experts=3, hidden=4)",
                ("loop[1] = 3", "loop[1] = 2"), ("loop[1]", "loop[0]"), more=["loop[1] = 3"])
    yield entry("loop_two_layers", "Two layers in the middle run in order, then again.", DENSE,
                ("[1..3]", "[0..2]"), ("[1..3] = 2", "[1..3] = 1"), layers=4, more=["loop[1..3] = 2"])
    yield entry("loop_two_loops", "A loop behind a loop, of unlike layers.", "moe(k=1, experts=3, hidden=4)",
                ("loop[0] = 2", "loop[0] = 1"), ("[1..3] = 3", "[1..3] = 1"), layers=3,
                more=["ffn[0] = dense(hidden=6)", "loop[0] = 2", "loop[1..3] = 3"])
    yield entry("loop_moe_balance", "Balance losses count in each pass.",
                "moe(k=2, experts=4, hidden=4, balance=[seq_aux(alpha=0.3), switch_aux(alpha=0.2), z_loss(alpha=0.05)])",
                ("[0..2] = 2", "[0..2] = 1"), more=["loop[0..2] = 2"])
    yield entry("loop_chain_bias", "Two layers with chains and selection biases run twice; a frozen gate routes once a pass.",
                delta("k=[2, 1], experts=4, gate=tied, balance=[bias(rate=0.01), seq_aux(alpha=0.3)]"),
                ("[1..3] = 2", "[1..3] = 1"), (", balance=bias(rate=0.01)", ""), ("gate=frozen", "gate=tied"), layers=3,
                more=["ffn[2]    = coe(iter=2, k=1, experts=4, hidden=4, gate=frozen, residual=both, balance=bias(rate=0.01))",
                      "loop[1..3] = 2"])
    # The identity of the definition but for the attention, which here adds something to the stream.
    yield entry("loop_of_moe_tied", "A looped mixture without a word of its own.", PLAIN, ("= 3", "= 2"),
                layers=1, attention="mha(heads=2, window=1)", more=["loop[0] = 3"])


def attention():
    def mha(name, comment, values, *unlike, rest="heads=2", layers=1, **more):
        return entry(name, comment, DENSE, *unlike, attention=f"mha({rest}, {values})", layers=layers, **more)

    def mla(name, comment, values, *unlike, **more):
        return entry(name, comment, DENSE, *unlike, attention=f"{MLA}, {values})", layers=1, **more)

    grouped = "heads=4, kv_heads=2, head_dim=4"

    # Biases.
    yield mha("mha_bias_o", "A bias on the output projection alone.", "bias=[o]", ("bias=[o]", "bias=false"))
    yield mha("mha_bias_two", "Biases on values and queries, said out of order.", "bias=[v, q]",
              ("[v, q]", "[q]"), ("[v, q]", "[v]"), rest=grouped)
    yield mha("mha_bias_four", "Biases on all four projections.", "bias=[q, k, v, o]", ("[q, k, v, o]", "true"), rest=grouped)
    yield mla("mla_bias", "Biases on both latents and the output.", "q_rank=5, bias=true",
              ("true", "[q_a, kv_a]"), ("true", "[q_a, o]"), ("true", "[kv_a, o]"))
    yield mla("mla_bias_direct", "Biases, with nothing for the latent of queries that is not there.", "bias=true",
              ("true", "[o]"), ("true", "[kv_a]"))
    yield mla("mla_bias_one", "A bias on the latent of keys and values alone.", "q_rank=5, bias=[kv_a]", ("[kv_a]", "false"))

    # Rotations.
    yield mha("mha_pairs", "Neighbouring dimensions turn together.", "pairs=neighbours", ("neighbours", "halves"),
              rest=grouped)
    yield mla("mla_pairs", "Halves of the rotary part turn together.", "pairs=halves, q_rank=5", ("halves", "neighbours"))
    yield mha("mha_rope_dim", "The first four of eight dimensions turn.", "head_dim=8, rope=rope(theta=50, dim=4)",
              ("dim=4)", "dim=8)"), ("dim=4)", "dim=6)"))
    yield mha("mha_rope_dim_pairs", "The first four of six dimensions turn, neighbours together.",
              "head_dim=6, rope=rope(theta=50, dim=4), pairs=neighbours", ("neighbours", "halves"), ("dim=4", "dim=6"))
    yield entry("mla_rope_dim", "The first four of a rotary part of eight turn.", DENSE, ("dim=4)", "dim=8)"), layers=1,
                attention=f"{MLA.replace('rope_dim=4', 'rope_dim=8')}, rope=rope(theta=50, dim=4))")
    yield mha("mha_yarn_dim", "YaRN over a part of each head: its ramp is that of the part.",
              f"head_dim=12, rope={YARN.replace('mscale=0.7', 'dim=8, mscale=0.7')}",
              ("dim=8", "dim=12"), ("factor=8", "factor=2"), ("mscale_all_dim=0.4", "mscale_all_dim=0"))
    yield mha("mha_yarn_untruncated", "YaRN whose ramp begins and ends between dimensions.",
              f"head_dim=8, rope={YARN.replace('mscale=0.7', 'truncate=false, mscale=0.7')}",
              ("truncate=false", "truncate=true"))
    yield mha("mha_qk_norm_after", "A norm on each head once it is turned.",
              "kv_heads=1, head_dim=6, qk_norm=head, qk_norm_at=after",
              ("after", "before"))
    yield mha("mha_qk_norm_full_after", "A norm over all heads once they are turned.", "qk_norm=full, qk_norm_at=after",
              ("after", "before"), rest=grouped)

    # Which tokens are seen.
    yield mha("mha_window", "A token sees itself and two before it.", "window=3", ("=3)", "=4)"), ("=3)", "=2)"), layers=2)
    yield mha("mha_window_one", "A token sees only itself.", "window=1", ("window=1", "window=2"))
    yield mha("mha_window_wide", "A window wider than the text hides nothing.", "window=9", ("window=9", "window=6"))
    yield mha("mha_sinks", "A score for each head that holds no value.", "sinks=true", ("true", "false"), rest=grouped)
    yield mla("mla_window", "A window on latent attention.", "window=2", ("window=2", "window=3"),
              ("window=2", "window=none"))
    yield mla("mla_sinks", "Sinks in latent attention.", "q_rank=5, sinks=true", ("true", "false"))

    # Scales, norms, streams.
    yield mha("mha_scale", "A scale of its own on the scores.", "scale=0.9", ("scale=0.9", "scale=0.5"))
    yield mha("mha_scale_yarn", "YaRN's factor on the scores multiplies a scale that is given.",
              f"head_dim=8, scale=0.9, rope={YARN}", (", scale=0.9", ""), ("factor=8", "factor=2"))
    yield mla("mla_scale", "A scale of its own on the scores of latent attention, and YaRN's.", f"scale=0.9, rope={YARN}",
              (", scale=0.9", ""), ("mscale_all_dim=0.4", "mscale_all_dim=0"))
    yield mla("mla_latent_eps", "An eps of the latents' norms that is not the model's.", "q_rank=5, latent_eps=0.3",
              (", latent_eps=0.3", ""), ("eps=0.2", "eps=0.1"), more=["norm      = rms(eps=0.2)"])
    yield mha("mha_norm_after", "The norm is of what attention makes.", "norm_at=after", ("after", "before"))
    yield mla("mla_norm_after", "The norm is of what latent attention makes.", "norm_at=after", ("after", "before"))
    yield mha("mha_multiplier", "Less than all of what attention makes joins the stream.", "multiplier=0.3", ("0.3", "1.0"))
    yield mla("mla_multiplier", "More than all of what latent attention makes joins the stream.", "multiplier=1.6",
              ("1.6", "1.0"))


def sublayers():
    # Biases of experts.
    yield entry("expert_bias", "Biases in each expert and in the shared ones; an expert's weight weighs its last too.",
                "moe(k=2, experts=4, shared=2, hidden=4, bias=true)", ("bias=true", "bias=false"), layers=1)
    yield entry("expert_bias_chain", "Biases of experts and a gated shared one in each iteration.",
                delta("k=2, experts=4, shared=1, shared_gate=sigmoid, bias=true, router=softmax(renorm=true, scale=1.7)"),
                ("bias=true", "bias=false"), layers=1)
    yield entry("expert_bias_relu2", "Biases of experts without a gate.",
                "moe(k=2, experts=4, shared=1, hidden=4, act=relu2, bias=true)", ("bias=true", "bias=false"), layers=1)
    yield entry("dense_bias", "Biases in a dense layer.", "dense(hidden=6, bias=true)", ("true", "false"), layers=1)
    yield entry("dense_bias_gelu", "Biases in a dense layer without a gate.", "dense(hidden=6, act=gelu, bias=true)",
                ("true", "false"), layers=1)
    # Loud, so that gates and what they gate pass the limits.
    yield entry("act_clamped", "Experts and a shared one with gpt-oss's activation, beyond its limits.",
                "moe(k=2, experts=4, shared=1, hidden=4, act=clamped)", ("clamped", "swiglu"), layers=1, loud=4.0)
    yield entry("act_clamped_bias", "The same with biases, in a chain.",
                delta("k=[2, 1], experts=4, act=clamped, bias=true"), ("clamped", "swiglu"), layers=1, loud=4.0)
    yield entry("dense_clamped", "A dense layer with gpt-oss's activation, beyond its limits.",
                "dense(hidden=6, act=clamped)", ("clamped", "swiglu"), layers=1, loud=4.0)

    # Routers' biases.
    for gate in ("independent", "tied", "frozen"):
        yield entry(f"router_bias_{gate}", f"A bias of each router, gate={gate}.",
                    delta(f"k=2, experts=4, gate={gate}, router=softmax(bias=true), balance=z_loss(alpha=0.1)", 3),
                    ("(bias=true)", "()"), layers=1)
    yield entry("router_bias_moe", "A bias of the one router, renormed after.",
                "moe(k=2, experts=4, hidden=4, router=softmax(bias=true, renorm=true))", ("bias=true, ", ""), layers=1)
    yield entry("router_bias_sigmoid",
                "A router's bias is in its scores, a selection bias only in its choice; groups see both.",
                "moe(k=2, experts=6, hidden=4, balance=[bias(rate=0.01), seq_aux(alpha=0.3)],\n"
                "                    router=sigmoid(bias=true, renorm=true, scale=2.0, groups=3, keep=2, group_score=top2))",
                ("bias=true, ", ""), ("bias(rate=0.01), ", ""), layers=1)

    # The norm after.
    yield entry("moe_norm_after", "The norm is of what the experts make, shared ones too.",
                "moe(k=2, experts=4, shared=1, hidden=4, norm_at=after)", ("after", "before"), layers=1)
    yield entry("dense_norm_after", "The norm is of what a dense layer makes.", "dense(hidden=6, norm_at=after)",
                ("after", "before"), layers=1)
    yield entry("chain_outer_norm_after", "A chain that starts from the stream; the norm is of its last state.",
                "coe(iter=3, k=[2, 1, 1], experts=4, shared=1, hidden=4, residual=outer, norm_at=after)",
                ("after", "before"), ("outer", "delta"), layers=1)
    yield entry("chain_delta_norm_after", "A chain that starts from the stream; the norm is of all that its experts made.",
                "coe(iter=2, k=2, experts=4, shared=1, hidden=4, residual=delta, norm_at=after)",
                ("after", "before"), ("delta", "outer"), layers=1)

    # What joins the stream.
    for residual in ("outer", "both", "delta"):
        yield entry(f"chain_{residual}_multiplier", f"A part of a chain joins the stream, residual={residual}.",
                    f"coe(iter=2, k=2, experts=4, shared=1, hidden=4, residual={residual}, multiplier=0.3)",
                    ("0.3", "1.0"), layers=1)
    for norm in ("each", "tied"):
        yield entry(f"chain_{norm}_outer_multiplier", f"A part of a chain joins the stream, norm={norm}.",
                    f"coe(iter=2, k=2, experts=4, hidden=4, norm={norm}, residual=outer, multiplier=0.3)",
                    ("0.3", "1.0"), layers=1)
    yield entry("moe_multiplier", "More than all of a mixture joins the stream.",
                "moe(k=2, experts=4, hidden=4, multiplier=1.6)", ("1.6", "1.0"), layers=1)
    yield entry("dense_multiplier", "A part of a dense layer joins the stream.", "dense(hidden=6, multiplier=0.3)",
                ("0.3", "1.0"), layers=1)


def together():
    yield entry("partial_neighbours_norm_after",
                "Part of each head turns, neighbours together, and then all of it is normed.", DENSE,
                ("dim=4", "dim=6"), ("neighbours", "halves"), ("at=after", "at=before"), layers=1,
                attention="mha(heads=4, kv_heads=2, head_dim=6, rope=rope(theta=50, dim=4), pairs=neighbours,\n"
                          "                    qk_norm=head, qk_norm_at=after, bias=[q, k])")
    yield entry("partial_neighbours_full_norm_after", "The same with the norm over all heads.", DENSE,
                ("dim=4", "dim=6"), ("neighbours", "halves"), ("at=after", "at=before"), layers=1,
                attention="mha(heads=4, kv_heads=2, head_dim=6, rope=rope(theta=50, dim=4), pairs=neighbours,\n"
                          "                    qk_norm=full, qk_norm_at=after)")
    yield entry("window_sinks_grouped", "Windows and sinks of grouped heads, every second layer without a window.", DENSE,
                ("window=3", "window=4"), ("sinks=true", "sinks=false"),
                attention="mha(heads=4, kv_heads=2, head_dim=4, window=3, sinks=true, bias=[q, k, v, o])",
                more=["attention[every 2] = mha(heads=4, kv_heads=1, head_dim=4, sinks=true, scale=0.8)"])
    yield entry("yarn_untruncated_dim",
                "YaRN with an unrounded ramp over a part of each head, and a factor on the scores of all of it.",
                DENSE, ("truncate=false", "truncate=true"), ("dim=8", "dim=10"), ("mscale_all_dim=0.4", "mscale_all_dim=0"),
                ("window=4, ", ""), layers=1,
                attention="mha(heads=2, head_dim=10, window=4, sinks=true, pairs=neighbours,\n                    rope="
                          + YARN.strip().replace("mscale=0.7", "truncate=false, dim=8, mscale=0.7") + ")")
    yield entry("mla_together", "Latent attention with a window, sinks, an eps of its latents and some biases.", DENSE,
                ("window=3", "window=4"), ("sinks=true", "sinks=false"), ("latent_eps=0.3", "latent_eps=0.1"),
                ("[q_a, o]", "[o]"), ("dim=4", "dim=6"), ("halves", "neighbours"), layers=1,
                attention="mla(heads=2, kv_rank=6, q_rank=5, nope=4, rope_dim=6, value=6, rope=rope(theta=50, dim=4),\n"
                          "                    pairs=halves, window=3, sinks=true, latent_eps=0.3, bias=[q_a, o])")
    yield entry("biases_everywhere", "Every bias there is, behind a norm over all queries and keys.",
                "coe(iter=2, k=2, experts=4, shared=1, hidden=4, residual=outer, bias=true, router=sigmoid(bias=true),\n"
                "                    balance=bias(rate=0.01))",
                ("router=sigmoid(bias=true)", "router=sigmoid()"), ("[q, k, v, o]", "[o]"),
                attention="mha(heads=4, kv_heads=2, head_dim=4, qk_norm=full, bias=[q, k, v, o])",
                more=["attention[1] = mla(heads=2, kv_rank=6, q_rank=5, nope=4, rope_dim=4, value=6, bias=true)",
                      "ffn[1]    = dense(hidden=6, bias=true)"])
    yield entry("norm_after_multiplier",
                "What the norm after a sublayer makes is multiplied, a chain's and attention's and a dense layer's.",
                "coe(iter=2, k=2, experts=4, hidden=4, residual=delta, norm_at=after, multiplier=0.4, bias=true)",
                ("multiplier=0.4", "multiplier=1.0"), ("multiplier=0.7", "multiplier=1.0"),
                ("multiplier=1.5", "multiplier=1.0"),
                attention="mha(heads=2, norm_at=after, multiplier=0.7, qk_norm=full)",
                more=["ffn[1]    = dense(hidden=6, norm_at=after, multiplier=1.5)", "norm      = rms(eps=0.05)"])
    yield entry("looped_together", "A loop of unlike layers under a tied and scaled embedding, frozen and tied gates inside.",
                "coe(iter=2, k=1, experts=4, hidden=4, residual=outer, gate=tied, norm_at=after, multiplier=0.4,\n"
                "                    router=softmax(bias=true), balance=[bias(rate=0.01), z_loss(alpha=0.1)])",
                ("[1..3] = 2", "[1..3] = 1"), ("window=2", "window=3"), ("multiplier=0.4", "multiplier=1.0"), layers=3,
                attention="mha(heads=2, window=2, sinks=true, multiplier=0.7)",
                more=["ffn[2]    = coe(iter=2, k=2, experts=4, hidden=4, residual=delta, gate=frozen, act=clamped,\n"
                      "                    balance=seq_aux(alpha=0.3))",
                      "attention[2] = mla(heads=2, kv_rank=6, nope=4, rope_dim=4, value=6, window=3)",
                      "embedding = tokens(tied=true, multiplier=2.0, logits_scaling=1.5)",
                      "loop[1..3] = 2"])
    yield entry("gpt_oss_chain", "What gpt-oss has, in a chain.",
                "coe(iter=2, k=2, experts=4, hidden=4, norm=each, act=clamped, bias=true, router=softmax(bias=true, renorm=true))",
                ("window=3", "window=4"), ("truncate=false", "truncate=true"), ("clamped", "swiglu"),
                ("renorm=true", "renorm=false"),
                attention="mha(heads=4, kv_heads=2, head_dim=8, bias=[q, k, v, o], window=3, sinks=true,\n"
                          "                    rope=yarn(theta=100, factor=8, original=64, beta_fast=4, truncate=false))",
                more=["attention[1] = mha(heads=4, kv_heads=2, head_dim=8, bias=[q, k, v, o], sinks=true,\n"
                      "                    rope=yarn(theta=100, factor=8, original=64, beta_fast=4, truncate=false))"],
                loud=3.0)


def entries():
    return [*model(), *attention(), *sublayers(), *together()]
