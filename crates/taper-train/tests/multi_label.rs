//! Texts of any number of labels, from a file to a model that predicts, judged, told of and exported.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use candle_core::Device;
use serde_json::Value;
use taper_train::assess::write_predictions;
use taper_train::model::ModelConfig;
use taper_train::prepare::{Dataset, PrepareOptions, VectorSource, prepare};
use taper_train::report::{self, Judgement};
use taper_train::{
    Contender, ImportOptions, Inference, Model, Outcome, Predictor, Prepared, Quantization, Recipe,
    Run, assess, compare, import, inspect, onnx, score, train,
};
use tempfile::TempDir;

const CUES: [(&str, [&str; 3]); 3] = [
    ("art", ["canvas", "gallery", "brush"]),
    ("law", ["court", "verdict", "judge"]),
    ("sport", ["match", "goal", "coach"]),
];
const FILLERS: [&str; 8] = ["the", "a", "of", "was", "and", "seen", "today", "again"];

/// Texts of fillers with a cue for each label they have: all eight sets come as often.
fn rows(count: usize, salt: usize) -> Vec<(String, Vec<&'static str>)> {
    let row = |n: usize| {
        let of = |place: usize| (n * 7919 + salt * 104_729 + place * 15_485_863) >> 3;
        let mut words: Vec<&str> = (0..4 + n % 5).map(|place| FILLERS[of(place) % 8]).collect();
        let mut labels = Vec::new();
        for (at, (label, cues)) in CUES.iter().enumerate() {
            if n >> at & 1 == 1 {
                words.insert(of(at + 20) % words.len(), cues[of(at + 30) % 3]);
                labels.push(*label);
            }
        }
        (words.join(" "), labels)
    };
    (0..count).map(row).collect()
}

