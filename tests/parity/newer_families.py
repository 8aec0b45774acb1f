"""More of the families that `transformers` knows, by its classes or, under another name, by DeepSeek-V3's."""

import torch
import transformers

from families import COMMON, LATENT, Family, spec

GROUPED = {"num_key_value_heads": 2}
DEEPSEEK = {"intermediate_size": 12, "moe_intermediate_size": 4, "n_routed_experts": 6, "num_experts_per_tok": 3}
# What the files of Kimi-K2 and of JoyAI-LLM-Flash say of classes and of things that transformers does not read.
AUTHORS = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "auto_map": {
        "AutoConfig": "configuration_deepseek.DeepseekV3Config",
        "AutoModel": "modeling_deepseek.DeepseekV3Model",
        "AutoModelForCausalLM": "modeling_deepseek.DeepseekV3ForCausalLM",
    },
    "moe_layer_freq": 1,
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
}
# And what they do not say.
UNSAID = ("head_dim", "output_router_logits", "qk_head_dim", "rope_interleave")


# Hunyuan's theta under alpha = 50 with heads of 8: theta * alpha^(d / (d - 2)).
STRETCHED = str(10000 * 50 ** (8 / 6))


def rope(theta, **more):
    return {"rope_type": "default", "rope_theta": theta, **more}


