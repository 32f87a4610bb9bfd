//! How large a model may be, and what it may hold.
#![allow(clippy::unwrap_used)]
use super::*;

fn config(settings: &[&str], words: usize) -> ModelConfig {
    let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
    let recipe = Recipe::load("quickstart", &settings).unwrap();
    let names = ["a", "b", "c"].map(str::to_owned);
    ModelConfig::of_recipe(&recipe, &names, words, Specials::default(), String::new())
}

#[test]
fn parameters_are_counted_before_they_are_made() {
    for pooling in ["last", "max", "mean", "concat", "attention"] {
        for (layers, both) in [(1, "true"), (2, "true"), (3, "false")] {
            let settings = [
                "model.hidden_size=5",
                "vectors.dimensions=7",
                &format!("model.pooling={pooling}"),
                &format!("model.num_layers={layers}"),
                &format!("model.bidirectional={both}"),
            ];
            let config = config(&settings, 11);
            let model = Model::new(config.clone(), 1, None, &Device::Cpu).unwrap();
            assert_eq!(config.parameters(), model.count() as u64, "{settings:?}");
        }
    }
}

#[test]
fn a_vocabulary_that_no_memory_holds_is_refused() {
    let config = config(&["vectors.dimensions=300"], 4_000_000);
    let message = Model::new(config, 1, None, &Device::Cpu).unwrap_err().to_string();
    assert!(message.contains("4000000 words of 300 dimensions"), "{message}");
    assert!(message.contains("at most 1073741824"), "{message}");
}
