//! The rivals in Python (`text_peers.py`), in one process that is asked for one at a time.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use serde::Serialize;
use taper_text::Tokenizer;
use tempfile::TempDir;

use super::entry::{Entry, Task};
use super::texts::{Texts, bytes};
use super::{Absent, align, encode};
use crate::args::TextArgs;
use crate::peers;
use crate::script::Script;

/// A rival, by the name that the script knows as well.
struct Peer {
    name: &'static str,
    /// What Python must import; also the key of its version in what the script says of itself.
    module: &'static str,
    about: &'static str,
    /// Megabytes of text, so that it takes seconds; `None` for vectors.
    megabytes: Option<usize>,
    against: &'static str,
}

const PEERS: [Peer; 7] = [
    Peer {
        name: "spacy",
        module: "spacy",
        about: "blank English tokenizer and a dict, its cache of words warm after a round",
        megabytes: Some(2),
        against: encode::ENTRIES[0],
    },
    Peer {
        name: "spacy-first-pass",
        module: "spacy",
        about: "the same made anew for every round: it has met none of the texts",
        megabytes: Some(8),
        against: encode::ENTRIES[0],
    },
    Peer {
        name: "tokenizers-whitespace",
        module: "tokenizers",
        about: "WordLevel behind Whitespace, one thread",
        megabytes: Some(8),
        against: encode::ENTRIES[0],
    },
    Peer {
        name: "tokenizers-spacy",
        module: "tokenizers",
        about: "Taper's tokenizer.json of `spacy`, one thread",
        megabytes: Some(1),
        against: encode::ENTRIES[0],
    },
    Peer {
        name: "tokenizers-english",
        module: "tokenizers",
        about: "Taper's tokenizer.json of `english`, one thread",
        megabytes: Some(4),
        against: encode::ENTRIES[1],
    },
    Peer {
        name: "polars",
        module: "polars",
        about: "reads the vector file, all threads",
        megabytes: None,
        against: align::NAME,
    },
    Peer {
        name: "python",
        module: "python",
        about: "parses the wanted words' numbers, one thread",
        megabytes: None,
        against: align::NAME,
    },
];

pub(super) fn choose(peers: &[String]) -> Result<Vec<&'static str>> {
    peers::choose(&PEERS.map(|peer| peer.name), &[], peers)
}

/// What the rivals are given.
pub(super) struct Asked<'a> {
    pub(super) args: &'a TextArgs,
    pub(super) texts: &'a Texts,
    pub(super) encoders: &'a [Tokenizer],
    pub(super) words: &'a [String],
}

/// The process, and the folder it reads.
struct Process {
    script: Script,
    folder: TempDir,
}

impl Asked<'_> {
    /// An entry for each of `names` that Python has; the others are absent.
    pub(super) fn entries(
        &self,
        names: &[&str],
        absent: &mut Absent,
    ) -> Result<Vec<Entry<'static>>> {
        let (peers, blind): (Vec<&Peer>, Vec<&Peer>) = PEERS
            .iter()
            .filter(|peer| names.contains(&peer.name))
            .partition(|peer| peer.megabytes.is_some() || self.args.vectors.is_some());
        absent.extend(blind.iter().map(|peer| (peer.name.into(), "needs --vectors".into())));
        if peers.is_empty() {
            return Ok(Vec::new());
        }
        let folder = self.folder()?;
        let process = match self.start(&folder) {
            Ok(script) => Rc::new(RefCell::new(Process { script, folder })),
            Err(error) => {
                absent.extend(peers.iter().map(|peer| (peer.name.into(), format!("{error:#}"))));
                return Ok(Vec::new());
            }
        };
        let mut entries = Vec::new();
        for peer in peers {
            let version = process.borrow().script.about(peer.module).map(str::to_owned);
            if let Some(version) = version {
                entries.push(self.entry(peer, &version, &process)?);
            } else {
                let python = self.args.python.display();
                absent.push((peer.name.into(), format!("not installed for {python}")));
            }
        }
        Ok(entries)
    }

    fn start(&self, folder: &TempDir) -> Result<Script> {
        let mut arguments = vec!["--folder".into(), folder.path().as_os_str().to_owned()];
        arguments.extend(["--dimensions".into(), align::DIMENSIONS.to_string().into()]);
        if let Some(vectors) = &self.args.vectors {
            arguments.extend(["--vectors".into(), vectors.as_os_str().to_owned()]);
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        Script::python(&self.args.python, folder, "text_peers.py", arguments)
    }

    /// Tokenizers and words; texts follow with the entries that take them.
    fn folder(&self) -> Result<TempDir> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        for (name, encoder) in encode::NAMES.iter().zip(self.encoders) {
            encoder.save(&folder.path().join(format!("{name}.json")))?;
        }
        write(&folder, "words.json", self.words)?;
        Ok(folder)
    }

    fn entry(
        &self,
        peer: &'static Peer,
        version: &str,
        process: &Rc<RefCell<Process>>,
    ) -> Result<Entry<'static>> {
        let (task, line) = match peer.megabytes {
            Some(megabytes) => {
                let (part, file) = (self.texts.part(megabytes), format!("texts-{megabytes}.json"));
                write(&process.borrow().folder, &file, &part)?;
                (Task::Encode(bytes(&part) as f64 / 1e6), format!("{} {file}", peer.name))
            }
            None => (Task::Whole, peer.name.to_owned()),
        };
        let about = format!("{} {version}, {}", peer.module, peer.about);
        let process = process.clone();
        let run = move || process.borrow_mut().script.seconds(&line);
        Ok(Entry::new((peer.name, peer.against), about, task, run))
    }
}

fn write<T: Serialize + ?Sized>(folder: &TempDir, name: &str, contents: &T) -> Result<()> {
    let path = folder.path().join(name);
    fs::write(&path, serde_json::to_vec(contents)?)
        .with_context(|| format!("cannot write {}", path.display()))
}
