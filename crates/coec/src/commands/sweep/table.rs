//! The rows of a sweep as a table, as CSV and as JSON.

use coec_ir::Figure;
use serde_json::{Map, Value, json};

use super::rows::{FIGURES, Row};
use crate::render::{
    figure::{FigureValue, cell},
    table::Table,
};

/// The fields that rows differ in, in the order of the sweep.
pub fn fields(rows: &[Row]) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for (field, _) in rows.iter().flat_map(|row| &row.values) {
        if !fields.contains(field) {
            fields.push(field.clone());
        }
    }
    fields
}

fn digits(row: &Row, figure: Figure) -> Option<String> {
    Some(row.planned()?.cost.figure(figure)?.to_string())
}

/// For people: the fields, the two figures that sparse models are compared by, and what came of them.
pub fn lines(rows: &[Row]) -> Vec<String> {
    let fields = fields(rows);
    let shown = [Figure::ParamsActive, Figure::FlopsForward];
    let mut header = vec!["row".to_string()];
    header.extend(fields.iter().cloned());
    header.extend(shown.iter().map(|figure| figure.name().to_string()));
    header.extend(["steps", "validation loss", "status"].map(String::from));
    let mut table = Table::new(header);
    for row in rows {
        let mut cells = vec![row.number.to_string()];
        cells.extend(fields.iter().map(|field| row.value(field).unwrap_or("-").to_owned()));
        cells.extend(
            shown
                .iter()
                .map(|&figure| digits(row, figure).map_or("-".into(), |digits| cell(figure, &digits))),
        );
        let planned = row.planned();
        cells.push(planned.map_or("-".into(), |planned| planned.run.steps.to_string()));
        cells.push(
            planned.and_then(super::rows::Planned::val_loss).map_or("-".into(), |loss| format!("{loss:.4}")),
        );
        cells.push(row.status().into());
        table.push(cells);
    }
    table.lines()
}

/// Comma-separated values, a line for each row, RFC 4180.
pub fn csv(rows: &[Row]) -> String {
    let fields = fields(rows);
    let mut header = vec!["row".to_string(), "status".to_string()];
    header.extend(fields.iter().cloned());
    header.extend(FIGURES.iter().map(|figure| figure.name().to_string()));
    header.extend(["steps", "tokens", "val_loss", "run", "problem"].map(String::from));
    let mut out = line(&header);
    for row in rows {
        let planned = row.planned();
        let mut cells = vec![row.number.to_string(), row.status().to_string()];
        cells.extend(fields.iter().map(|field| row.value(field).unwrap_or_default().to_owned()));
        cells.extend(FIGURES.iter().map(|&figure| digits(row, figure).unwrap_or_default()));
        cells.push(planned.map_or(String::new(), |planned| planned.run.steps.to_string()));
        cells.push(planned.map_or(String::new(), |planned| planned.tokens.to_string()));
        let loss = planned.and_then(super::rows::Planned::val_loss);
        cells.push(loss.map_or(String::new(), |loss| format!("{loss:?}")));
        cells.push(planned.map_or(String::new(), |_| format!("runs/{:04}", row.number)));
        cells.push(row.problem().unwrap_or_default().replace('\n', " "));
        out.push_str(&line(&cells));
    }
    out
}

fn line(cells: &[String]) -> String {
    let quoted = |cell: &String| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    };
    format!("{}\r\n", cells.iter().map(quoted).collect::<Vec<_>>().join(","))
}

/// The same as JSON.
pub fn document(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let values: Map<String, Value> =
            row.values.iter().map(|(field, value)| (field.clone(), number_or_text(value))).collect();
        let planned = row.planned();
        let figures = planned.map(|planned| {
            let value = |&figure: &Figure| {
                Some((
                    figure.name().to_string(),
                    json!(FigureValue::new(figure, planned.cost.figure(figure)?)),
                ))
            };
            FIGURES.iter().filter_map(value).collect::<Map<_, _>>()
        });
        json!({
            "row": row.number,
            "status": row.status(),
            "values": values,
            "figures": figures,
            "steps": planned.map(|planned| planned.run.steps),
            "tokens": planned.map(|planned| planned.tokens),
            "val_loss": planned.and_then(super::rows::Planned::val_loss),
            "run": planned.map(|_| format!("runs/{:04}", row.number)),
            "problem": row.problem(),
        })
    };
    json!({
        "schema": coec_ir::SCHEMA,
        "fields": fields(rows),
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn number_or_text(value: &str) -> Value {
    let whole = value.parse::<u64>().map(Value::from).ok();
    whole.or_else(|| value.parse::<f64>().ok().map(Value::from)).unwrap_or_else(|| value.into())
}
