use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{ConfigError, Duration, Size};

/// One JSON object of a configuration, taken apart member by member. What nobody took is unknown, and an error.
pub(super) struct Fields<'a> {
    path: String,
    rest: Map<String, Value>,
    warnings: &'a mut Vec<String>,
}

impl<'a> Fields<'a> {
    /// The members of `value`, which is at `path` of the file (empty for the whole).
    pub(super) fn of(path: &str, value: Value, warnings: &'a mut Vec<String>) -> Result<Self, ConfigError> {
        match value {
            Value::Object(rest) => Ok(Self { path: path.to_owned(), rest, warnings }),
            _ => Err(ConfigError::wrong(if path.is_empty() { "(the whole file)" } else { path }, "must be an object")),
        }
    }

    /// The full name of a member.
    pub(super) fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// An error about a member.
    pub(super) fn wrong(&self, field: &str, why: impl Into<String>) -> ConfigError {
        ConfigError::Field { field: self.name(field), why: why.into() }
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        // The order of what is left does not matter, but the first unknown member is the one to name.
        self.rest.shift_remove(field).filter(|value| !value.is_null())
    }

    /// Takes a member apart with `read`; an absent one is an empty object.
    pub(super) fn section<T>(
        &mut self,
        field: &str,
        read: impl FnOnce(Fields<'_>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let value = self.take(field).unwrap_or_else(|| Value::Object(Map::new()));
        let path = self.name(field);
        read(Fields::of(&path, value, self.warnings)?)
    }

    /// As [`Self::section`], but an absent member stays absent.
    pub(super) fn optional<T>(
        &mut self,
        field: &str,
        read: impl FnOnce(Fields<'_>) -> Result<T, ConfigError>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.take(field) else { return Ok(None) };
        let path = self.name(field);
        read(Fields::of(&path, value, self.warnings)?).map(Some)
    }

    /// As [`Self::section`], but it must be there.
    pub(super) fn needed<T>(
        &mut self,
        field: &str,
        read: impl FnOnce(Fields<'_>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        self.optional(field, read)?.ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// The elements of a list of objects, each taken apart with `read`.
    pub(super) fn list<T>(
        &mut self,
        field: &str,
        mut read: impl FnMut(Fields<'_>) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        let mut list = Vec::new();
        for (index, item) in self.array(field)?.into_iter().enumerate() {
            let path = format!("{}[{index}]", self.name(field));
            list.push(read(Fields::of(&path, item, self.warnings)?)?);
        }
        Ok(list)
    }

    /// The named members of an object of objects, each taken apart with `read`.
    pub(super) fn named<T>(
        mut self,
        mut read: impl FnMut(String, Fields<'_>) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        let mut list = Vec::new();
        for (name, value) in std::mem::take(&mut self.rest) {
            let path = self.name(&name);
            list.push(read(name, Fields::of(&path, value, self.warnings)?)?);
        }
        Ok(list)
    }

    fn array(&mut self, field: &str) -> Result<Vec<Value>, ConfigError> {
        match self.take(field) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.wrong(field, "must be a list")),
        }
    }

    /// A text.
    pub(super) fn text(&mut self, field: &str) -> Result<Option<String>, ConfigError> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(field, "must be a string")),
        }
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, field: &str) -> Result<String, ConfigError> {
        self.text(field)?.ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// A path, relative to the working directory.
    pub(super) fn file(&mut self, field: &str) -> Result<Option<PathBuf>, ConfigError> {
        match self.text(field)? {
            Some(text) if text.is_empty() => Err(self.wrong(field, "must not be empty")),
            text => Ok(text.map(PathBuf::from)),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, field: &str) -> Result<Vec<String>, ConfigError> {
        let items = self.array(field)?;
        let text = |(index, item): (usize, Value)| match item {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong(&format!("{field}[{index}]"), "must be a string")),
        };
        items.into_iter().enumerate().map(text).collect()
    }

    /// An integer between `least` and `most`.
    pub(super) fn number(&mut self, field: &str, least: u64, most: u64) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.take(field) else { return Ok(None) };
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        let number = number.ok_or_else(|| self.wrong(field, format!("must be an integer from {least} to {most}")));
        number.map(Some)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, field: &str) -> Result<Option<bool>, ConfigError> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(field, "must be true or false")),
        }
    }

    /// A size such as `5MB`.
    pub(super) fn size(&mut self, field: &str) -> Result<Option<Size>, ConfigError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        Size::parse(&text).map(Some).map_err(|why| self.wrong(field, why))
    }

    /// A duration such as `1000ms`.
    pub(super) fn duration(&mut self, field: &str) -> Result<Option<Duration>, ConfigError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        super::units::duration(&text).map(Some).map_err(|why| self.wrong(field, why))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, field: &str, words: &[(&str, T)]) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        let known = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let all = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        known.map(Some).ok_or_else(|| self.wrong(field, format!("is {text:?}, must be one of: {}", all())))
    }

    /// Members that this service refuses because it would not do what they ask.
    pub(super) fn refuse(&mut self, fields: &[&str], why: &str) -> Result<(), ConfigError> {
        for field in fields {
            let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
            if self.take(field).is_some_and(|value| !empty(&value)) {
                return Err(self.wrong(field, format!("is not supported: {why}")));
            }
        }
        Ok(())
    }

    /// Members that are taken and mean nothing here, with a warning.
    pub(super) fn ignore(&mut self, fields: &[&str], why: &str) {
        for field in fields {
            if self.take(field).is_some() {
                let name = self.name(field);
                self.warnings.push(format!("{name} has no effect: {why}"));
            }
        }
    }

    /// The end: whatever is left is unknown.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(unknown) => Err(ConfigError::Unknown { field: self.name(unknown) }),
        }
    }
}
