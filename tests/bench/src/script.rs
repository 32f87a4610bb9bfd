//! A rival in a process of its own that is asked line by line: a Python script beside this package, or a program.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A running script.
pub(crate) struct Script {
    name: &'static str,
    child: Child,
    /// `None` once the script is told to end.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    hello: Value,
}

impl Script {
    /// Starts a script of a folder, as a rule this package's.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn python<A: AsRef<OsStr>>(
        python: &Path,
        folder: &Path,
        name: &'static str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self> {
        Self::start(name, Command::new(python).arg(folder.join(name)).args(arguments))
    }

    /// Starts a program and reads its first line, which is about the process.
    ///
    /// # Errors
    /// Where it does not start, or the line is `{"error": why}`.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let program = Path::new(command.get_program()).display().to_string();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("not installed: {program} does not start"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stdout = BufReader::new(stdout.context("the script has no output")?);
        let mut script = Self { name, child, stdin, stdout, hello: Value::Null };
        script.hello = script.read().context("not installed")?;
        if let Some(why) = script.hello["error"].as_str() {
            bail!("not installed for {program}: {why}");
        }
        Ok(script)
    }

    /// What the script said of itself under `key`; `None` where it is null.
    pub(crate) fn about(&self, key: &str) -> Option<&str> {
        self.hello[key].as_str()
    }

    /// Asks for something and how long it took.
    ///
    /// # Errors
    /// Where the script has ended, or answers `{"error": why}`.
    pub(crate) fn seconds(&mut self, line: &str) -> Result<f64> {
        let stdin = self.stdin.as_mut().context("the script has ended")?;
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).context("the script has ended")?;
        let answer = self.read()?;
        match answer["seconds"].as_f64() {
            Some(seconds) => Ok(seconds),
            None => bail!("{line}: {}", answer["error"]),
        }
    }

    /// The process that does the work.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    fn read(&mut self) -> Result<Value> {
        let (name, mut line) = (self.name, String::new());
        if self.stdout.read_line(&mut line)? == 0 {
            bail!("{name} ended without an answer");
        }
        serde_json::from_str(&line).with_context(|| format!("{name} answered {line}"))
    }
}

impl Drop for Script {
    /// The end of its input ends the script; nothing can be done about what fails here.
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
