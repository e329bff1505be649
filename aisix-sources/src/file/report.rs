//! What is wrong with a file.

use std::fmt;

/// Everything that is wrong with a resources file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    file: String,
    problems: Vec<Problem>,
}

/// Something that is wrong with a resources file. Holds no values of secret fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: an entry such as `models[2] ("gpt-4o")`, or `(file)`.
    pub scope: String,
    /// What.
    pub message: String,
}

/// Collects problems while a file is read.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

// === impl Report ===

impl Report {
    pub(super) fn new(file: &str, problems: Problems) -> Self {
        Self {
            file: file.to_owned(),
            problems: problems.0,
        }
    }

    /// A report of one problem with the whole file.
    pub(super) fn of_file(file: &str, message: impl Into<String>) -> Self {
        let mut problems = Problems::default();
        problems.file(message);
        Self::new(file, problems)
    }

    /// The problems, in the order in which they were found.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, count) = (&self.file, self.problems.len());
        write!(f, "resources file {file}: {count} error(s):")?;
        for Problem { scope, message } in &self.problems {
            write!(f, "\n  - {scope}: {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

// === impl Problems ===

impl Problems {
    /// Notes a problem with the whole file.
    pub(super) fn file(&mut self, message: impl Into<String>) {
        self.at("(file)", message);
    }

    /// Notes a problem with the whole file, if there is one.
    pub(super) fn extend_file(&mut self, message: Option<String>) {
        if let Some(message) = message {
            self.file(message);
        }
    }

    /// Notes a problem with an entry.
    pub(super) fn at(&mut self, scope: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            scope: scope.into(),
            message: message.into(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
