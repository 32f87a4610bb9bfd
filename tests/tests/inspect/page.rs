//! The page in a real browser: it draws itself without complaint, asks no network for anything, and shows the numbers
//! of the JSON, by mouse and by keyboard.

use std::path::PathBuf;

use candle_core::Device;
use serde_json::{Value, json};
use taper_text::{Normalization, Tokenizer, Vocabulary};
use taper_train::Recipe;
use taper_train::inspect::{Inspection, Inspector, Method, Subject, write_page};
use taper_train::model::{Model, ModelConfig};
use tempfile::TempDir;

use crate::browser::Browser;

pub(crate) const TEXTS: [&str; 2] = [
    "A lovely, lovely film: badly lit, and yet I would see it again and again.",
    "</script><script>alert(1)</script> <b>bold</b> & \"quoted\" \u{2028} \u{202e}evil \u{7} <!-- x",
];

fn inspection(classes: &[&str]) -> Inspection {
    let (config, tokenizer) = untrained(classes);
    let model = Model::new(config, 3, None, &Device::Cpu).unwrap();
    let subjects = TEXTS.map(|text| Subject::from(text.to_owned()));
    Inspector::new(model, tokenizer).inspect(&subjects, Method::default()).unwrap()
}

/// What a model of fourteen words would be, and their tokenizer.
pub(crate) fn untrained(classes: &[&str]) -> (ModelConfig, Tokenizer) {
    let settings = ["model.hidden_size=60", "model.num_layers=2", "model.pooling=last"];
    let recipe = Recipe::load("quickstart", &settings.map(str::to_owned)).unwrap();
    let words = ["a", "film", "lovely", "badly", "i", "see", "<", ">", "script", "again", ",", "."];
    let mut vocabulary = vec!["<unk>".to_owned(), "<pad>".to_owned()];
    vocabulary.extend(words.map(str::to_owned));
    let vocabulary = Vocabulary::from_tokens(vocabulary).unwrap();
    let normalization = Normalization { lowercase: true };
    let tokenizer = Tokenizer::named("english", normalization).unwrap();
    let tokenizer = tokenizer.with_vocabulary(&vocabulary).unwrap();
    let config = ModelConfig {
        format: ModelConfig::FORMAT,
        taper: String::new(),
        class_names: classes.iter().map(|&name| name.to_owned()).collect(),
        vocabulary_size: 14,
        dimensions: 20,
        max_length: None,
        model: recipe.model,
        specials: taper_train::model::Specials::default(),
        truncate: taper_train::recipe::Truncate::default(),
        temperature: None,
        threshold: None,
        weights_blake3: None,
        tokenizer_blake3: String::new(),
    };
    (config, tokenizer)
}

fn written(inspection: &Inspection) -> (TempDir, PathBuf, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    write_page(&path, inspection).unwrap();
    (folder, path, serde_json::to_value(inspection).unwrap())
}

/// Tokens of both texts.
fn tokens(data: &Value) -> usize {
    [0, 1].map(|text| data["texts"][text]["tokens"].as_array().unwrap().len()).iter().sum()
}

/// Chromium, or a line that says that there is none.
pub(crate) fn browser() -> Option<Browser> {
    let browser = Browser::open();
    if browser.is_none() {
        eprintln!("skipped: no Chromium here (Debian: apt-get install chromium)");
    }
    browser
}

/// The numbers that the panel of text 0 shows, by the names they have in the JSON.
fn shown(browser: &mut Browser) -> Value {
    browser.value(
        "Object.fromEntries([...document.querySelectorAll('section:first-of-type .panel dd')]
           .map(cell => [cell.dataset.name, Number(cell.textContent)]))",
    )
}

