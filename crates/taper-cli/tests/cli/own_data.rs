//! A data set of one's own, in the aclImdb tree's layout, with texts nobody hoped for.

use std::fs;
use std::path::Path;

use crate::taper::{failure, json, stderr};

/// Forty reviews a split, and one each of 100,000 tokens, of markup alone, and of one word.
fn tree(root: &Path) {
    for split in ["train", "test"] {
        for (class, word) in [("neg", "dull"), ("pos", "bright")] {
            let folder = root.join(split).join(class);
            fs::create_dir_all(&folder).unwrap();
            for index in 0..20 {
                let text = format!("A {word} film, number {index}.");
                fs::write(folder.join(format!("{index}_5.txt")), text).unwrap();
            }
        }
    }
    let train = root.join("train/neg");
    fs::write(train.join("20_1.txt"), "dull ".repeat(100_000)).unwrap();
    fs::write(train.join("21_1.txt"), "<br /><br />").unwrap();
    fs::write(train.join("22_1.txt"), "dull").unwrap();
}

const SETTINGS: [&str; 10] = [
    "--vectors",
    "none",
    "--set",
    "model.hidden_size=4",
    "--set",
    "train.epochs=1",
    "--set",
    "train.max_length=none",
    "--set",
    "data.hold_out={ fraction = 0.2, by = \"record\" }",
];

