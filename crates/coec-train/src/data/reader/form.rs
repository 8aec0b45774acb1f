//! How records become documents: by a template, by the names of their fields, or as conversations.

use super::json::{Fields, Value, elements};
use super::record::{BadRecord, Document};
use super::template::{Template, push};
use crate::data::DataError;

/// How the records of a source become documents.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    Template(Template),
    /// The messages of a conversation, each a role and what it says.
    Conversation,
}

/// The field of a conversation, and of each of its messages.
const MESSAGES: &str = "messages";
const ROLE: &str = "role";
const CONTENT: &str = "content";
/// The role whose messages are completions.
const ASSISTANT: &str = "assistant";

/// Records with these fields take these templates, the first that fits.
const TEMPLATES: &[(&[&str], &str)] = &[
    (&["text"], "{text}"),
    (&["content"], "{content}"),
    (&["question", "answer"], "{question}\n{answer}"),
    (&["prompt", "completion"], "{prompt}{completion}"),
];

impl Form {
    /// The form of a spec's template, or of `first`, the first record there is.
    ///
    /// # Errors
    ///
    /// A template that cannot be read; and without one, fields that no form is for.
    pub fn of(template: Option<&str>, first: Option<&Fields<'_>>) -> Result<Option<Self>, DataError> {
        if let Some(template) = template {
            return Template::parse(template).map(|template| Some(Self::Template(template)));
        }
        let Some(first) = first else { return Ok(None) };
        if matches!(first.get(MESSAGES), Some(Value::List(_))) {
            return Ok(Some(Self::Conversation));
        }
        let has = |field: &&str| first.get(field).is_some();
        match TEMPLATES.iter().find(|(fields, _)| fields.iter().all(has)) {
            Some((_, template)) => Template::parse(template).map(|template| Some(Self::Template(template))),
            None => {
                let mut present: Vec<String> = first.names().map(str::to_owned).collect();
                present.sort_unstable();
                Err(DataError::NoForm { present })
            }
        }
    }

    /// The document of a record.
    pub fn document(&self, fields: &Fields<'_>) -> Result<Document, BadRecord> {
        match self {
            Self::Template(template) => template.fill(fields),
            Self::Conversation => conversation(fields),
        }
    }

    /// The fields that it takes.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Template(template) => template.fields(),
            Self::Conversation => vec![MESSAGES],
        }
    }

    /// In words, for the screen.
    pub fn words(&self) -> String {
        match self {
            Self::Template(template) => format!("template {:?}", template.text()),
            Self::Conversation => "conversations, each message behind its role".into(),
        }
    }

    /// The template, where a spec can say it.
    pub fn template(&self) -> Option<String> {
        match self {
            Self::Template(template) => Some(template.text()),
            Self::Conversation => None,
        }
    }
}

/// `role: content` for each message, a blank line between them.
fn conversation(fields: &Fields<'_>) -> Result<Document, BadRecord> {
    let bad = |reason: &str| BadRecord::NotAConversation { reason: reason.to_owned() };
    let Some(Value::List(list)) = fields.get(MESSAGES) else { return Err(bad("`messages` is no list")) };
    let messages = elements(list).ok_or_else(|| bad("`messages` cannot be taken apart"))?;
    let mut document = Document::default();
    for message in messages {
        let message = Fields::of(message).map_err(|_| bad("a message is no object"))?;
        if !document.text.is_empty() {
            document.text.push_str("\n\n");
        }
        let mut role = String::new();
        push(&mut role, ROLE, &message)?;
        document.text.push_str(&role);
        document.text.push_str(": ");
        let start = document.text.len();
        push(&mut document.text, CONTENT, &message)?;
        if role == ASSISTANT {
            document.learnt.push(start..document.text.len());
        }
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(record: &str) -> Result<Form, DataError> {
        Form::of(None, Some(&Fields::of(record).unwrap())).map(Option::unwrap)
    }

    #[test]
    fn known_fields_take_the_sensible_template() {
        let template = |record: &str| form(record).unwrap().template().unwrap();
        assert_eq!(template(r#"{"id": 1, "text": "a"}"#), "{text}");
        assert_eq!(template(r#"{"answer": "b", "question": "a"}"#), "{question}\n{answer}");
        assert_eq!(template(r#"{"prompt": "a", "completion": "b"}"#), "{prompt}{completion}");
        let DataError::NoForm { present } = form(r#"{"b": 1, "a": 2}"#).unwrap_err() else { panic!() };
        assert_eq!(present, ["a", "b"]);
    }

    #[test]
    fn of_a_conversation_the_assistant_is_learnt_from() {
        let record =
            r#"{"messages": [{"role": "user", "content": "2?"}, {"role": "assistant", "content": "two"}]}"#;
        let document = form(record).unwrap().document(&Fields::of(record).unwrap()).unwrap();
        assert_eq!(document.text, "user: 2?\n\nassistant: two");
        let learnt: Vec<&str> = document.learnt.iter().map(|range| &document.text[range.clone()]).collect();
        assert_eq!(learnt, ["two"]);
    }
}