struct Room(TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        for (split, count, salt) in [("train", 320, 1), ("validation", 80, 2), ("test", 80, 3)] {
            let mut lines = String::new();
            for (text, labels) in rows(count, salt) {
                writeln!(lines, "{}", serde_json::json!({ "text": text, "labels": labels }))
                    .unwrap();
            }
            room.write(&format!("data/{split}.jsonl"), &lines);
        }
        room
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), content).unwrap();
    }

    fn recipe(&self, more: &[&str]) -> Recipe {
        let keys = [
            &format!("data.dataset={}", self.at("data").display()),
            "data.labels=multi",
            "vectors.source=none",
            "vectors.dimensions=12",
            "model.hidden_size=12",
            "model.pooling=max",
            "model.dropout={ embedding = 0.0, between_layers = 0.0, output = 0.0 }",
            "train.epochs=8",
            "train.batch_size=16",
            "train.optimizer.learning_rate=0.02",
        ];
        let keys: Vec<String> = keys.iter().chain(more).map(|&key| key.to_owned()).collect();
        Recipe::parse("", "test", &keys).unwrap()
    }

    fn prepare(&self, recipe: &Recipe) -> taper_train::Result<Prepared> {
        let options = PrepareOptions {
            recipe,
            dataset: Dataset::Path(recipe.data.dataset.clone().into()),
            vectors: VectorSource::None,
            output: &self.at("prepared"),
        };
        prepare(&options, &mut |_| {})
    }

    fn train(
        &self,
        name: &str,
        recipe: &Recipe,
        prepared: &Prepared,
    ) -> taper_train::Result<Outcome> {
        let mut run = Run::create(&self.at(name), recipe, prepared)?;
        train(&mut run, prepared, &Device::Cpu, None, &AtomicBool::new(false), &mut |_| {})
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn judge(run: &Path, prepared: &Prepared, split: &str) -> Judgement {
    let (model, _) = Model::open(run, &Device::Cpu).unwrap();
    let inference = Inference::new(&model, Quantization::F32).unwrap();
    let encoded = prepared.encoded(split).unwrap();
    let (evaluation, scored) =
        score(&inference, &encoded, split, 32, &mut |_, _| true).unwrap().unwrap();
    let resampling = taper_train::metrics::Resampling { resamples: 20, ..Default::default() };
    let assessment = assess(prepared, &model.config, evaluation, &scored, resampling).unwrap();
    Judgement { assessment, scored }
}

#[test]
fn from_a_file_to_a_model_that_predicts() {
    let room = Room::new();
    let recipe = room.recipe(&[]);
    let prepared = room.prepare(&recipe).unwrap();
    let manifest = prepared.manifest();
    assert_eq!(manifest.class_names, ["art", "law", "sport"]);
    assert_eq!(manifest.splits["train"].labels, [160; 3]);
    assert_eq!(manifest.splits["train"].unlabelled, 0);
    let record = &prepared.records("test", &[6]).unwrap()[0];
    assert_eq!(record.labels, Some(vec![1, 2]));
    assert_eq!(manifest.label_of(record).as_deref(), Some("law | sport"));

    let Outcome::Finished(summary) = room.train("run", &recipe, &prepared).unwrap() else {
        panic!("it was not asked to stop");
    };
    let test = summary.test.unwrap();
    assert!(test.micro_f1.unwrap() > 0.97 && test.accuracy > 0.9, "{test:?}");
    let run = room.at("run");
    let config = json(&run.join("config.json"));
    assert_eq!(config["threshold"], 0.5);
    assert!(config.get("temperature").is_none());
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert!(metrics.contains("\"micro_f1\":"), "{metrics}");

    // Figures of the whole and of each label.
    let Judgement { assessment, scored } = judge(&run, &prepared, "test");
    assert_eq!(assessment.evaluation.correct, test.correct);
    let figures = &assessment.figures;
    assert!((figures.accuracy.unwrap().value - test.accuracy).abs() < 1e-12);
    let f1 = figures.micro_average.f1.unwrap();
    assert!((f1.value - test.micro_f1.unwrap()).abs() < 1e-12);
    assert!((figures.log_loss.unwrap().value - test.loss).abs() < 1e-5, "{figures:?} {test:?}");
    assert!(figures.hamming_loss.unwrap().value < 0.05);
    assert!(figures.classes.iter().all(|label| label.support == 40 && label.roc_auc.is_some()));
    assert!(assessment.confusion.is_none() && assessment.reliability.is_empty());
    assert_eq!(assessment.curves.len(), 3);

    // Predictions: of rows, and of texts.
    let (model, _) = Model::open(&run, &Device::Cpu).unwrap();
    let path = room.at("predictions.jsonl");
    write_predictions(&path, &prepared, &model.config, &scored).unwrap();
    let lines = fs::read_to_string(&path).unwrap();
    let line: Value = serde_json::from_str(lines.lines().nth(6).unwrap()).unwrap();
    assert_eq!(line["labels"], serde_json::json!(["law", "sport"]));
    assert!(line.get("label").is_none() && line["predicted"].is_array());
    let predictor = Predictor::open(&run, &Device::Cpu, Quantization::F32).unwrap();
    let said = predictor.predict(&["the judge seen a goal", "of the and a"]).unwrap();
    assert_eq!(said[0].labels, Some(vec!["law".to_owned(), "sport".to_owned()]));
    assert_eq!(said[1].labels, Some(Vec::new()));
    let sum: f32 = said[0].probabilities.iter().map(|pair| pair.1).sum();
    assert!(sum > 1.5, "each label has a probability of its own: {said:?}");

    // What tells of it leaves out what has no meaning.
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("Hamming loss") && page.contains("any number of labels"));
    assert!(!page.contains("Surest mistakes") && !page.contains("NaN"));
    for (plot, there) in [("roc", true), ("lengths", true), ("confusion", false), ("errors", false)]
    {
        assert_eq!(run.join(format!("plots/{plot}.svg")).is_file(), there, "{plot}");
    }
    let card = fs::read_to_string(run.join("README.md")).unwrap();
    assert!(card.contains("| split | texts | correct | accuracy | micro F1 |"), "{card}");
    assert!(card.contains("any number of these labels"), "{card}");
    let graph = onnx::encode(&model).unwrap();
    let has = |word: &[u8]| graph.windows(word.len()).any(|part| part == word);
    assert!(has(b"Sigmoid") && has(b"threshold") && !has(b"Softmax"));

    // Looked into: for a label against its absence.
    let inspector = inspect::Inspector::open(&run, &Device::Cpu).unwrap();
    let subject = inspect::Subject::from("the judge was seen".to_owned());
    let seen = inspector.inspect(&[subject], inspect::Method::GradientXInput).unwrap();
    assert_eq!(
        (seen.texts[0].target.toward.as_str(), seen.texts[0].target.away.as_str()),
        ("law", "not law")
    );
    assert!((seen.texts[0].prediction.probability - 1.0).abs() < 0.1);

    // Compared: with itself there is no difference; with one of a class a text there is no comparing.
    let contender =
        Contender { name: "run", config: &model.config, prepared: &prepared, scored: &scored };
    let found = compare(contender, contender, 1, assessment.resampling).unwrap();
    assert_eq!((found.rows, found.first.correct), (80, test.correct));
    assert_eq!(&found.first.figures, figures);
    let by_label = found.by_label.unwrap();
    assert!(by_label.labels.iter().all(|test| test.holm_p == 1.0), "{by_label:?}");
    assert_eq!(by_label.micro_f1_difference.value, 0.0);
    let one_class = ModelConfig { threshold: None, ..model.config.clone() };
    let other = Contender { name: "other", config: &one_class, ..contender };
    let message = compare(other, contender, 1, assessment.resampling).unwrap_err().to_string();
    assert!(message.contains("other gives a text one class, run any number"), "{message}");

    // Its weights come back as those of a PyTorch model with a sigmoid.
    let mut options = ImportOptions {
        weights: run.join("model.safetensors"),
        tokenizer: run.join("tokenizer.json"),
        renames: Vec::new(),
        pooling: Some(taper_train::recipe::Pooling::Max),
        padding: taper_train::recipe::Padding::Mask,
        class_names: ["art", "law", "sport"].map(str::to_owned).to_vec(),
        multi_label: true,
        max_length: None,
    };
    import(&options, &room.at("imported")).unwrap();
    let imported = Predictor::open(&room.at("imported"), &Device::Cpu, Quantization::F32).unwrap();
    let again = imported.predict(&["the judge seen a goal", "of the and a"]).unwrap();
    assert_eq!(again, said);
    options.class_names.pop();
    let message = import(&options, &room.at("other")).unwrap_err().to_string();
    assert!(message.contains("3 logits, which are 3 labels; 2 names are given"), "{message}");
    report::write(&run, None, None, None).unwrap();
}

