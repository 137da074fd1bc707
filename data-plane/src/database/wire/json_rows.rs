//! Rows as the JSON that Postgres makes of them with `json_agg`, to the byte. Postgres looks up how each value of each row is written; here that
//! is known once for a statement, and a read of many rows costs Postgres less than half.

use std::io;

use bytes::{BufMut as _, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{DataRowBody, RowDescriptionBody};
use postgres_types::{Kind, Type};

use super::Row;

/// Room for the answers that most requests get.
const FIRST_ROOM: usize = 512;

/// Postgres makes no longer text, and so no longer answer either, whatever makes it.
const LONGEST: usize = 1 << 30;

/// How the values of a statement's columns become members.
#[derive(Debug)]
pub(super) struct Columns(Vec<Column>);

#[derive(Debug)]
struct Column {
    /// The member's name and what stands before it, as in `,"name":`.
    key: Vec<u8>,
    form: Form,
}

/// How a type's text becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As it is, unless it is no number, such as `NaN`.
    Number,
    Boolean,
    Json,
    /// With a `T` between date and time.
    Timestamp,
    /// So too, and with minutes in the zone.
    ZonedTimestamp,
    Text,
}

impl Columns {
    /// Absent where a column is of a type whose JSON does not follow from its text: an array, a row, a type that is not Postgres' own.
    pub(super) fn read(description: &RowDescriptionBody) -> io::Result<Option<Self>> {
        let mut columns = Vec::new();
        let mut fields = description.fields();
        while let Some(field) = fields.next()? {
            let Some(form) = Form::of(field.type_oid()) else { return Ok(None) };
            let mut key = if columns.is_empty() { vec![b'{'] } else { vec![b','] };
            serde_json::to_writer(&mut key, field.name())?;
            key.push(b':');
            columns.push(Column { key, form });
        }
        Ok((!columns.is_empty()).then_some(Self(columns)))
    }
}

impl Form {
    /// A domain comes as the type under it.
    fn of(oid: u32) -> Option<Self> {
        let known = Type::from_oid(oid)?;
        Some(match known {
            Type::INT2 | Type::INT4 | Type::INT8 | Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => Self::Number,
            Type::BOOL => Self::Boolean,
            Type::JSON | Type::JSONB => Self::Json,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::ZonedTimestamp,
            _ => match known.kind() {
                Kind::Simple | Kind::Range(_) | Kind::Multirange(_) => Self::Text,
                _ => return None,
            },
        })
    }

    fn write(self, text: &[u8], out: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Number if text.last().is_some_and(u8::is_ascii_digit) => out.put_slice(text),
            Self::Boolean => out.put_slice(if text == b"t" { b"true" } else { b"false" }),
            Self::Json => out.put_slice(text),
            Self::Timestamp | Self::ZonedTimestamp => timestamp(text, self == Self::ZonedTimestamp, out),
            Self::Number | Self::Text => {
                return Ok(serde_json::to_writer(out.writer(), &String::from_utf8_lossy(text))?);
            }
        }
        Ok(())
    }
}

/// From `2024-02-29 12:00:00+00 BC`, of which all but the date may be absent.
fn timestamp(text: &[u8], zoned: bool, out: &mut BytesMut) {
    let mut words = text.splitn(3, |sign| *sign == b' ');
    out.put_u8(b'"');
    out.put_slice(words.next().unwrap_or_default());
    if let Some(time) = words.next() {
        out.put_u8(b'T');
        out.put_slice(time);
        let only_hours = time.iter().rev().position(|sign| matches!(sign, b'+' | b'-')) == Some(2);
        if zoned && only_hours {
            out.put_slice(b":00");
        }
    }
    if let Some(era) = words.next() {
        out.put_u8(b' ');
        out.put_slice(era);
    }
    out.put_u8(b'"');
}

/// An array under construction.
#[derive(Debug)]
pub(super) struct JsonRows {
    body: BytesMut,
    count: u64,
}

impl JsonRows {
    pub(super) fn new() -> Self {
        let mut body = BytesMut::with_capacity(FIRST_ROOM);
        body.put_u8(b'[');
        Self { body, count: 0 }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, columns: &Columns, row: &DataRowBody) -> io::Result<()> {
        if self.count > 0 {
            self.body.put_slice(b", \n ");
        }
        self.count += 1;
        let mut values = row.ranges();
        for column in &columns.0 {
            self.body.put_slice(&column.key);
            match values.next()?.flatten().and_then(|range| row.buffer().get(range)) {
                Some(text) => column.form.write(text, &mut self.body)?,
                None => self.body.put_slice(b"null"),
            }
        }
        self.body.put_u8(b'}');
        Ok(())
    }

    /// Whether it is longer than an answer may be.
    pub(super) fn too_long(&self) -> bool {
        self.body.len() > LONGEST
    }

    /// One row: how many there were, and the array.
    pub(super) fn finish(mut self) -> Row {
        self.body.put_u8(b']');
        let end = self.body.len();
        self.body.put_slice(self.count.to_string().as_bytes());
        let columns = vec![Some(end..self.body.len()), Some(0..end)];
        Row { buffer: self.body.freeze(), columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, text: &str) -> String {
        let mut out = BytesMut::new();
        form.write(text.as_bytes(), &mut out).expect("memory is writable");
        String::from_utf8(out.to_vec()).expect("JSON is text")
    }

    #[test]
    fn values_are_written_as_postgres_writes_them() {
        for (form, text, json) in [
            (Form::Number, "-1.5e+20", "-1.5e+20"),
            (Form::Number, "-Infinity", r#""-Infinity""#),
            (Form::Number, "NaN", r#""NaN""#),
            (Form::Boolean, "t", "true"),
            (Form::Boolean, "f", "false"),
            (Form::Json, "{ }", "{ }"),
            (Form::Text, "a\"\\\u{8}\u{1}\u{7f}/é\n", "\"a\\\"\\\\\\b\\u0001\u{7f}/é\\n\""),
            (Form::Timestamp, "2024-02-29 12:00:00.25", r#""2024-02-29T12:00:00.25""#),
            (Form::Timestamp, "0044-03-15 12:00:00 BC", r#""0044-03-15T12:00:00 BC""#),
            (Form::Timestamp, "-infinity", r#""-infinity""#),
            (Form::ZonedTimestamp, "2024-02-29 12:00:00+00", r#""2024-02-29T12:00:00+00:00""#),
            (Form::ZonedTimestamp, "2024-02-29 12:00:00-05:30", r#""2024-02-29T12:00:00-05:30""#),
            (Form::ZonedTimestamp, "1800-01-01 00:19:32+00:19:32", r#""1800-01-01T00:19:32+00:19:32""#),
            (Form::ZonedTimestamp, "0044-03-15 12:00:00+00 BC", r#""0044-03-15T12:00:00+00:00 BC""#),
        ] {
            assert_eq!(written(form, text), json, "{form:?} {text}");
        }
    }

    #[test]
    fn arrays_and_what_postgres_does_not_bring_have_no_form() {
        for unknown in [Type::INT4_ARRAY, Type::INT2_VECTOR, Type::RECORD] {
            assert_eq!(Form::of(unknown.oid()), None, "{unknown}");
        }
        assert_eq!(Form::of(16_384), None);
        assert_eq!(Form::of(Type::OID.oid()), Some(Form::Text), "a string in JSON");
    }
}