def of_heads():
    """Ordinary attention."""
    yield Family(
        "dots1",
        transformers.Dots1Config(**COMMON, **GROUPED, **DEEPSEEK, num_hidden_layers=3, n_shared_experts=2,
                                 first_k_dense_replace=1, n_group=3, topk_group=2, norm_topk_prob=True,
                                 routed_scaling_factor=2.5, attention_bias=True, sliding_window=3, max_window_layers=2,
                                 rope_parameters=rope(10000000.0)),
        spec("dots1", "A small dots.llm1: a norm on each head, four biases, a window in the last layer.", 3,
             "attention = mha(heads=4, kv_heads=2, qk_norm=head, bias=[q, k, v, o], rope=rope(theta=10000000))",
             "ffn       = moe(k=3, experts=6, shared=2, hidden=4, balance=bias(rate=0.001),",
             "                router=sigmoid(renorm=true, scale=2.5, groups=3, keep=2, group_score=top2))",
             "ffn[0]    = dense(hidden=12)",
             "attention[2] = mha(heads=4, kv_heads=2, qk_norm=head, bias=[q, k, v, o], rope=rope(theta=10000000), window=3)"),
        unlike=[("window=3", "window=4"), ("keep=2", "keep=3"), ("balance=bias(rate=0.001)", "balance=none")],
    )
    glm = {**COMMON, **GROUPED, **DEEPSEEK, "num_hidden_layers": 2, "head_dim": 8, "attention_bias": True}
    yield Family(
        "glm4_moe",
        transformers.Glm4MoeConfig(**glm, routed_scaling_factor=2.5, use_qk_norm=True, rms_norm_eps=0.01,
                                   rope_parameters=rope(1000000.0, partial_rotary_factor=0.5)),
        spec("glm4_moe", "A small GLM-4.5: half of each head turns, behind biases and a norm on each head.", 2,
             "norm      = rms(eps=0.01)",
             "attention = mha(heads=4, kv_heads=2, head_dim=8, qk_norm=head, bias=true, rope=rope(theta=1000000, dim=4))",
             "ffn       = moe(k=3, experts=6, shared=1, hidden=4, balance=bias(rate=0.001),",
             "                router=sigmoid(renorm=true, scale=2.5))",
             "ffn[0]    = dense(hidden=12)"),
        old_keys=True,
        unlike=[("dim=4", "dim=8"), ("balance=bias(rate=0.001)", "balance=none")],
    )
    yield Family(
        "glm4_moe_yarn",
        transformers.Glm4MoeConfig(**glm, n_shared_experts=2, first_k_dense_replace=0, n_group=2, topk_group=1,
                                   rope_parameters={"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "beta_fast": 4.0,
                                                    "beta_slow": 1.0, "original_max_position_embeddings": 64,
                                                    "partial_rotary_factor": 0.75}),
        spec("glm4_moe_yarn", "A small GLM-4.5-Air with YaRN over three quarters of each head, and groups.", 2,
             "norm      = rms(eps=1e-5)",
             "attention = mha(heads=4, kv_heads=2, head_dim=8, bias=true,",
             "                rope=yarn(theta=100, factor=4, original=64, beta_fast=4, beta_slow=1, dim=6))",
             "ffn       = moe(k=3, experts=6, shared=2, hidden=4, balance=bias(rate=0.001),",
             "                router=sigmoid(renorm=true, groups=2, keep=1, group_score=top2))"),
        unlike=[("dim=6", "dim=8"), ("factor=4", "factor=2"), ("keep=1", "keep=2"),
                ("balance=bias(rate=0.001)", "balance=none")],
    )
    yield Family(
        "minimax_m2",
        transformers.MiniMaxM2Config(**COMMON, **GROUPED, num_hidden_layers=2, head_dim=8, rotary_dim=4, intermediate_size=4,
                                     num_local_experts=6, num_experts_per_tok=3),
        spec("minimax_m2", "A small MiniMax-M2: half of each head turns, a norm over all queries and over all keys.", 2,
             "attention = mha(heads=4, kv_heads=2, head_dim=8, qk_norm=full, rope=rope(theta=5000000, dim=4))",
             "ffn       = moe(k=3, experts=6, hidden=4, balance=bias(rate=0.001), router=sigmoid(renorm=true))"),
        old_keys=True,
        unlike=[("dim=4", "dim=8"), ("balance=bias(rate=0.001)", "balance=none")],
        published={"attn_type_list": [1, 1], "qk_norm_type": "per_layer", "use_qk_norm": True, "scoring_func": "sigmoid",
                   "use_routing_bias": True, "shared_intermediate_size": 0, "mtp_transformer_layers": 1,
                   "num_mtp_modules": 3, "use_mtp": True},
    )
    yield Family(
        "ernie4_5_moe",
        transformers.Ernie4_5_MoeConfig(**COMMON, **GROUPED, num_hidden_layers=4, intermediate_size=6,
                                        moe_intermediate_size=4, moe_num_experts=6, moe_k=3, moe_layer_start_index=1,
                                        moe_layer_end_index=2, moe_layer_interval=2),
        spec("ernie4_5_moe",
             "A small ERNIE-4.5: neighbours turn, selection biases on a softmax, tied, experts in one layer.", 4,
             "norm      = rms(eps=1e-5)",
             "embedding = tokens(tied=true)",
             "attention = mha(heads=4, kv_heads=2, pairs=neighbours, rope=rope(theta=500000))",
             "ffn       = dense(hidden=6)",
             "ffn[1]    = moe(k=3, experts=6, shared=2, hidden=4, balance=bias(rate=0.001), router=softmax(renorm=true))"),
        unlike=[("neighbours", "halves"), ("balance=bias(rate=0.001)", "balance=none")],
    )
    yield Family(
        "hunyuan_v1_moe",
        transformers.HunYuanMoEV1Config(**COMMON, **GROUPED, num_hidden_layers=2, head_dim=8, intermediate_size=4,
                                        num_experts=6, moe_topk=[3, 2], tie_word_embeddings=True,
                                        rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "alpha": 50.0,
                                                         "beta_fast": 32, "beta_slow": 1, "factor": 1.0, "mscale": 1.0,
                                                         "mscale_all_dim": 1.0}),
        spec("hunyuan_v1_moe",
             "A small Hunyuan-A13B: heads are normed once turned, a stretched theta, a k of each layer, tied.", 2,
             "norm      = rms(eps=1e-5)",
             "embedding = tokens(tied=true)",
             f"attention = mha(heads=4, kv_heads=2, head_dim=8, qk_norm=head, qk_norm_at=after, rope=rope(theta={STRETCHED}))",
             "ffn       = moe(k=2, experts=6, shared=1, hidden=4, router=softmax(renorm=true))",
             "ffn[0]    = moe(k=3, experts=6, shared=1, hidden=4, router=softmax(renorm=true))"),
        old_keys=True,
        unlike=[("at=after", "at=before"), ("k=3", "k=2"), (STRETCHED, "10000")],
        published={"attention_head_dim": 8, "moe_intermediate_size": [4, 4], "num_shared_expert": [1, 1], "use_qk_norm": True,
                   "use_mixed_mlp_moe": True, "norm_topk_prob": True, "routed_scaling_factor": 1.0, "use_cla": False,
                   "cla_share_factor": 2, "moe_layer_num_skipped": 0, "mlp_bias": False, "n_group": None, "topk_group": None,
                   "group_limited_greedy": False, "use_mla": False, "norm_type": "rms", "use_rotary_pos_emb": True},
    )
    yield Family(
        "flex_olmo",
        transformers.FlexOlmoConfig(**COMMON, **GROUPED, num_hidden_layers=2, intermediate_size=4, num_experts=4,
                                    num_experts_per_tok=2, rms_norm_eps=0.01),
        spec("flex_olmo", "A small FlexOlmo: norms stand behind the sublayers, a norm over all queries and over all keys.", 2,
             "norm      = rms(eps=0.01)",
             "attention = mha(heads=4, kv_heads=2, qk_norm=full, norm_at=after, rope=rope(theta=500000))",
             "ffn       = moe(k=2, experts=4, hidden=4, norm_at=after)"),
        unlike=[("qk_norm=full, norm_at=after", "qk_norm=full"), ("hidden=4, norm_at=after", "hidden=4"),
                ("eps=0.01", "eps=0.001")],
    )
    biases = "attention = mha(heads=4, kv_heads=2, head_dim=8, bias=[q, k, v, o], sinks=true, rope=yarn(theta=100, factor=4,"
    ramp = "                original=64, beta_fast=4, beta_slow=1, truncate=false)"
    yield Family(
        "gpt_oss",
        transformers.GptOssConfig(**COMMON, **GROUPED, num_hidden_layers=2, head_dim=8, intermediate_size=4,
                                  num_local_experts=6, num_experts_per_tok=3, sliding_window=3,
                                  rope_parameters={"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "beta_fast": 4.0,
                                                   "beta_slow": 1.0, "truncate": False,
                                                   "original_max_position_embeddings": 64}),
        spec("gpt_oss", "A small gpt-oss: sinks, every second layer a window, biases everywhere, clamped experts.", 2,
             "norm      = rms(eps=1e-5)",
             biases,
             f"{ramp})",
             "ffn       = moe(k=3, experts=6, hidden=4, act=clamped, bias=true, router=softmax(renorm=true, bias=true))",
             biases.replace("attention", "attention[0]"),
             f"{ramp}, window=3)"),
        unlike=[("window=3", "window=4"), ("sinks=true", "sinks=false"), ("truncate=false", "truncate=true"),
                ("clamped", "swiglu"), ("factor=4", "factor=2")],
        loud=4.0,
    )
    yield Family(
        "granitemoe",
        transformers.GraniteMoeConfig(**COMMON, **GROUPED, num_hidden_layers=2, intermediate_size=4, num_local_experts=6,
                                      num_experts_per_tok=3, attention_multiplier=0.7, residual_multiplier=0.3,
                                      embedding_multiplier=6.0, logits_scaling=3.0, tie_word_embeddings=True),
        spec("granitemoe", "A small Granite-3 mixture: everything has a multiplier, tied.", 2,
             "embedding = tokens(tied=true, multiplier=6.0, logits_scaling=3.0)",
             "attention = mha(heads=4, kv_heads=2, scale=0.7, multiplier=0.3)",
             "ffn       = moe(k=3, experts=6, hidden=4, multiplier=0.3, router=softmax(renorm=true))"),
        unlike=[("scale=0.7", "scale=0.5"), ("6.0", "1.0"), ("3.0", "1.0"), ("4, multiplier=0.3", "4, multiplier=1.0"),
                ("0.7, multiplier=0.3", "0.7, multiplier=1.0")],
    )


