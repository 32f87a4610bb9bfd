//! Which checkpoints stay, and which are refused.
#![allow(clippy::unwrap_used)]
use candle_core::Device;

use super::*;
use crate::Recipe;
use crate::evaluate::Evaluation;
use crate::model::ModelConfig;

fn model() -> Model {
    let recipe = Recipe::load("quickstart", &["model.hidden_size=2".into()]).unwrap();
    let names = ["no".into(), "yes".into()];
    let config =
        ModelConfig::of_recipe(&recipe, &names, 5, taper_text::Specials::default(), String::new());
    Model::new(config, 1, None, &Device::Cpu).unwrap()
}

fn save(checkpoints: &Checkpoints, progress: &Progress, model: &Model, policy: &CheckpointPolicy) {
    let (mut optimizer, mut dynamics) =
        (Optimizer::new(&crate::recipe::Optimizer::default()), EpochDynamics::new(1));
    let parts = Parts { model, optimizer: &mut optimizer, average: None, dynamics: &mut dynamics };
    checkpoints.save(progress, 0, &parts, policy).unwrap();
}

/// A run of ten steps an epoch, with these accuracies after each; and where it stood after each.
fn run(checkpoints: &Checkpoints, accuracies: &[f64], policy: &CheckpointPolicy) -> Vec<Progress> {
    let (mut progress, model) = (Progress::default(), model());
    let mut epochs = Vec::new();
    for (epoch, &accuracy) in (1..).zip(accuracies) {
        (progress.epochs, progress.steps) = (epoch, 10 * epoch);
        save(checkpoints, &progress, &model, policy);
        if progress.best().is_none_or(|best| accuracy > best.accuracy) {
            progress.best = Some(epoch);
        }
        let evaluation = Evaluation { accuracy, ..Evaluation::default() };
        progress.evaluations.push((epoch, evaluation));
        progress.evaluation_steps.push((epoch, progress.steps));
        save(checkpoints, &progress, &model, policy);
        epochs.push(progress.clone());
    }
    epochs
}

#[test]
fn the_best_of_a_kept_checkpoint_is_there_to_go_back_to() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path().to_owned());
    // The third is best until the sixth, and the fifth is still there to go back to.
    let accuracies = [0.5, 0.6, 0.8, 0.7, 0.7, 0.9];
    let policy = CheckpointPolicy::default();
    let epochs = run(&checkpoints, &accuracies, &policy);
    let names = checkpoints.names().unwrap();
    assert_eq!(names[0], "step-00000030-evaluated");
    assert_eq!(names.len(), 5);
    let (weights, _) = checkpoints.best_weights(&epochs[4]).unwrap().unwrap();
    assert!(weights.starts_with(folder.path().join(&names[0])), "{weights:?}");
    checkpoints.check_best(&epochs[4]).unwrap();
}

#[test]
fn a_best_that_is_not_kept_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path().to_owned());
    let policy = CheckpointPolicy { keep_best: false, ..CheckpointPolicy::default() };
    let epochs = run(&checkpoints, &[0.9, 0.8, 0.7], &policy);
    let message = checkpoints.check_best(&epochs[1]).unwrap_err().to_string();
    assert!(message.contains("epoch 1, the best one up to step 20"), "{message}");
    assert!(message.contains("--set train.select=last --force"), "{message}");
}

#[test]
fn a_state_that_was_changed_is_not_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path().to_owned());
    run(&checkpoints, &[0.9], &CheckpointPolicy::default());
    let path = folder.path().join("step-00000010-evaluated/state.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    assert!(checkpoints.standing(None).is_ok());
    for (from, to) in [("\"steps\": 10", "\"steps\": 11"), ("0.9", "7.5")] {
        std::fs::write(&path, whole.replacen(from, to, 1)).unwrap();
        let message = checkpoints.standing(None).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("changed since it was written"), "{from}: {message}");
    }
    // Of a version that did not tell its hash.
    let earlier: String = whole.lines().filter(|line| !line.starts_with("  \"blake3\"")).collect();
    std::fs::write(&path, earlier.replace("},}", "}}")).unwrap();
    assert!(checkpoints.standing(None).is_ok(), "{:?}", checkpoints.standing(None).err());
}

#[test]
fn weights_that_are_no_numbers_are_not_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path().to_owned());
    let policy = CheckpointPolicy::default();
    let model = model();
    let (good, bad) =
        (Progress::default(), Progress { steps: 1, batches: 1, ..Progress::default() });
    save(&checkpoints, &good, &model, &policy);
    let bias = model.vars()["fc.bias"].clone();
    bias.set(&(bias.as_detached_tensor() * f64::INFINITY).unwrap()).unwrap();
    save(&checkpoints, &bad, &model, &policy);
    let (mut optimizer, mut dynamics) =
        (Optimizer::new(&crate::recipe::Optimizer::default()), EpochDynamics::new(1));
    let mut parts =
        Parts { model: &model, optimizer: &mut optimizer, average: None, dynamics: &mut dynamics };
    let message = checkpoints.restore(None, &mut parts).unwrap_err().to_string();
    assert!(message.contains("step-00000001/model.safetensors: `fc.bias`"), "{message}");
    assert!(message.contains("--checkpoint step-00000000`"), "{message}");
    checkpoints.restore(Some("step-00000000"), &mut parts).unwrap();
}
