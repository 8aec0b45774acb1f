//! Names: of blocks and layers by how they differ, and of the crate.

use crate::distinct::Distinct;

/// Names each distinct block: by its kind, and where there are several of a kind, by the fewest
/// fields in which they differ.
pub(crate) fn of_sublayers(blocks: &mut [Distinct]) {
    for at in 0..blocks.len() {
        let alike: Vec<usize> = (0..blocks.len()).filter(|&i| blocks[i].word == blocks[at].word).collect();
        let words = |i: usize| &blocks[i].fields;
        let fields = differing(&alike.iter().map(|&i| words(i).as_slice()).collect::<Vec<_>>());
        let mut name = blocks[at].word.to_string();
        for field in fields {
            let (field, value) = &words(at)[field];
            // `bias_true` and `gate_tied` need their field; a number follows it at once.
            let gap = if value.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "_" };
            name.push_str(&format!("_{field}{gap}{value}"));
        }
        if name.len() > LONGEST {
            let number = alike.iter().position(|&i| i == at).unwrap_or_default();
            name = format!("{}_{}", blocks[at].word, number + 1);
        }
        blocks[at].name = name;
    }
}

/// The longest name that says how a block differs; beyond it blocks are numbered.
const LONGEST: usize = 28;

/// The fields that tell blocks apart, in order: each one taken tells more of them apart.
fn differing(blocks: &[&[(&'static str, String)]]) -> Vec<usize> {
    let told_apart = |fields: &[usize]| {
        let key = |block: &[(&str, String)]| fields.iter().map(|&f| block[f].1.clone()).collect::<Vec<_>>();
        let mut keys: Vec<_> = blocks.iter().map(|block| key(block)).collect();
        keys.sort();
        keys.dedup();
        keys.len()
    };
    let mut taken = Vec::new();
    let mut apart = 1;
    while apart < blocks.len() {
        // The field that tells most apart, the first among equals.
        let fields = 0..blocks.first().map_or(0, |block| block.len());
        let tried = fields.map(|f| (f, told_apart(&[taken.as_slice(), &[f]].concat())));
        match tried.rev().max_by_key(|&(_, apart)| apart) {
            Some((field, more)) if more > apart => {
                taken.push(field);
                apart = more;
            }
            _ => break,
        }
    }
    taken.sort_unstable();
    taken
}

/// A layer's name: that of the sublayer in which layers differ, or of both.
pub(crate) fn of_layer(attention: &[Distinct], a: usize, ffn: &[Distinct], f: usize) -> String {
    match (attention.len() > 1, ffn.len() > 1) {
        (false, false) => String::new(),
        (true, false) => attention[a].name.clone(),
        (false, true) => ffn[f].name.clone(),
        (true, true) => {
            let name = format!("{}_{}", attention[a].name, ffn[f].name);
            // Too long a name says no more than the numbers of the two.
            if name.len() <= LONGEST {
                return name;
            }
            format!("{}{}_{}{}", attention[a].word, a + 1, ffn[f].word, f + 1)
        }
    }
}

/// Names that a package cannot have, or that would shadow what the crate itself uses.
const RESERVED: &[&str] = &[
    "Self",
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The longest name of a crate.
const LONGEST_CRATE: usize = 60;

/// The name of the crate for a model: the model's own where a package can have it.
///
/// `taken` are the packages it is built with.
pub(crate) fn of_crate(model: &str, taken: &[&str]) -> String {
    // Snake case, as the compiler asks of crates: single underscores, between other letters.
    let lower = model.to_ascii_lowercase();
    let name = lower.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
    let name: String = name.chars().take(LONGEST_CRATE).collect();
    let clashes = taken.iter().any(|other| other.replace('-', "_") == name);
    if name.is_empty() {
        return "model".into();
    }
    if clashes || RESERVED.contains(&name.as_str()) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("model_{name}");
    }
    name
}
