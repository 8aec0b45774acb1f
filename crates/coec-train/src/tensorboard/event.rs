//! Events as TensorBoard reads them: the few messages of `event.proto` and `summary.proto` that a run needs, in
//! the wire format of protocol buffers.

use super::checksum::masked;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// The file begins; it is of this version.
    Version,
    /// What was said of this step and later ones holds no more: it comes again.
    Starts,
    /// Values by their names.
    Values(Vec<(String, Value)>),
}

/// A value of a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A number.
    Scalar(f32),
    /// How many fell to each of the numbers 0, 1, 2 and so on.
    Counts(Vec<u64>),
}

/// An event of a step, at a time in seconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub time: f64,
    pub step: u64,
    pub what: What,
}

impl Event {
    /// As a record of a file: its length, the length's sum, the event, its sum.
    pub fn record(&self) -> Vec<u8> {
        let event = self.message().0;
        let length = (event.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(event.len() + 16);
        record.extend(length);
        record.extend(masked(&length).to_le_bytes());
        record.extend(&event);
        record.extend(masked(&event).to_le_bytes());
        record
    }

    /// `tensorflow.Event`.
    fn message(&self) -> Message {
        let event = Message::default().double(1, self.time).integer(2, self.step);
        match &self.what {
            What::Version => event.bytes(3, b"brain.Event:2"),
            // `SessionLog`, whose status is START.
            What::Starts => event.message(7, &Message::default().integer(1, 1)),
            What::Values(values) => {
                let summary = values.iter().fold(Message::default(), |summary, (name, value)| {
                    let named = Message::default().bytes(1, name.as_bytes());
                    summary.message(
                        1,
                        &match value {
                            Value::Scalar(value) => named.float(2, *value),
                            Value::Counts(counts) => named.message(5, &histogram(counts)),
                        },
                    )
                });
                event.message(5, &summary)
            }
        }
    }
}

/// `tensorflow.HistogramProto` with a bucket for each number: what is 3 lies in the bucket from 3 to 4.
fn histogram(counts: &[u64]) -> Message {
    let (mut all, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (number, &count) in counts.iter().enumerate() {
        let (number, count) = (number as f64, count as f64);
        all += count;
        sum += count * number;
        squares += count * number * number;
    }
    Message::default()
        .double(1, 0.0)
        .double(2, counts.len() as f64)
        .double(3, all)
        .double(4, sum)
        .double(5, squares)
        .doubles(6, (1..=counts.len()).map(|end| end as f64))
        .doubles(7, counts.iter().map(|&count| count as f64))
}

/// A message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

/// How a field is written.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const COUNTED: u64 = 2;
const FOUR_BYTES: u64 = 5;

impl Message {
    fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn key(self, field: u64, kind: u64) -> Self {
        self.varint(field << 3 | kind)
    }

    fn integer(self, field: u64, value: u64) -> Self {
        self.key(field, VARINT).varint(value)
    }

    fn double(self, field: u64, value: f64) -> Self {
        self.key(field, EIGHT_BYTES).raw(&value.to_le_bytes())
    }

    fn float(self, field: u64, value: f32) -> Self {
        self.key(field, FOUR_BYTES).raw(&value.to_le_bytes())
    }

    fn bytes(self, field: u64, value: &[u8]) -> Self {
        self.key(field, COUNTED).varint(value.len() as u64).raw(value)
    }

    fn message(self, field: u64, value: &Message) -> Self {
        self.bytes(field, &value.0)
    }

    fn doubles(self, field: u64, values: impl Iterator<Item = f64>) -> Self {
        let packed: Vec<u8> = values.flat_map(f64::to_le_bytes).collect();
        self.bytes(field, &packed)
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_seven_bits_take_several_bytes() {
        assert_eq!(Message::default().integer(2, 300).0, [0x10, 0xac, 0x02]);
        assert_eq!(Message::default().integer(2, u64::MAX).0.len(), 11);
    }

    #[test]
    fn a_record_has_its_length_and_two_sums() {
        let event = Event { time: 0.0, step: 0, what: What::Version };
        let record = event.record();
        assert_eq!(record.len(), 12 + 9 + 2 + 2 + 13 + 4);
        assert_eq!(record[..8], 26u64.to_le_bytes());
    }
}
