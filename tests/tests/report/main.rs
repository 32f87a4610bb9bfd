//! A run's report in a real browser: no complaint, no request, every plot there, nothing cut off, at the widths of a telephone and
//! of a desk, light and dark.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use candle_core::Device;
use serde_json::{Value, json};
use taper_corpus::HubConfig;
use taper_train::prepare::{Places, PrepareOptions};
use taper_train::{Outcome, Recipe, Run, prepare, train};

#[allow(dead_code, reason = "the page of an inspection has buttons, too")]
#[path = "../inspect/browser.rs"]
mod browser;

use browser::Browser;

/// Two quick epochs on the sample.
fn trained(folder: &Path) -> PathBuf {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/sample");
    let settings = [
        "train.epochs=2",
        "train.max_length=24",
        "model.hidden_size=6",
        "model.pooling=concat",
        "train.batch_size=8",
    ];
    let recipe = Recipe::load("quickstart", &settings.map(str::to_owned)).unwrap();
    let hub = HubConfig { offline: true, ..HubConfig::new("http://127.0.0.1:9", "/nonexistent") };
    let places = Places { sample, hub };
    let output = folder.join("prepared");
    let prepared = prepare(&PrepareOptions::new(&recipe, &places, &output), &mut |_| ()).unwrap();
    let mut run = Run::create(&folder.join("run"), &recipe, &prepared).unwrap();
    let stop = AtomicBool::new(false);
    let outcome = train(&mut run, &prepared, &Device::Cpu, None, &stop, &mut |_| ()).unwrap();
    assert!(matches!(outcome, Outcome::Finished(_)));
    folder.join("run/report.html")
}

/// What is wrong with the page as it stands: by name, an empty list each.
const FAULTS: &str = "(() => {
  const inside = (text) => {
    const svg = text.closest('svg').getBoundingClientRect(), r = text.getBoundingClientRect();
    return r.left >= svg.left - 1 && r.right <= svg.right + 1 && r.top >= svg.top - 1 && r.bottom <= svg.bottom + 1;
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  const levels = all('h1,h2,h3').map(h => Number(h.tagName[1]));
  return {
    wide: document.documentElement.scrollWidth > innerWidth ? [document.documentElement.scrollWidth] : [],
    small: all('figure svg').filter(svg => svg.getBoundingClientRect().width < 300).map(svg => svg.ariaLabel),
    cut: all('figure text').filter(text => !inside(text)).map(text => text.textContent),
    tiny: all('figure text').filter(text => {
      const svg = text.closest('svg');
      return 12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width < 9;
    }).map(text => text.textContent),
    nameless: all('svg[role=img]').filter(svg => !svg.ariaLabel).map(svg => svg.outerHTML),
    headless: all('table').filter(table => !table.querySelector('thead th[scope=col]')).map(table => table.outerHTML),
    jumps: levels.filter((level, place) => level - (levels[place - 1] ?? 0) > 1),
  };
})()";

#[test]
fn the_report_is_whole_at_any_width_light_and_dark() {
    let Some(mut browser) = Browser::open() else {
        eprintln!("skipped: no Chromium here (Debian: apt-get install chromium)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = trained(folder.path());
    let mut backgrounds = Vec::new();
    for width in [400, 1600] {
        for scheme in ["light", "dark"] {
            browser.show(&page, width, scheme);
            assert_eq!(browser.complaints(), Vec::<Value>::new());
            assert_eq!(browser.value("document.querySelectorAll('figure svg').length"), 16);
            let faults = browser.value(FAULTS);
            for (fault, places) in faults.as_object().unwrap() {
                assert_eq!(places, &json!([]), "{fault} at {width}, {scheme}");
            }
            backgrounds.push(browser.value("getComputedStyle(document.body).backgroundColor"));
        }
    }
    assert_ne!(backgrounds[0], backgrounds[1], "dark is dark");
}