#[test]
fn weights_smoothing_and_interruption() {
    let room = Room::new();
    let more = ["train.class_weights=balanced", "train.label_smoothing=0.1", "train.epochs=3"];
    let recipe = room.recipe(&more);
    let prepared = room.prepare(&recipe).unwrap();
    let whole = room.train("whole", &recipe, &prepared).unwrap();
    assert!(matches!(whole, Outcome::Finished(_)));
    // Stopped after an epoch and resumed, the weights have the same bits.
    let mut run = Run::create(&room.at("parts"), &recipe, &prepared).unwrap();
    let stop = AtomicBool::new(false);
    let mut epochs = 0;
    let outcome = train(&mut run, &prepared, &Device::Cpu, None, &stop, &mut |event| {
        if matches!(event, taper_train::TrainEvent::EpochFinished { .. }) {
            epochs += 1;
            stop.store(epochs == 1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    assert!(matches!(outcome.unwrap(), Outcome::Interrupted { .. }));
    drop(run);
    let mut run = Run::open(&room.at("parts")).unwrap();
    train(&mut run, &prepared, &Device::Cpu, None, &AtomicBool::new(false), &mut |_| {}).unwrap();
    let weights = |name: &str| fs::read(room.at(name).join("model.safetensors")).unwrap();
    assert!(weights("whole") == weights("parts"));
}

#[test]
fn what_cannot_be_is_said() {
    let room = Room::new();
    let conflict = |keys: &[&str]| {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        Recipe::parse("", "test", &keys).unwrap_err().to_string()
    };
    let by_label = "data.hold_out={ fraction = 0.1, by = \"label\" }";
    assert!(conflict(&["data.labels=multi", by_label]).contains("of no single one"));
    assert!(conflict(&["data.label_separator=;"]).contains("needs `data.labels` = \"multi\""));
    assert!(conflict(&["data.labels=several"]).contains("multi"));

    // Lists where a text has one label; a label that only test has; a text with one twice.
    let one = room.recipe(&["data.labels=single"]);
    let message = room.prepare(&one).unwrap_err().to_string();
    assert!(message.contains("`labels` holds a list"), "{message}");
    let multi = room.recipe(&[]);
    let prepared = room.prepare(&multi).unwrap();
    let message = room.train("run", &one, &prepared).unwrap_err().to_string();
    assert!(message.contains("prepared with `data.labels` = \"multi\""), "{message}");
    drop(prepared);
    room.write("data/test.jsonl", "{\"text\":\"a\",\"labels\":[\"art\",\"war\"]}\n");
    let message = room.prepare(&multi).unwrap_err().to_string();
    assert!(message.contains("test.jsonl, line 1 has the unknown label war"), "{message}");
    room.write("data/test.jsonl", "{\"text\":\"a\",\"labels\":[\"art\",\"art\"]}\n");
    let message = room.prepare(&multi).unwrap_err().to_string();
    assert!(message.contains("line 1: has the label `art` twice"), "{message}");
    for split in ["train", "validation", "test"] {
        room.write(&format!("data/{split}.jsonl"), "{\"text\":\"a\",\"labels\":[]}\n");
    }
    let message = room.prepare(&multi).unwrap_err().to_string();
    assert!(message.contains("no text of the training split has a label"), "{message}");
}