#[test]
fn a_text_of_no_token_and_one_of_100_000_train_in_their_batches() {
    let folder = tempfile::tempdir().unwrap();
    let [data, prepared, run] = ["data", "prepared", "run"].map(|name| folder.path().join(name));
    tree(&data);
    let [data, prepared, run] = [data, prepared, run].map(|path| path.to_str().unwrap().to_owned());
    let mut arguments =
        vec!["train", "--json", "--dataset", &data, "--prepared", &prepared, "--out", &run];
    arguments.extend(SETTINGS);
    let outcome = json(&arguments);
    assert_eq!(outcome["test"]["rows"], 40);
    // Without a validation split to choose the model by, the advice is one that can be followed.
    let [whole, refused] = ["whole", "refused"].map(|name| folder.path().join(name));
    let [whole, refused] = [&whole, &refused].map(|path| path.to_str().unwrap());
    let advised = ["train", "--dataset", &data, "--vectors", "none"];
    let message = failure(&[&advised[..], &["--prepared", whole, "--out", refused]].concat());
    assert!(message.contains("--set data.hold_out.fraction=0.1"), "{message}");
    let manifest = fs::read_to_string(Path::new(&prepared).join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let sum = |key: &str| -> u64 {
        ["train", "validation"]
            .map(|split| manifest["splits"][split][key].as_u64().unwrap())
            .iter()
            .sum()
    };
    assert_eq!((sum("rows"), sum("empty")), (43, 1));
    let longest =
        ["train", "validation"].map(|split| manifest["splits"][split]["longest"].as_u64());
    assert_eq!(longest.into_iter().flatten().max(), Some(100_000));
}

#[test]
fn three_classes_in_a_csv_with_columns_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(at("news")).unwrap();
    let words = [("World", "war treaty"), ("Sports", "goal match"), ("Sci/Tech", "chip probe")];
    let file = |rows: usize| -> String {
        let row = |row: usize| {
            let (class, text) = words[row % 3];
            format!("{row};{class};Title {row};\"{text}; {text}\"\n")
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        "no;section;headline;lead\n".to_owned() + &rows.concat()
    };
    fs::write(at("news/train.csv"), file(150)).unwrap();
    fs::write(at("news/test.csv"), file(30) + "30;Sport;odd;one out\n").unwrap();
    let [news, prepared, run] = ["news", "prepared", "run"].map(at);
    let settings = [
        ["--dataset", &news],
        ["--vectors", "none"],
        ["--set", "data.columns.text=headline,lead"],
        ["--set", "data.columns.label=section"],
        ["--set", "data.hold_out={ fraction = 0.2, by = \"label\" }"],
        ["--set", "model.hidden_size=8"],
        ["--set", "train.epochs=4"],
        ["--prepared", &prepared],
    ]
    .concat();
    let with = |verb: &[&'static str]| {
        verb.iter().copied().chain(settings.iter().copied()).collect::<Vec<&str>>()
    };

    let plan = crate::taper::run(&with(&["prepare", "--dry-run"]));
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(
        plan.contains("columns  1 no | 2 section = label | 3 headline = text | 4 lead = text"),
        "{plan}"
    );
    assert_eq!(plan.matches("\nrow ").count(), 5, "{plan}");
    assert!(!Path::new(&prepared).exists(), "a dry run writes nothing");

    let message = failure(&with(&["prepare"]));
    assert!(message.contains("test.csv, line 32 has the unknown label Sport"), "{message}");
    let outcome =
        json(&[&with(&["train", "--json", "--on-error", "skip"])[..], &["--out", &run]].concat());
    assert_eq!(outcome["test"]["rows"], 30);
    assert!(outcome["test"]["accuracy"].as_f64().unwrap() > 0.9, "{outcome}");
    let rejected = fs::read_to_string(Path::new(&prepared).join("corpus/rejected.jsonl")).unwrap();
    assert!(rejected.contains("\"line\":32"), "{rejected}");
    let predicted = json(&["predict", "--json", &run, "Title 2\nchip probe; chip probe"]);
    assert_eq!(predicted[0]["label"], "Sci/Tech");
    assert_eq!(predicted[0]["probabilities"].as_object().unwrap().len(), 3);
}

#[test]
fn a_bad_file_stops_the_preparation_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, prepared) = (folder.path().join("data"), folder.path().join("prepared"));
    tree(&data);
    let (data_path, prepared_path) = (data.to_str().unwrap(), prepared.to_str().unwrap());
    let mut arguments =
        vec!["prepare", "--json", "--dataset", data_path, "--prepared", prepared_path];
    arguments.extend(SETTINGS);
    json(&arguments);
    let before = fs::read(prepared.join("manifest.json")).unwrap();

    fs::write(data.join("train/pos/3_5.txt"), b"caf\xe9").unwrap();
    let message = failure(&arguments);
    assert!(message.contains("3_5.txt") && message.contains("UTF-8"), "{message}");
    assert_eq!(fs::read(prepared.join("manifest.json")).unwrap(), before);

    // Mended, the stages are as they were.
    fs::write(data.join("train/pos/3_5.txt"), "A bright film, number 3.").unwrap();
    let output = crate::taper::run(&arguments);
    assert!(stderr(&output).contains("encoded: up to date"), "{}", stderr(&output));
}

#[test]
fn a_bad_line_among_the_vectors_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = folder.path().join("prepared");
    let vectors = folder.path().join("vectors.txt");
    let good = |word: &str| format!("{word} {}\n", vec!["0.5"; 100].join(" "));
    for (line, parts) in [
        ("film 0.1 0.2\n".to_owned(), ["line 2", "2"]),
        (good("film").replacen("0.5", "half", 1), ["line 2", "half"]),
    ] {
        fs::write(&vectors, good("the") + &line).unwrap();
        let message = failure(&[
            "prepare",
            "--vectors",
            vectors.to_str().unwrap(),
            "--prepared",
            prepared.to_str().unwrap(),
        ]);
        for part in parts.into_iter().chain(["vectors.txt"]) {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }

    // Mended, and with a header: the summary says what is covered, what would be, and what is missing.
    fs::write(&vectors, ["2 100\n", &good("the"), &good("film")].concat()).unwrap();
    let [vectors, prepared] = [&vectors, &prepared].map(|path| path.to_str().unwrap());
    let output = crate::taper::run(&["prepare", "--vectors", vectors, "--prepared", prepared]);
    for part in [
        "vectors for 2 of 10,000 words",
        "vectors.missing = \"subwords\" gives a row to",
        "most frequent without a vector: ",
    ] {
        assert!(stderr(&output).contains(part), "{} lacks {part:?}", stderr(&output));
    }
    let report = fs::read_to_string(Path::new(prepared).join("coverage.json")).unwrap();
    assert!(report.contains("\"format\": \"word2vec-text\""), "{report}");
}

