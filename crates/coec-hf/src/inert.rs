//! Settings that change no output of the model, in any family.

/// A setting that changes nothing, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// The setting.
    pub key: &'static str,
    /// Why it changes no output.
    pub why: &'static str,
}

const TOKENS: &str = "names a token, which is the tokenizer's business";
const PADDING: &str =
    "names the padding token; nothing is padded here, so its embedding is trained like any other";
const ORIGIN: &str = "says where the folder comes from";
const PRECISION: &str = "tensors say their own precision";
pub(crate) const RETURNS: &str = "says what a call returns, not what it computes";
const SAMPLING: &str = "belongs to sampling";
const LABELS: &str = "belongs to heads that are no language model's";
const START: &str = "starts a training; weights are read";
/// Of settings that do something in training, which a training here does not.
pub(crate) const DROPOUT: &str = "drops values in training, and a training here drops none";
pub(crate) const NOISE: &str = "adds noise in training, and a training here adds none";
const MACHINES: &str = "says how the work is spread, not what it is";

/// Known in every family.
pub(crate) const COMMON: &[Reason] = &[
    Reason { key: "model_type", why: "names the family" },
    Reason { key: "bos_token_id", why: TOKENS },
    Reason { key: "eos_token_id", why: TOKENS },
    Reason { key: "pad_token_id", why: PADDING },
    Reason { key: "sep_token_id", why: TOKENS },
    Reason { key: "unk_token_id", why: TOKENS },
    Reason { key: "decoder_start_token_id", why: TOKENS },
    Reason { key: "tokenizer_class", why: TOKENS },
    Reason { key: "prefix", why: TOKENS },
    Reason { key: "_name_or_path", why: ORIGIN },
    Reason { key: "name_or_path", why: ORIGIN },
    Reason { key: "is_llama_config", why: ORIGIN },
    Reason { key: "_commit_hash", why: ORIGIN },
    Reason { key: "auto_map", why: ORIGIN },
    Reason { key: "transformers_version", why: ORIGIN },
    Reason { key: "torch_dtype", why: PRECISION },
    Reason { key: "dtype", why: PRECISION },
    Reason { key: "use_bfloat16", why: PRECISION },
    Reason { key: "use_cache", why: RETURNS },
    Reason { key: "return_dict", why: RETURNS },
    Reason { key: "output_attentions", why: RETURNS },
    Reason { key: "output_hidden_states", why: RETURNS },
    Reason { key: "tie_last_hidden_states", why: RETURNS },
    Reason { key: "torchscript", why: RETURNS },
    Reason { key: "initializer_range", why: START },
    Reason { key: "attention_dropout", why: DROPOUT },
    Reason { key: "hidden_dropout", why: DROPOUT },
    Reason { key: "embedding_dropout", why: DROPOUT },
    Reason { key: "output_dropout", why: DROPOUT },
    Reason { key: "residual_dropout", why: DROPOUT },
    Reason { key: "attn_pdrop", why: DROPOUT },
    Reason { key: "embd_pdrop", why: DROPOUT },
    Reason { key: "resid_pdrop", why: DROPOUT },
    Reason { key: "router_jitter_noise", why: NOISE },
    Reason { key: "input_jitter_noise", why: NOISE },
    Reason { key: "pretraining_tp", why: MACHINES },
    Reason { key: "chunk_size_feed_forward", why: MACHINES },
    Reason { key: "gradient_checkpointing", why: MACHINES },
    Reason { key: "transformers.js_config", why: MACHINES },
    Reason { key: "_attn_implementation", why: MACHINES },
    Reason { key: "_attn_implementation_autoset", why: MACHINES },
    Reason { key: "attn_implementation", why: MACHINES },
    Reason { key: "_experts_implementation", why: MACHINES },
    Reason { key: "experts_implementation", why: MACHINES },
    Reason { key: "id2label", why: LABELS },
    Reason { key: "label2id", why: LABELS },
    Reason { key: "num_labels", why: LABELS },
    Reason { key: "problem_type", why: LABELS },
    Reason { key: "finetuning_task", why: LABELS },
    Reason { key: "task_specific_params", why: LABELS },
    Reason { key: "max_length", why: SAMPLING },
    Reason { key: "max_new_tokens", why: SAMPLING },
    Reason { key: "min_length", why: SAMPLING },
    Reason { key: "do_sample", why: SAMPLING },
    Reason { key: "early_stopping", why: SAMPLING },
    Reason { key: "num_beams", why: SAMPLING },
    Reason { key: "num_beam_groups", why: SAMPLING },
    Reason { key: "diversity_penalty", why: SAMPLING },
    Reason { key: "temperature", why: SAMPLING },
    Reason { key: "top_k", why: SAMPLING },
    Reason { key: "top_p", why: SAMPLING },
    Reason { key: "typical_p", why: SAMPLING },
    Reason { key: "repetition_penalty", why: SAMPLING },
    Reason { key: "length_penalty", why: SAMPLING },
    Reason { key: "no_repeat_ngram_size", why: SAMPLING },
    Reason { key: "encoder_no_repeat_ngram_size", why: SAMPLING },
    Reason { key: "bad_words_ids", why: SAMPLING },
    Reason { key: "num_return_sequences", why: SAMPLING },
    Reason { key: "output_scores", why: SAMPLING },
    Reason { key: "return_dict_in_generate", why: SAMPLING },
    Reason { key: "forced_bos_token_id", why: SAMPLING },
    Reason { key: "forced_eos_token_id", why: SAMPLING },
    Reason { key: "remove_invalid_values", why: SAMPLING },
    Reason { key: "exponential_decay_length_penalty", why: SAMPLING },
    Reason { key: "suppress_tokens", why: SAMPLING },
    Reason { key: "begin_suppress_tokens", why: SAMPLING },
];

/// Of the families whose class adds a loss to balance the experts when `output_router_logits` is set.
pub(crate) const ROUTER_LOSS: &[Reason] = &[
    Reason { key: "router_aux_loss_coef", why: "weighs a loss that output_router_logits adds" },
    Reason { key: "output_router_logits", why: "adds a loss in training, and changes no logits" },
];

/// Of the families with latent attention.
pub(crate) const LATENT: &[Reason] = &[
    Reason {
        key: "head_dim",
        why: "is set to qk_rope_head_dim by the family's class, whatever the file says",
    },
    Reason { key: "qk_head_dim", why: "is qk_nope_head_dim + qk_rope_head_dim, whatever the file says" },
    Reason { key: "num_key_value_heads", why: "latent attention has keys and values for every head" },
    Reason { key: "ep_size", why: MACHINES },
    Reason { key: "output_router_logits", why: RETURNS },
];

pub(crate) const FURTHER: &str =
    "counts layers beyond the model's, which predict further tokens and feed none of its own";

/// Of the families whose folders may hold layers that predict further tokens.
pub(crate) const FURTHER_LAYERS: &[Reason] = &[
    Reason { key: "num_nextn_predict_layers", why: FURTHER },
    Reason { key: "num_mtp_layers", why: FURTHER },
];