/// All numbers of the panel against the JSON, to the three digits shown.
fn assert_shows(browser: &mut Browser, data: &Value, token: usize, memory: usize) {
    let shown = shown(browser);
    let shown = shown.as_object().unwrap();
    assert_eq!(shown.len(), 13, "{shown:?}");
    let text = &data["texts"][0];
    for (name, value) in shown {
        let expected = match name.as_str() {
            "contribution" => &text["tokens"][token][name],
            _ => &text["memory"][memory]["tokens"][name][token],
        };
        let (found, expected) = (value.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!(
            (found - expected).abs() <= 0.006 * expected.abs(),
            "{name}: {found}, not {expected}"
        );
    }
}

#[test]
fn mouse_and_keyboard_show_the_numbers_of_the_json() {
    let Some(mut browser) = browser() else { return };
    let (_folder, path, data) = written(&inspection(&["neg", "pos"]));
    browser.show(&path, 1600, "light");
    // The last layer, forward, until something else is chosen.
    assert_shows(&mut browser, &data, 0, 2);
    browser.click("document.querySelectorAll('section:first-of-type .tokens button')[4]");
    assert_shows(&mut browser, &data, 4, 2);
    browser.click("document.querySelector('input[name=layer][value=\"0\"]')");
    assert_shows(&mut browser, &data, 4, 0);
    browser.click("document.querySelector('input[name=direction][value=backward]')");
    assert_shows(&mut browser, &data, 4, 1);

    browser.value("document.querySelector('.tokens button[aria-pressed=true]').focus()");
    browser.press("ArrowRight");
    browser.press("ArrowDown");
    assert_shows(&mut browser, &data, 6, 1);
    assert_eq!(browser.value("document.activeElement.getAttribute('aria-pressed')"), "true");
    browser.press("ArrowLeft");
    assert_shows(&mut browser, &data, 5, 1);
    browser.press("End");
    let last = data["texts"][0]["tokens"].as_array().unwrap().len() - 1;
    assert_shows(&mut browser, &data, last, 1);
    // A heat map is a way to choose a token, too.
    browser.click("document.querySelector('section:first-of-type canvas')");
    assert_shows(&mut browser, &data, last.div_ceil(2), 1);
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

#[test]
fn it_draws_itself_at_every_width_light_and_dark() {
    let Some(mut browser) = browser() else { return };
    let (_folder, path, data) = written(&inspection(&["neg", "pos", "neither"]));
    for (width, scheme, columns) in [(400, "light", 1), (400, "dark", 1), (1600, "dark", 2)] {
        browser.show(&path, width, scheme);
        let root = "document.documentElement";
        let overflow = browser.value(&format!("{root}.scrollWidth - {root}.clientWidth"));
        assert_eq!(overflow, 0, "{width}, {scheme}");
        let tops = "new Set([...document.querySelectorAll('section')].map(s => s.offsetTop)).size";
        assert_eq!(browser.value(tops), 3 - columns, "{width}");
        // Side by side, the same pictures stand at the same height.
        let canvases = "new Set([...document.querySelectorAll('section')].map(
            s => s.querySelector('canvas').getBoundingClientRect().top)).size";
        assert_eq!(browser.value(canvases), 3 - columns, "{width}");
        // The switches stay in sight.
        let switches = "(() => { scrollTo(0, 600);
            return document.getElementById('controls').getBoundingClientRect().top; })()";
        assert_eq!(browser.value(switches), 0, "{width}");
        // What is in a text is text: it made no elements and ran nothing.
        assert_eq!(browser.value("document.querySelectorAll('main script, main b').length"), 0);
        let words = browser.value(
            "[...document.querySelectorAll('section:last-of-type .tokens button')].map(b => b.textContent).join('')",
        );
        let words = words.as_str().unwrap();
        assert!(words.contains("<script>alert(1)</script>"), "{words}");
        let raw =
            |character: char| character.is_control() || "\u{2028}\u{202e}".contains(character);
        assert!(!words.contains(raw), "{words:?}");
        // Whoever cannot see the pictures is told what they are.
        let nameless = "[...document.querySelectorAll('canvas,svg,.tokens button')]
             .filter(e => !(e.getAttribute('aria-label') || e.textContent)).length";
        assert_eq!(browser.value(nameless), 0);
        assert_eq!(
            browser.value("document.querySelectorAll('.tokens button[tabindex=\"0\"]').length"),
            2
        );
        let drawn = browser.value(
            "[...document.querySelectorAll('canvas')].every(c =>
               new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 8)",
        );
        assert_eq!(drawn, true);
        // Who hears a token hears what it contributes.
        let tree = browser.call("Accessibility.getFullAXTree", &json!({}));
        let heard: Vec<&str> = (tree["nodes"].as_array().unwrap().iter())
            .filter(|node| node["role"]["value"] == "button")
            .map(|node| node["description"]["value"].as_str().unwrap_or_default())
            .collect();
        let told = heard.iter().filter(|heard| heard.starts_with("contribution "));
        assert_eq!((heard.len(), told.count()), (tokens(&data), tokens(&data)), "{heard:?}");
        let page = browser.value("JSON.parse(document.getElementById('data').textContent)");
        assert_eq!(page["texts"][1]["text"], data["texts"][1]["text"]);
        assert_eq!(browser.complaints(), Vec::<Value>::new());
    }
}