#[test]
fn a_path_that_exists_wins_over_a_data_set_of_the_hub() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("someone/news");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("train.csv"), "text,label\nTwo goals,Sports\nA probe lands,World\n")
        .unwrap();
    let run = |arguments: &[&str]| {
        let mut taper = crate::taper::taper();
        taper.current_dir(folder.path()).env("HF_HOME", folder.path()).args(arguments);
        taper.output().unwrap()
    };
    let planned = run(&["prepare", "--dry-run", "--dataset", "someone/news"]);
    let shown = String::from_utf8_lossy(&planned.stdout).into_owned();
    assert!(planned.status.success() && shown.contains("[Sports]"), "{shown}");
    let set = ["prepare", "--dataset", "someone/news", "--set", "data.hub.config=en"];
    let message = stderr(&run(&set));
    assert!(message.contains("a path that exists wins"), "{message}");
    let message = stderr(&run(&["prepare", "--dataset", "someone/else"]));
    assert!(message.contains("no such file or folder here"), "{message}");
    assert!(message.contains("offline"), "{message}");
}

#[test]
fn a_tokenizer_json_of_somebody_else_is_trained_and_predicted_with() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    tree(&data);
    fs::remove_file(data.join("train/neg/20_1.txt")).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../taper-text/tests/golden");
    // Of BERT's kind, every text has [CLS] and [SEP]; of GPT-2's, nothing is unknown and an empty text has no token.
    for (name, rows, empty) in [("word-piece", 300, 2), ("byte-bpe", 401, 0)] {
        let at = |kind: &str| folder.path().join(format!("{name}-{kind}"));
        let file = at("file.json");
        fs::copy(golden.join(format!("foreign-{name}.tokenizer.json")), &file).unwrap();
        let [data, prepared, run] = [data.clone(), at("prepared"), at("run")];
        let [data, prepared, run] = [&data, &prepared, &run].map(|path| path.to_str().unwrap());
        let tokenizer = format!("text.tokenizer={}", file.display());
        let mut arguments = vec!["train", "--json", "--dataset", data, "--prepared", prepared];
        arguments.extend(["--out", run, "--set", &tokenizer, "--set", "model.padding=tutorial"]);
        arguments.extend(SETTINGS);
        let message = failure(&arguments);
        assert!(message.contains("brings its vocabulary with it"), "{message}");
        arguments.extend(["--set", "text.max_vocabulary=none"]);
        assert_eq!(json(&arguments)["test"]["rows"], 40);
        let kept = fs::read(Path::new(run).join("tokenizer.json")).unwrap();
        assert_eq!(kept, fs::read(&file).unwrap(), "the run has the file itself");
        let manifest = fs::read_to_string(Path::new(prepared).join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["vocabulary"], rows, "{name}");

        // The same file elsewhere is the same tokenizer; the run needs neither.
        let moved = at("moved.json");
        fs::rename(&file, &moved).unwrap();
        let tokenizer = format!("text.tokenizer={}", moved.display());
        let mut again = vec!["prepare", "--dataset", data, "--prepared", prepared];
        again.extend(["--set", &tokenizer, "--set", "text.max_vocabulary=none"]);
        again.extend(SETTINGS);
        let output = crate::taper::run(&again);
        assert!(stderr(&output).contains("text: up to date"), "{}", stderr(&output));
        fs::remove_file(&moved).unwrap();
        let predicted = json(&["predict", "--json", run, "", "A bright film"]);
        assert_eq!(predicted[0]["tokens"], empty, "{predicted}");
        assert!(predicted[1]["tokens"].as_u64().unwrap() > 3, "{predicted}");
    }
}
