//! The fields of the block that is being typed.

use coec_ir::table::{Default, Table};
use coec_lang::outline::{Call, site};
use gen_lsp_types::{
    ActiveParameter, Documentation, ParameterInformation, ParameterInformationLabel, SignatureHelp,
    SignatureInformation,
};

use super::{hover, markdown};
use crate::reference;
use crate::snapshot::Document;

/// The signature of the innermost block around a byte; `None` outside brackets.
pub(crate) fn at(document: &Document, at: usize) -> Option<SignatureHelp> {
    let site = site(document.text.as_str(), at)?;
    let call = site.calls.last()?;
    let is_braces = call.tables.iter().any(|table| table.word == "model" || table.word == "train");
    if is_braces || call.tables.is_empty() {
        return None;
    }
    let signatures = call.tables.iter().map(|table| signature(table, call)).collect();
    Some(SignatureHelp::new(signatures, Some(0), active(call.tables[0], call).map(ActiveParameter::Int)))
}

fn active(table: &'static Table, call: &Call) -> Option<u32> {
    let name = call.active?;
    table.open().position(|field| field.name == name).map(|place| place as u32)
}

fn signature(table: &'static Table, call: &Call) -> SignatureInformation {
    let mut label = format!("{}(", table.word);
    let mut parameters = Vec::new();
    for (place, field) in table.open().enumerate() {
        if place > 0 {
            label.push_str(", ");
        }
        // Offsets count units of UTF-16; labels are ASCII.
        let start = label.len() as u32;
        label.push_str(field.name);
        if table.default(field) != Default::Required {
            let default = hover::default(table, field);
            label.push_str(&default.map_or_else(|| "?".into(), |default| format!("={default}")));
        }
        let said =
            reference::field(table, field.name).map(|said| Documentation::MarkupContent(markdown(said)));
        let at = ParameterInformationLabel::Tuple((start, label.len() as u32));
        parameters.push(ParameterInformation::new(at, said));
    }
    label.push(')');
    let said = reference::block(table).map(|said| Documentation::MarkupContent(markdown(said)));
    SignatureInformation::new(label, said, Some(parameters), active(table, call).map(ActiveParameter::Int))
}