def of_latents():
    """Latent attention."""
    eps = "latent_eps=1e-6"
    yield Family(
        "glm4_moe_lite",
        transformers.Glm4MoeLiteConfig(**COMMON, **LATENT, **DEEPSEEK, num_hidden_layers=2, q_lora_rank=6,
                                       mlp_layer_types=["sparse", "dense"], attention_bias=True, rms_norm_eps=0.01,
                                       rope_parameters=rope(1000000.0, partial_rotary_factor=1.0)),
        spec("glm4_moe_lite", "A small GLM-4.7-Flash: an eps of the latents' own, biases, a dense last layer.", 2,
             "norm      = rms(eps=0.01)",
             f"attention = mla(heads=4, kv_rank=8, q_rank=6, nope=4, rope_dim=8, value=6, {eps}, bias=true,",
             "                rope=rope(theta=1000000))",
             "ffn       = moe(k=3, experts=6, shared=1, hidden=4, balance=bias(rate=0.001),",
             "                router=sigmoid(renorm=true, scale=1.8))",
             "ffn[1]    = dense(hidden=12)"),
        unlike=[(eps, "latent_eps=0.01"), ("balance=bias(rate=0.001)", "balance=none")],
    )
    yield Family(
        "deepseek_v3_halves",
        transformers.DeepseekV3Config(**COMMON, **LATENT, **DEEPSEEK, num_hidden_layers=1, q_lora_rank=None,
                                      first_k_dense_replace=0, n_group=1, topk_group=1, rope_interleave=False,
                                      attention_bias=True, rms_norm_eps=0.01, num_nextn_predict_layers=0,
                                      rope_parameters=rope(10000.0)),
        spec("deepseek_v3_halves", "DeepSeek-V3 with what its settings can say besides: halves turn, biases.", 1,
             "norm      = rms(eps=0.01)",
             f"attention = mla(heads=4, kv_rank=8, nope=4, rope_dim=8, value=6, {eps}, bias=true, pairs=halves)",
             "ffn       = moe(k=3, experts=6, shared=1, hidden=4, balance=bias(rate=0.001),",
             "                router=sigmoid(renorm=true, scale=2.5))"),
        unlike=[("pairs=halves", "pairs=neighbours"), (eps, "latent_eps=0.01"), ("balance=bias(rate=0.001)", "balance=none")],
    )
    yield Family(
        "kimi_k2",
        transformers.DeepseekV3Config(**COMMON, **LATENT, **DEEPSEEK, num_hidden_layers=2, q_lora_rank=6,
                                      first_k_dense_replace=1, n_group=1, topk_group=1, routed_scaling_factor=2.827,
                                      num_nextn_predict_layers=0,
                                      rope_parameters={"rope_type": "yarn", "rope_theta": 50000.0, "factor": 32.0,
                                                       "original_max_position_embeddings": 4096, "beta_fast": 1.0,
                                                       "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0}),
        spec("kimi_k2", "A small Kimi-K2: DeepSeek-V3 without groups, its ramp within one dimension.", 2,
             f"attention = mla(heads=4, kv_rank=8, q_rank=6, nope=4, rope_dim=8, value=6, {eps},",
             "                rope=yarn(theta=50000, factor=32, original=4096, beta_fast=1, beta_slow=1, mscale=1, mscale_all_dim=1))",
             "ffn       = moe(k=3, experts=6, shared=1, hidden=4, balance=bias(rate=0.001),",
             "                router=sigmoid(renorm=true, scale=2.827))",
             "ffn[0]    = dense(hidden=12)"),
        dtype=torch.bfloat16,
        old_keys=True,
        published={**AUTHORS, "model_type": "kimi_k2", "aux_loss_alpha": 0.0, "seq_aux": True,
                   "transformers_version": "4.48.3"},
        unsaid=UNSAID,
        unlike=[("mscale_all_dim=1", "mscale_all_dim=0"), ("balance=bias(rate=0.001)", "balance=none")],
    )
    yield Family(
        "joyai_llm_flash",
        transformers.DeepseekV3Config(**COMMON, **LATENT, **DEEPSEEK, num_hidden_layers=2, q_lora_rank=6,
                                      first_k_dense_replace=1, n_group=1, topk_group=1, num_nextn_predict_layers=1,
                                      rope_parameters=rope(32000000.0)),
        spec("joyai_llm_flash",
             "A small JoyAI-LLM-Flash: DeepSeek-V3 without groups and without YaRN, a layer behind the last.", 2,
             f"attention = mla(heads=4, kv_rank=8, q_rank=6, nope=4, rope_dim=8, value=6, {eps}, rope=rope(theta=32000000))",
             "ffn       = moe(k=3, experts=6, shared=1, hidden=4, balance=bias(rate=0.001),",
             "                router=sigmoid(renorm=true, scale=2.5))",
             "ffn[0]    = dense(hidden=12)"),
        old_keys=True,
        published={**AUTHORS, "model_type": "joyai_llm_flash", "ep_size": 1, "transformers_version": "4.44.2"},
        unsaid=UNSAID,
        mtp=True,
        unlike=[("balance=bias(rate=0.001)", "balance=none")],
    )


def all_families():
    yield from of_heads()
    yield from of_latents()
