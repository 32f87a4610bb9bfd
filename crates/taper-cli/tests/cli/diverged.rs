//! A run whose numbers go out of bounds ends there, and keeps nothing that is no number.

use std::fs;
use std::path::Path;

use candle_core::{Device, safetensors};

use crate::taper::{checkpoints, failure, training};

#[test]
fn a_loss_that_is_no_number_keeps_the_checkpoint_and_shows_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut arguments = training(&out);
    // Every step makes the weights some million times larger.
    let settings = [
        "train.optimizer.kind=sgd",
        "train.optimizer.learning_rate=1000",
        "train.optimizer.weight_decay=1000",
        "train.checkpoint.every_steps=1",
    ];
    for setting in settings {
        arguments.extend(["--set".to_owned(), setting.to_owned()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let message = failure(&arguments);
    let newest = checkpoints(&out).pop().unwrap();
    assert!(message.contains("batch ") && message.contains(&newest), "{message}");
    let dump: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("diverged.json")).unwrap()).unwrap();
    assert_eq!(dump["texts"].as_array().unwrap().len(), 8);
    assert_eq!(newest, format!("step-{:08}", dump["step"].as_u64().unwrap() - 1));
}

/// SGD whose decay makes every weight some million times larger at each step: the seventh is infinite.
const GROWS: [&str; 10] = [
    "vectors.dimensions=8",
    "model.hidden_size=6",
    "model.pooling=last",
    "train.batch_size=200",
    "train.clip_norm=none",
    "train.optimizer.kind=sgd",
    "train.optimizer.learning_rate=1000",
    "train.optimizer.weight_decay=900",
    "train.checkpoint.keep_last=1",
    "train.checkpoint.keep_best=false",
];

/// Two classes, a word each; a step learns all texts of the training split.
fn data(folder: &Path) -> String {
    let dataset = folder.join("data");
    fs::create_dir(&dataset).unwrap();
    for (split, rows) in [("train", 40), ("validation", 10), ("test", 10)] {
        let row = |row: usize| match row % 2 {
            0 => format!("good n{row},a\n"),
            _ => format!("bad n{row},b\n"),
        };
        let rows: String = (0..rows).map(row).collect();
        fs::write(dataset.join(format!("{split}.csv")), format!("text,label\n{rows}")).unwrap();
    }
    dataset.to_str().unwrap().to_owned()
}

fn is_finite(path: &Path) -> bool {
    let tensors = safetensors::load(path, &Device::Cpu).unwrap();
    tensors.values().all(|tensor| {
        let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.iter().all(|value| value.is_finite())
    })
}

#[test]
fn weights_that_are_no_numbers_are_neither_kept_nor_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = data(folder.path());
    let prepared = folder.path().join("prepared");
    let cases: [&[&str]; 4] = [
        // At the last step of all, where no loss comes after it.
        &["train.epochs=7", "train.select=last"],
        &["train.epochs=7", "train.select=best"],
        &["train.epochs=7", "train.ema=0.5"],
        // Kept before the next loss is seen.
        &["train.epochs=20", "train.checkpoint.every_steps=1"],
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let out = folder.path().join(format!("run{number}"));
        let mut arguments = vec!["train", "-q", "--dataset", &dataset, "--vectors", "none"];
        arguments.extend(["--prepared", prepared.to_str().unwrap()]);
        arguments.extend(["--out", out.to_str().unwrap()]);
        arguments.extend(GROWS.iter().chain(case).flat_map(|setting| ["--set", setting]));
        let message = failure(&arguments);
        assert!(message.contains("epoch 7, batch 1 (step 7): `"), "{case:?}: {message}");
        assert!(message.contains("holds an infinity or a NaN"), "{case:?}: {message}");
        assert!(message.contains("goes on from step-00000006-evaluated"), "{case:?}: {message}");
        let dump: serde_json::Value =
            serde_json::from_slice(&fs::read(out.join("diverged.json")).unwrap()).unwrap();
        assert_eq!(dump["texts"].as_array().unwrap().len(), 40);
        assert!(dump["found"].as_str().unwrap().contains("infinity"), "{dump}");

        assert_eq!(checkpoints(&out), ["step-00000006-evaluated"], "{case:?}");
        let kept = out.join("checkpoints/step-00000006-evaluated");
        assert!(is_finite(&kept.join("model.safetensors")), "{case:?}");
        let average = kept.join("average.safetensors");
        assert!(!average.exists() || is_finite(&average), "{case:?}");
        let model = out.join("model.safetensors");
        assert!(!model.exists() || is_finite(&model), "{case:?}");
        assert!(!out.join("README.md").exists(), "{case:?}");
        let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        assert!(!metrics.contains("\"loss\":null"), "{case:?}");
    }
}
