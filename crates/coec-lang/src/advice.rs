//! What is allowed and still worth a word.

use coec_ir::{Coe, Model};

use crate::error::Advice;
use crate::resolve::model::Draft;
use crate::scopes::Scopes;

/// The advice on a model.
pub(crate) fn of(model: &Model, draft: &Draft, scopes: &Scopes) -> Vec<Advice> {
    let names = [
        Some(model.name.clone()),
        draft.own().unit.path.as_deref().and_then(|path| Some(path.file_stem()?.to_str()?.to_string())),
    ];
    let several = draft.own().unit.models.len() > 1;
    let mut named = names.into_iter().take(if several { 1 } else { 2 }).flatten();
    named.find_map(|name| paper_name(&name, model, draft, scopes)).into_iter().collect()
}

/// The numbers of a name such as `coe2_4_64`, `CoE-2-4-64` or `moe_8_64`: iterations, k, N.
fn paper_numbers(name: &str) -> Option<(bool, [usize; 3])> {
    let lower = name.to_ascii_lowercase();
    let (chain, rest) = match lower.strip_prefix("coe") {
        Some(rest) => (true, rest),
        None => (false, lower.strip_prefix("moe")?),
    };
    let rest = rest.strip_prefix(['_', '-']).unwrap_or(rest);
    let numbers: Option<Vec<usize>> = rest
        .split(['_', '-'])
        .map(|part| {
            if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
                part.parse().ok()
            } else {
                None
            }
        })
        .collect();
    match (chain, numbers?.as_slice()) {
        (true, &[iter, k, total]) => Some((true, [iter, k, total])),
        (false, &[k, total]) => Some((false, [1, k, total])),
        _ => None,
    }
}

fn paper_name(name: &str, model: &Model, draft: &Draft, scopes: &Scopes) -> Option<Advice> {
    let (chain, [iter, k, total]) = paper_numbers(name)?;
    let routed = total.checked_sub(1)?;
    let chains: Vec<&Coe> = model.layers.kinds().iter().filter_map(|layer| layer.ffn.as_coe()).collect();
    let is_paper = |coe: &&Coe| {
        coe.iter == iter && coe.k.iter().all(|&other| other == k) && coe.experts == routed && coe.shared == 1
    };
    // A first dense layer, or layers that differ, are fine as long as one is what the name says.
    if chains.iter().any(is_paper) {
        return None;
    }
    let value = draft.ffn()?;
    let value = scopes.binding(value).map_or(value, |(target, _)| target);
    let found = match chains.first() {
        Some(coe) => describe(coe),
        None => "no experts".into(),
    };
    let expected = format!("{}k={k}, {routed} routed + 1 shared experts", iterations(iter));
    let (paper, block) = if chain {
        let block = format!("coe(iter={iter}, k={k}, experts={routed}, shared=1)");
        (format!("CoE-{iter}({k}/{total})"), block)
    } else {
        let block = format!("coe(iter=1, k={k}, experts={routed}, shared=1, residual=inner)");
        (format!("MoE({k}/{total})"), block)
    };
    Some(Advice::PaperName { name: name.into(), paper, found, expected, block, at: value.head() })
}

fn describe(coe: &Coe) -> String {
    let k: Vec<_> = coe.k.iter().map(usize::to_string).collect();
    let k = if coe.k.windows(2).all(|pair| pair[0] == pair[1]) {
        k.first().cloned().unwrap_or_default()
    } else {
        format!("[{}]", k.join(", "))
    };
    format!("{}k={k}, {} routed + {} shared experts", iterations(coe.iter), coe.experts, coe.shared)
}

fn iterations(iter: usize) -> String {
    if iter == 1 { String::new() } else { format!("iter={iter}, ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_paper() {
        assert_eq!(paper_numbers("coe2_4_64"), Some((true, [2, 4, 64])));
        assert_eq!(paper_numbers("coe_2_4_64"), Some((true, [2, 4, 64])));
        assert_eq!(paper_numbers("CoE-2-4-64"), Some((true, [2, 4, 64])));
        assert_eq!(paper_numbers("moe-8-64"), Some((false, [1, 8, 64])));
        assert_eq!(paper_numbers("moe_8_64_dense"), None);
        assert_eq!(paper_numbers("coe2"), None);
        assert_eq!(paper_numbers("coe__4_64"), None);
    }
}