#[test]
fn the_prediction_is_a_class_or_the_labels_that_are_given() {
    let Some(mut browser) = browser() else { return };
    let said = |prediction: &Value, name: &str| {
        let at = ["art", "law"].iter().position(|label| *label == name).unwrap();
        let share = prediction["probabilities"][at].as_f64().unwrap();
        format!("{name}, {:.1} %", 100.0 * share)
    };
    for threshold in [None, Some(0.01), Some(0.99)] {
        let (config, tokenizer) = untrained(&["art", "law"]);
        let model = Model::new(ModelConfig { threshold, ..config }, 3, None, &Device::Cpu).unwrap();
        let subjects = TEXTS.map(|text| Subject::from(text.to_owned()));
        let found = Inspector::new(model, tokenizer).inspect(&subjects, Method::GradientXInput);
        let (_folder, path, data) = written(&found.unwrap());
        browser.show(&path, 1600, "light");
        for text in [0, 1] {
            let prediction = &data["texts"][text]["prediction"];
            let likeliest = said(prediction, prediction["label"].as_str().unwrap());
            let expected = match threshold {
                None => likeliest,
                Some(0.01) => [said(prediction, "art"), said(prediction, "law")].join("; "),
                Some(_) => format!("no label (the likeliest: {likeliest})"),
            };
            let facts = format!("document.querySelectorAll('div.facts')[{text}].textContent");
            let facts = browser.value(&facts);
            let start = format!("Prediction: {expected}; ");
            assert!(facts.as_str().unwrap().starts_with(&start), "{start}: {facts}");
        }
        assert_eq!(browser.complaints(), Vec::<Value>::new());
    }
}

#[test]
fn nothing_to_read_nothing_known_and_far_too_much_are_drawn() {
    let Some(mut browser) = browser() else { return };
    let (config, tokenizer) = untrained(&["neg", "pos"]);
    let model = Model::new(config, 3, None, &Device::Cpu).unwrap();
    let inspector = Inspector::new(model, tokenizer);
    let long = "a film ".repeat(50_000);
    for (texts, said) in [
        (
            ["", "zyx wvu zyx"],
            ["an empty text reads as one unknown word", "3 tokens read, 3 unknown"],
        ),
        (
            [long.as_str(), "a"],
            ["The text has 100000 tokens: its head is inspected", "1 token read"],
        ),
    ] {
        let subjects = texts.map(|text| Subject::from(text.to_owned()));
        let found = inspector.inspect(&subjects, Method::GradientXInput).unwrap();
        let (_folder, path, data) = written(&found);
        for width in [400, 1600] {
            browser.show(&path, width, "light");
            for (text, said) in said.iter().enumerate() {
                let facts = format!("document.querySelectorAll('div.facts')[{text}].textContent");
                let facts = browser.value(&facts);
                assert!(facts.as_str().unwrap().contains(said), "{said}: {facts}");
            }
            assert_shows(&mut browser, &data, 0, 2);
            browser.value("document.querySelector('.tokens button[aria-pressed=true]').focus()");
            browser.press("End");
            let last = data["texts"][0]["tokens"].as_array().unwrap().len() - 1;
            assert_shows(&mut browser, &data, last, 2);
            let root = "document.documentElement";
            let overflow = browser.value(&format!("{root}.scrollWidth - {root}.clientWidth"));
            assert_eq!(overflow, 0, "{width}");
            assert_eq!(browser.complaints(), Vec::<Value>::new());
        }
    }
}
