//! Duplicates of made-up texts: what is found, what is not, and that it does not hang on batches or threads.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

fn find(texts: &[String], batch: usize) -> Duplicates {
    let pass = |visit: &mut VisitTexts<'_>| {
        for texts in texts.chunks(batch) {
            visit(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        }
        Ok::<_, Infallible>(())
    };
    let found = find_duplicates(|visit| pass(visit).map(|()| Vec::new())).unwrap();
    assert_eq!(find_identical(pass).unwrap(), found.first);
    found
}

/// A text of its own for every seed.
fn review(seed: u64, words: usize) -> Vec<String> {
    (0..words as u64).map(|n| format!("w{}", shingles::mix(seed << 32 | n) % 5000)).collect()
}

/// `count` words, spread over the text, replaced by others.
fn edited(words: &[String], count: usize) -> Vec<String> {
    let mut words = words.to_vec();
    let step = words.len() / count.max(1);
    for edit in 0..count {
        words[edit * step] = format!("edit{edit}");
    }
    words
}

#[test]
fn a_few_changed_words_are_near_and_many_are_not() {
    let original = review(1, 200);
    let texts: Vec<String> = [0, 1, 8, 20]
        .map(|edits| edited(&original, edits).join(" "))
        .into_iter()
        .chain([review(2, 200).join(" ")])
        .collect();
    let found = find(&texts, 100);
    let pairs: Vec<(u32, u32)> = found.near.iter().map(|pair| (pair.first, pair.second)).collect();
    // The first edit of all is to the first word, which only one shingle has.
    assert_eq!(pairs, [(0, 1), (0, 2), (1, 2)]);
    assert!((found.near[0].similarity - 195.0 / 197.0).abs() < 0.01, "{:?}", found.near[0]);
}

#[test]
fn identical_texts_are_told_once_and_are_not_near() {
    let texts = ["", "Dull.", "", "dull", "Dull.", "...", "Dull."].map(str::to_owned);
    let found = find(&texts, 3);
    assert_eq!(found.first, [0, 1, 0, 3, 1, 5, 1]);
    assert_eq!(found.near, [NearPair { first: 1, second: 3, similarity: 1.0 }]);
}

#[test]
fn no_texts_no_duplicates() {
    assert_eq!(find(&[], 1), Duplicates::default());
}

#[test]
fn ten_thousand_texts_of_one_template_take_linear_work() {
    let template = review(3, 100).join(" ");
    let texts: Vec<String> = (0..10_000).map(|n| format!("{template} number {n}")).collect();
    let found = find(&texts, 2048);
    let mut partners = vec![0; texts.len()];
    for pair in &found.near {
        partners[pair.first as usize] += 1;
        partners[pair.second as usize] += 1;
    }
    assert!(partners.iter().all(|count| *count >= 16), "everybody has some");
    assert!(found.near.len() <= texts.len() * 256);
    assert_eq!(found.crowded, 10_000);
}

