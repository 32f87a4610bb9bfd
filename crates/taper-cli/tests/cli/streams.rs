//! Standard input of every format that is read from its beginning, into `predict`.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use crate::taper::{run, stderr, taper, train};

/// A model, and rows in every format: texts of several lines, with delimiters and quotes, and an empty one.
struct Bench {
    folder: tempfile::TempDir,
}

const CSV: &str = "\u{feff}id,title,verdict\r\na,One,\"Fine,\n\"\"really\"\".\"\r\nb,Two,\r\nc,\"Three, four\",Dull.\r\n";
const TSV: &str =
    "id\ttitle\tverdict\na\tOne\t\"Fine,\n\"\"really\"\".\"\nb\tTwo\t\nc\tThree, four\tDull.\n";
const JSONL: &str = r#"{"id":"a","title":"One","verdict":"Fine,\n\"really\"."}
{"id":"b","verdict":""}
{"verdict":"Dull.","id":"c"}
"#;

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        train(&folder.path().join("run"), &["--set", "train.epochs=1"]);
        Self { folder }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Gives `bytes` as standard input.
    fn pipe(&self, bytes: &[u8], options: &[&str]) -> Output {
        let mut child = taper()
            .args(["predict", &self.at("run"), "--input", "-"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that is refused unread closes the pipe.
        let _ = stdin.write_all(bytes);
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// What is written of `bytes` as standard input.
    fn piped(&self, bytes: &[u8], options: &[&str]) -> String {
        let output = self.pipe(bytes, &[&["--output", "-"][..], options].concat());
        assert!(output.status.success(), "{options:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What is written of `bytes` as a file called `name`.
    fn of_file(&self, name: &str, bytes: &[u8], options: &[&str]) -> String {
        let (input, out) = (self.at(name), self.at("out.jsonl"));
        fs::write(&input, bytes).unwrap();
        let arguments = ["predict", &self.at("run"), "-i", &input, "-o", &out];
        let output = run(&[&arguments[..], options].concat());
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        fs::read_to_string(&out).unwrap()
    }

    /// The message of a pipe that is refused.
    fn refused(&self, bytes: &[u8], options: &[&str]) -> String {
        let output = self.pipe(bytes, options);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{options:?}: {message}");
        message
    }
}

#[test]
fn a_pipe_says_what_a_file_says() {
    let bench = Bench::new();
    let column = ["--column", "verdict"];
    let told = |format: &'static str| [&["--input-format", format][..], &column].concat();
    let expected = bench.of_file("in.csv", CSV.as_bytes(), &column);
    assert_eq!(expected.lines().count(), 3);
    assert!(expected.contains(r#""text":"Fine,\n\"really\".""#), "{expected}");
    for (name, text, formats) in [
        ("in.csv", CSV, &["csv"][..]),
        ("in.tsv", TSV, &["csv", "tsv"][..]),
        ("in.jsonl", JSONL, &["jsonl"][..]),
    ] {
        assert_eq!(bench.of_file(name, text.as_bytes(), &column), expected, "{name}");
        for &format in formats {
            assert_eq!(bench.piped(text.as_bytes(), &told(format)), expected, "{name}, {format}");
            // A name that says nothing, and a first byte that says too little.
            let file = bench.of_file("nothing", text.as_bytes(), &told(format));
            assert_eq!(file, expected, "{name} without its ending, {format}");
        }
    }
    let message = bench.refused(CSV.as_bytes(), &told("tsv"));
    assert!(message.contains("no column `verdict`"), "{message}");

    // Plain lines, told or not: a table's are texts too.
    for lines in ["Fine, really.\n\nDull.", TSV, JSONL] {
        let file = bench.of_file("in.txt", lines.as_bytes(), &["--input-format", "text"]);
        assert_eq!(file.lines().count(), lines.lines().count());
        assert_eq!(bench.piped(lines.as_bytes(), &[]), file);
        assert_eq!(bench.piped(lines.as_bytes(), &["--input-format", "text"]), file);
    }

    for format in ["text", "csv", "tsv", "jsonl"] {
        assert_eq!(bench.piped(b"", &["--input-format", format]), "", "{format}");
    }
    let nothing = bench.pipe(b"", &["--input-format", "csv", "--json"]);
    assert_eq!(String::from_utf8(nothing.stdout).unwrap(), "[]\n");
}

#[test]
fn what_is_wrong_with_standard_input_is_named() {
    let bench = Bench::new();
    let says = |bytes: &str, options: &[&str], parts: &[&str]| {
        let message = bench.refused(bytes.as_bytes(), options);
        assert!(parts.iter().all(|part| message.contains(part)), "{options:?}: {message}");
    };
    let csv = &["--input-format", "csv"][..];
    let jsonl = &["--input-format", "jsonl"][..];
    // The row before it takes two lines.
    let table = "id,text\na,\"Fine,\nreally.\"\nb,Dull.,x\nc,Good.\n";
    says(table, csv, &["standard input, line 4", "has 3 fields, and the first row 2"]);
    let lines = "{\"text\": \"one\"}\n{\"text\": 2}\n{\"text\": \"three\"}\n";
    says(lines, jsonl, &["standard input, line 2", "holds a number, expected a string"]);
    for (bytes, options) in [(table, csv), (lines, jsonl)] {
        let skip = [options, &["--on-error", "skip", "--output", "-"]].concat();
        let output = bench.pipe(bytes.as_bytes(), &skip);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stderr(&output).contains("1 rows skipped; the first: standard input, line"));
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    }
    let open = "id,text\na,\"Fine\n";
    says(open, csv, &["standard input, line 2", "a quote opens in this row"]);

    // What only the user knows is asked for, as for a file.
    says("id,foo,bar\n1,Fine,x\n", csv, &["standard input", "id, foo, bar", "--column NAME"]);
    says("key,foo\na1,\"Fine, really.\"\n", csv, &["standard input", "(key, foo)", "--header yes"]);
    says("Fine.\nDull.\n", jsonl, &["standard input, line 1", "not a JSON object"]);
    says("[{\"text\": \"a\"}]\n", jsonl, &["standard input", "jq -c .[]"]);

    // Columns of lines that have none.
    for option in [["--column", "text"], ["--id-column", "id"], ["--header", "yes"]] {
        says("id,text\n", &option, &["has no columns", "`--input-format csv`"]);
    }
}

#[test]
fn parquet_needs_a_file() {
    let bench = Bench::new();
    let parquet = bench.at("in.parquet");
    let table = bench.at("in.csv");
    fs::write(&table, CSV).unwrap();
    let into_parquet =
        ["predict", &bench.at("run"), "-i", &table, "--column", "verdict", "-o", &parquet];
    assert!(run(&into_parquet).status.success());
    let bytes = fs::read(&parquet).unwrap();
    let message = bench.refused(&bytes, &["--input-format", "parquet"]);
    let parts = ["standard input is a stream", "Parquet is read from its end", "save it to a file"];
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_sent_to_standard_input() {
    use crate::taper::failure;
    use std::path::Path;
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("run");
    train(&model, &["--set", "train.epochs=1"]);
    let pipe = folder.path().join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let at = |path: &Path| path.to_str().unwrap().to_owned();
    let message = failure(&["predict", &at(&model), "-i", &at(&pipe)]);
    assert!(message.contains("--input -") && message.contains("--input-format"), "{message}");
}
