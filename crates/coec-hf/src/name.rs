//! Names of models.

/// A name that a spec can declare a model under, from the name of a folder:
/// `Mixtral-8x7B-v0.1` becomes `mixtral_8x7b_v0_1`.
pub fn model_name(folder: &str) -> String {
    let mut name = String::new();
    for c in folder.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c.to_ascii_lowercase()),
            _ if name.is_empty() || name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        None => "model".into(),
        Some(first) if first.is_ascii_digit() => format!("m{name}"),
        Some(_) => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::model_name;

    #[test]
    fn folders_become_identifiers() {
        for (folder, name) in [
            ("Mixtral-8x7B-v0.1", "mixtral_8x7b_v0_1"),
            ("Qwen1.5-MoE-A2.7B", "qwen1_5_moe_a2_7b"),
            ("8x7b", "m8x7b"),
            ("--", "model"),
            ("", "model"),
            ("modèle!", "mod_le"),
        ] {
            assert_eq!(model_name(folder), name, "{folder}");
        }
    }
}