#[test]
fn what_thousands_of_one_template_repeat_of_a_few_is_found() {
    let template = review(7, 100).join(" ");
    let texts: Vec<String> = (0..3_000).map(|n| format!("{template} number {n}")).collect();
    let ranks: Vec<u8> = (0..3_000).map(|n| if n % 300 == 0 { 2 } else { 0 }).collect();
    let found = find_duplicates(|visit| {
        visit(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        Ok::<_, Infallible>(ranks.clone())
    });
    let repeats = found.unwrap().of_higher_rank(&ranks);
    assert_eq!(repeats.iter().flatten().count(), 2_990);
}

#[test]
fn what_thousands_repeat_of_a_few_that_others_repeat_to_the_letter_is_found() {
    let template = review(8, 100).join(" ");
    let learned = (0..3_000).map(|n| format!("{template} number {n}"));
    // The judges come later, and are copies of ten.
    let judges = (0..10).map(|n| format!("{template} number {}", 300 * n));
    let texts: Vec<String> = learned.chain(judges).collect();
    let ranks: Vec<u8> = (0..3_010).map(|row| if row < 3_000 { 0 } else { 2 }).collect();
    let found = find_duplicates(|visit| {
        visit(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        Ok::<_, Infallible>(ranks.clone())
    });
    let repeats = found.unwrap().of_higher_rank(&ranks);
    assert_eq!(repeats.iter().flatten().count(), 3_000);
}

#[test]
fn what_a_lower_rank_repeats_of_a_higher_one() {
    let original = review(5, 200);
    let text = |edits| edited(&original, edits).join(" ");
    let texts = [text(0), "own".to_owned(), text(2), text(0), text(4), "own".to_owned(), text(1)];
    let found = find(&texts, 2);
    let repeats = |ranks: [u8; 7]| -> Vec<Option<(u32, bool)>> {
        let repeats = found.of_higher_rank(&ranks).into_iter();
        repeats.map(|repeat| repeat.map(|it| (it.of, it.similarity.is_none()))).collect()
    };
    assert_eq!(repeats([1; 7]), [None; 7]);
    // Identical before near, the nearest of the near, and never one of the same rank.
    assert_eq!(repeats([0, 0, 0, 2, 0, 0, 2])[..2], [Some((3, true)), None]);
    assert_eq!(repeats([0, 1, 0, 0, 0, 0, 2])[2], Some((6, false)));
    assert_eq!(repeats([0, 1, 0, 0, 0, 0, 2])[5], Some((1, true)));
    assert_eq!(repeats([0, 1, 0, 0, 0, 0, 2])[6], None);
    // A text that is identical to a near one of a higher rank is as near.
    assert_eq!(repeats([2, 0, 0, 0, 0, 0, 0])[3], Some((0, true)));
    assert_eq!(repeats([0, 0, 0, 2, 0, 0, 0])[2], Some((3, false)));
}

#[test]
fn what_goes_itself_takes_nothing_with_it() {
    let original = review(6, 200);
    let near = edited(&original, 12);
    let far = edited(&near, 13);
    let found = find(&[&original, &near, &far].map(|words| words.join(" ")), 3);
    let pairs: Vec<(u32, u32)> = found.near.iter().map(|pair| (pair.first, pair.second)).collect();
    assert_eq!(pairs, [(0, 1), (1, 2)]);
    let repeats = |ranks: &[u8]| -> Vec<Option<u32>> {
        found.of_higher_rank(ranks).into_iter().map(|it| it.map(|it| it.of)).collect()
    };
    assert_eq!(repeats(&[2, 1, 0]), [None, Some(0), None]);
    assert_eq!(repeats(&[0, 1, 0]), [Some(1), None, Some(1)]);
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let texts: Vec<String> =
        (0..600).map(|n| edited(&review(n % 200, 60), (n / 200) as usize).join(" ")).collect();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| find(&texts, 64))
    };
    let one = on(1);
    assert!(one.near.len() >= 200);
    assert_eq!(on(3), one);
}

#[test]
fn a_pass_that_fails_is_told_and_one_that_ends_early_does_no_harm() {
    assert_eq!(find_duplicates(|_| Err("no disk")), Err("no disk"));
    let text = review(4, 50);
    let (one, two) = (text.join(" "), text.join("  "));
    let mut passes = 0;
    let found = find_duplicates(|visit| {
        passes += 1;
        if passes == 1 {
            visit(&[&one, &two]);
        } else {
            visit(&[&one]);
        }
        Ok::<_, Infallible>(Vec::new())
    });
    assert_eq!(found.unwrap().near, []);
}

proptest! {
    // Fixed: some pairs are missed by design.
    #![proptest_config(ProptestConfig { cases: 48, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Against the comparison of all with all.
    #[test]
    fn what_is_found_is_what_comparing_all_finds(
        seeds in prop::collection::vec((0_u64..6, 0_usize..12), 2..30), batch in 1_usize..9
    ) {
        let texts: Vec<String> =
            seeds.iter().map(|(seed, edits)| edited(&review(*seed, 80), *edits).join(" ")).collect();
        let found = find(&texts, batch);
        let sets: Vec<Vec<u64>> = texts.iter().map(|text| shingles::shingles(text)).collect();
        let near: BTreeMap<(u32, u32), f64> =
            found.near.iter().map(|pair| ((pair.first, pair.second), pair.similarity)).collect();
        prop_assert_eq!(near.len(), found.near.len());
        for second in 0..texts.len() {
            let first = texts.iter().position(|text| text == &texts[second]).unwrap();
            prop_assert_eq!(found.first[second] as usize, first);
            for earlier in 0..second {
                let similarity = shingles::jaccard(&sets[earlier], &sets[second]);
                let firsts = found.first[earlier] as usize == earlier && first == second;
                let told = near.get(&(earlier as u32, second as u32)).copied();
                if !firsts || similarity < NEAR {
                    prop_assert_eq!(told, None);
                } else if told.is_some() || similarity > 0.65 {
                    prop_assert_eq!(told, Some(similarity));
                }
            }
        }
    }
}
