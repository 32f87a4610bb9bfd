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

#[test]
fn an_edited_configuration_names_the_key_what_was_found_and_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&[], 11);
    let wide = "`model.hidden_size` is 100000; must be at least 1 and at most 65536";
    for (key, value, expected) in [
        ("/max_length", "0", "`max_length` is 0; expected 1 or more"),
        ("/dimensions", "0", "`dimensions` is 0; expected 1 or more"),
        ("/vocabulary_size", "0", "`vocabulary_size` is 0; expected 1 or more"),
        ("/model/hidden_size", "100000", wide),
        ("/model/hidden_size", "18446744073709551615", "`model` holds a number above"),
        ("/model/num_layers", "0", "`model.num_layers` is 0; must be at least 1"),
        ("/model/num_layers", "1000000", "`model.num_layers` is 1000000; must be at least 1"),
        ("/model/dropout/output", "1.5", "`model.dropout.output` is 1.5; must be"),
        ("/vocabulary_size", "1000000000", "`vocabulary_size` 1000000000 of `dimensions` "),
        ("/specials/padding", "11", "`specials.padding` is 11; expected an id below"),
        ("/specials/unknown", "4000000000", "`specials.unknown` is 4000000000; expected an id"),
        ("/specials/unknown", "1", "`specials.unknown` is 1, as `specials.padding` is"),
        ("/class_names/2", "\"a\"", "`class_names` has \"a\" twice"),
        ("/class_names", "[\"a\"]", "1 names in `class_names`; expected 2 or more"),
        ("/temperature", "-1", "expected a number above 0"),
    ] {
        let mut json = serde_json::to_value(&config).unwrap();
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        match json.pointer_mut(key) {
            Some(place) => *place = value,
            // What is left out where there is none.
            None => json[&key[1..]] = value,
        }
        std::fs::write(folder.path().join(CONFIG), json.to_string()).unwrap();
        let message = ModelConfig::read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("config.json: "), "{key}: {message}");
        assert!(message.contains(expected), "{key}: {message}");
    }
    config.write(folder.path()).unwrap();
    assert_eq!(ModelConfig::read(folder.path()).unwrap(), config);
}
