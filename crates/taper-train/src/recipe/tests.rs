//! Recipes: what comes with the crate, what files and overrides may say, and what errors tell.
#![allow(clippy::unwrap_used)]

use super::*;

fn error(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<String> = overrides.iter().map(|&each| each.to_owned()).collect();
    Recipe::parse(text, "my.toml", &overrides).unwrap_err().to_string()
}

#[test]
fn quickstart_is_what_it_says() {
    let expected = Recipe {
        description: "One bidirectional LSTM on the 2,000 reviews that come with Taper; under a minute on two cores"
            .to_owned(),
        seed: 1,
        data: Data::default(),
        text: Text {
            tokenizer: "english".to_owned(),
            lowercase: true,
            max_vocabulary: Some(10_000),
            min_frequency: 1,
        },
        vectors: Vectors {
            source: "sample".to_owned(),
            member: None,
            dimensions: 100,
            case: Case::Exact,
            missing: Missing::Normal,
            missing_scale: 0.3,
        },
        model: Model {
            hidden_size: 64,
            num_layers: 1,
            bidirectional: true,
            pooling: Pooling::Mean,
            padding: Padding::Mask,
            dropout: Dropout {
                embedding: 0.5,
                between_layers: 0.0,
                output: 0.5,
                ..Dropout::default()
            },
        },
        train: Train {
            epochs: 6,
            batch_size: 16,
            batch_tokens: None,
            accumulate: 1,
            batches_per_pool: 100,
            max_length: Some(400),
            truncate: Truncate::Head,
            clip_norm: Some(1.0),
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            ema: None,
            patience: None,
            evaluate_on: EvaluateOn::Validation,
            evaluate: Evaluate::After,
            select: Select::Best,
            report_every: None,
            freeze_embedding: false,
            precision: Precision::F32,
            activations: Activations::Keep,
            optimizer: Optimizer {
                kind: OptimizerKind::Adam,
                learning_rate: 2e-3,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.0,
                momentum: 0.0,
                nesterov: false,
                embedding_rate: 1.0,
                embedding_frozen_steps: 0,
            },
            schedule: Schedule {
                kind: ScheduleKind::Constant,
                warmup: 0.0,
                floor: 0.0,
                factor: 0.5,
                patience: 0,
            },
            checkpoint: CheckpointPolicy::default(),
        },
    };
    assert_eq!(Recipe::load("quickstart", &[]).unwrap(), expected);
}

#[test]
fn tutorial_is_to_the_letter() {
    let expected = Recipe {
        description:
            "The tutorial's two bidirectional LSTM layers of 256 on all of IMDB with GloVe 6B 100d"
                .to_owned(),
        seed: 1,
        data: Data { dataset: "imdb".to_owned(), ..Data::default() },
        text: Text {
            tokenizer: "spacy".to_owned(),
            lowercase: false,
            max_vocabulary: Some(10_000),
            min_frequency: 1,
        },
        vectors: Vectors {
            source: "glove.6B".to_owned(),
            member: None,
            dimensions: 100,
            case: Case::Exact,
            missing: Missing::Zero,
            missing_scale: 0.1,
        },
        model: Model {
            hidden_size: 256,
            num_layers: 2,
            bidirectional: true,
            pooling: Pooling::Last,
            padding: Padding::Mask,
            dropout: Dropout {
                embedding: 0.5,
                between_layers: 0.5,
                output: 0.5,
                word: 0.0,
                vocabulary: 0.0,
                weight: 0.0,
                variational: false,
            },
        },
        train: Train {
            epochs: 10,
            batch_size: 30,
            batch_tokens: None,
            accumulate: 1,
            batches_per_pool: 100,
            max_length: None,
            truncate: Truncate::Head,
            clip_norm: None,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            ema: None,
            patience: None,
            evaluate_on: EvaluateOn::Test,
            evaluate: Evaluate::Before,
            select: Select::Last,
            report_every: Some(10),
            freeze_embedding: false,
            precision: Precision::F32,
            activations: Activations::Keep,
            optimizer: Optimizer {
                kind: OptimizerKind::Adam,
                learning_rate: 1e-3,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.0,
                momentum: 0.0,
                nesterov: false,
                embedding_rate: 1.0,
                embedding_frozen_steps: 0,
            },
            schedule: Schedule {
                kind: ScheduleKind::Constant,
                warmup: 0.0,
                floor: 0.0,
                factor: 0.5,
                patience: 0,
            },
            checkpoint: CheckpointPolicy::default(),
        },
    };
    assert_eq!(Recipe::load("tutorial", &[]).unwrap(), expected);
}

#[test]
fn every_embedded_recipe_has_a_description_and_survives_a_round_trip() {
    for (name, description) in Recipe::embedded() {
        assert!(!description.is_empty(), "{name}");
        let recipe = Recipe::load(name, &[]).unwrap();
        let again = Recipe::parse(&recipe.to_toml().unwrap(), "again", &[]).unwrap();
        assert_eq!(again, recipe);
        recipe.check().unwrap();
    }
}

#[test]
fn columns_files_and_dialects_are_told_in_a_file_or_by_overrides() {
    let text = r#"
        [data]
        dataset = "news"
        format = "csv"
        label_names = ["World", "Sports"]
        on_error = "skip"
        files = { train = ["train_*.csv"], test = ["x.csv", "y.csv"] }
        columns = { text = ["2", "3"], label = "1", group = "author" }
        csv = { delimiter = ";", quote = "off", header = false }
    "#;
    let recipe = Recipe::parse(text, "my.toml", &[]).unwrap();
    let overrides = [
        "data.dataset=news",
        "data.format=csv",
        "data.label_names=World, Sports",
        "data.on_error=skip",
        "data.files.train=train_*.csv",
        "data.files.test=[\"x.csv\", \"y.csv\"]",
        "data.columns.text=2,3",
        "data.columns.label=1",
        "data.columns.group=author",
        "data.csv.delimiter=;",
        "data.csv.quote=off",
        "data.csv.header=false",
    ];
    assert_eq!(Recipe::parse("", "my.toml", &overrides.map(str::to_owned)).unwrap(), recipe);
    assert_eq!(Recipe::parse(&recipe.to_toml().unwrap(), "again", &[]).unwrap(), recipe);

    let settings = recipe.data.source_settings().unwrap();
    assert_eq!(settings.columns.text, ["2", "3"]);
    assert_eq!(settings.files["test"], ["x.csv", "y.csv"]);
    assert_eq!((settings.files.len(), settings.dialect.quote), (2, Some(None)));
    assert_eq!(settings.dialect.delimiter, Some(';'));
    let unsaid = Recipe::default().data.source_settings().unwrap();
    assert_eq!(unsaid, taper_corpus::SourceSettings::default());
    let message = error("[data]\ncsv = { delimiter = \"--\" }", &[]);
    assert!(message.contains("`data.csv.delimiter` is \"--\"; must be one character"), "{message}");
    let message = error("[data]\ncolumns = { txt = [] }", &[]);
    assert!(message.contains("did you mean `data.columns.text`?"), "{message}");
}

#[test]
fn optional_keys_survive_a_round_trip() {
    let text = "[data]\nhold_out = { fraction = 0.25, by = \"record\" }\n[train]\nclip_norm = 1\nmax_length = 7\n";
    let recipe = Recipe::parse(text, "my.toml", &[]).unwrap();
    assert_eq!(recipe.data.hold_out, Some(HoldOut { fraction: 0.25, by: HoldOutBy::Record }));
    assert_eq!(recipe.train.clip_norm, Some(1.0));
    let again = Recipe::parse(&recipe.to_toml().unwrap(), "again", &[]).unwrap();
    assert_eq!(again, recipe);
}

#[test]
fn overrides_reach_every_kind_of_key() {
    let overrides = [
        "train.epochs=2",
        "train.optimizer.learning_rate=2e-3",
        "train.optimizer.kind=adamw",
        "model.bidirectional=false",
        "model.dropout={ embedding = 0.25 }",
        "data.dataset=data/my reviews.tar.gz",
        "data.hold_out.fraction=0.2",
        "train.max_length=none",
        "vectors.source=none",
    ]
    .map(str::to_owned);
    let recipe = Recipe::load("quickstart", &overrides).unwrap();
    assert_eq!(recipe.train.epochs, 2);
    assert!((recipe.train.optimizer.learning_rate - 2e-3).abs() < 1e-12);
    assert_eq!(recipe.train.optimizer.kind, OptimizerKind::AdamW);
    assert!(!recipe.model.bidirectional);
    assert!((recipe.model.dropout.embedding - 0.25).abs() < 1e-12);
    assert_eq!(recipe.data.dataset, "data/my reviews.tar.gz");
    let hold_out = recipe.data.hold_out.unwrap();
    assert!((hold_out.fraction - 0.2).abs() < 1e-12);
    assert_eq!(hold_out.by, HoldOutBy::Group);
    assert_eq!(recipe.train.max_length, None);
    assert_eq!(recipe.vectors.source, "none");
}

#[test]
fn unknown_keys_name_the_line_and_the_nearest_key() {
    let text = "seed = 3\n[train]\nepochs = 4\nepcohs = 5\n";
    let message = error(text, &[]);
    assert!(message.starts_with("my.toml:4: unknown key `train.epcohs`"), "{message}");
    assert!(message.contains("did you mean `train.epochs`?"), "{message}");
    assert!(message.contains("batch_size"), "{message}");

    let message = error("epochs = 5\n", &[]);
    assert!(message.contains("my.toml:1: unknown key `epochs`"), "{message}");
    assert!(message.contains("did you mean `train.epochs`?"), "{message}");

    let message = error("", &["model.hiden_size=3"]);
    assert!(message.starts_with("--set model.hiden_size=3: "), "{message}");
    assert!(message.contains("did you mean `model.hidden_size`?"), "{message}");
}

#[test]
fn values_out_of_range_name_key_value_and_range() {
    let cases = [
        (
            "[model.dropout]\noutput = 1.0",
            "my.toml:2: `model.dropout.output` is 1.0; must be at least 0 and at most 0.999",
        ),
        // In f32, or read back from JSON, these are 1 and 0.
        ("[model.dropout]\nweight = 0.9999999999999999", "must be at least 0 and at most 0.999"),
        ("[train.optimizer]\nepsilon = 1e-60", "must be at least 1e-30 and at most 1"),
        ("[train]\nepochs = 0", "my.toml:2: `train.epochs` is 0; must be at least 1"),
        ("[train]\nepochs = 1.5", "must be a whole number"),
        ("[train]\nepochs = \"two\"", "must be a whole number"),
        ("[train.optimizer]\nlearning_rate = 0", "must be greater than 0"),
        (
            "[train.optimizer]\nlearning_rate = nan",
            "`train.optimizer.learning_rate` is nan; must be greater than 0",
        ),
        ("[train]\nclip_norm = inf", "`train.clip_norm` is inf; must be"),
        ("[model]\nhidden_size = -3", "must be at least 1"),
        (
            "[model]\npooling = \"lats\"",
            "must be one of \"last\", \"max\", \"mean\", \"concat\", \"attention\" (did you mean \"last\"?)",
        ),
        (
            "[text]\ntokenizer = \"german\"",
            "my.toml:2: `text.tokenizer` is \"german\"; must be one of \"english\", \"spacy\", \"unicode\", \"whitespace\", or the path",
        ),
        ("[data]\ndataset = \"\"", "must not be empty"),
        ("[data]\nhold_out = 0.1", "must be a table"),
        ("[data]\nhold_out = { fraction = 1.0 }", "must be greater than 0 and less than 1"),
        ("seed = -1", "my.toml:1: `seed` is -1; must be at least 0"),
        ("model = 3", "`model` is 3; must be a table"),
    ];
    for (text, expected) in cases {
        let message = error(text, &[]);
        assert!(message.contains(expected), "{text:?}: {message}");
    }
    let message = error("[train]\nepochs = 3", &["train.epochs=0"]);
    assert!(message.starts_with("--set train.epochs=0: `train.epochs` is 0"), "{message}");
}

#[test]
fn numbers_too_large_name_the_largest() {
    for (setting, expected) in [
        ("train.checkpoint.every_steps=4294967296", "must be at least 1 and at most 4294967295"),
        ("train.checkpoint.keep_every_epochs=4294967296", "and at most 4294967295"),
        ("train.optimizer.embedding_frozen_steps=4294967296", "at most 4000000000"),
        ("seed=9223372036854775808", "too large: must be at most 9223372036854775807"),
        ("seed=-9223372036854775809", "must be at least 0"),
        ("train.epochs=99_999_999_999_999_999_999", "must be at least 1 and at most 1000000"),
        ("train.epochs=_", "must be a whole number"),
        ("train.epochs=", "must be a whole number"),
    ] {
        let message = error("", &[setting]);
        let (key, value) = setting.split_once('=').unwrap();
        assert!(message.starts_with(&format!("--set {setting}: `{key}` is ")), "{message}");
        assert!(message.contains(value) && message.contains(expected), "{message}");
    }
    let largest = ["seed=9223372036854775807", "train.checkpoint.every_steps=4_294_967_295"];
    let recipe = Recipe::parse("", "my.toml", &largest.map(str::to_owned)).unwrap();
    assert_eq!(recipe.seed, i64::MAX as u64);
    assert_eq!(recipe.train.checkpoint.every_steps, Some(u32::MAX));
}

#[test]
fn keys_of_another_schedule_are_refused() {
    let of = |key: &str, kind: &str| error("", &[key, &format!("train.schedule.kind={kind}")]);
    let message = of("train.schedule.patience=3", "constant");
    assert!(message.contains("`train.schedule.patience` is of `kind` = \"plateau\""), "{message}");
    assert!(of("train.schedule.factor=0.1", "cosine").contains("and it is \"cosine\""));
    assert!(
        of("train.schedule.floor=0.1", "one_cycle").contains("\"linear\", \"cosine\", \"plateau\"")
    );
    let plateau = "[train.schedule]\nkind = \"plateau\"\npatience = 3\nfloor = 0.1\nfactor = 0.2";
    Recipe::parse(plateau, "my.toml", &[]).unwrap();
}

#[test]
fn a_network_that_no_memory_holds_is_refused() {
    let message = error("[model]\nhidden_size = 65536", &[]);
    assert!(message.contains("`model.hidden_size` = 65536"), "{message}");
    assert!(message.contains("at most 1073741824"), "{message}");
    let message = error("[model]\nhidden_size = 4096\nnum_layers = 64", &[]);
    assert!(message.contains("`model.num_layers` = 64"), "{message}");
    Recipe::parse("[model]\nhidden_size = 4096\nnum_layers = 3", "my.toml", &[]).unwrap();
}

#[test]
fn a_recipe_made_in_memory_is_checked_too() {
    let mut recipe = Recipe::default();
    recipe.check().unwrap();
    recipe.model.num_layers = 0;
    let message = recipe.check().unwrap_err().to_string();
    assert!(message.contains("`model.num_layers` is 0; must be at least 1"), "{message}");
}

#[test]
fn the_test_split_never_chooses_the_model() {
    let message = error("[train]\nevaluate_on = \"test\"\nselect = \"best\"", &[]);
    assert!(message.contains("train.select"), "{message}");
    // Nor the learning rate.
    let by_test = ["train.evaluate_on=test", "train.select=last", "train.schedule.kind=plateau"];
    let message = error("", &by_test);
    assert!(message.contains("`train.schedule.kind` = \"plateau\""), "{message}");
    assert!(message.contains("by the test split"), "{message}");
    for part in [&by_test[..2], &by_test[2..]] {
        let overrides: Vec<String> = part.iter().map(|&each| each.to_owned()).collect();
        Recipe::parse("", "my.toml", &overrides).unwrap();
    }
}

#[test]
fn what_is_not_toml_names_the_line() {
    let message = error("seed = 1\n[train\n", &[]);
    assert!(message.starts_with("my.toml:2: not TOML"), "{message}");
    let message = error("", &["train.epochs"]);
    assert!(message.contains("expected KEY=VALUE"), "{message}");
}

#[test]
fn unknown_names_list_the_embedded_recipes() {
    let message = Recipe::load("tutorail", &[]).unwrap_err().to_string();
    assert!(message.contains("quickstart, tutorial"), "{message}");
    assert!(message.contains("did you mean `tutorial`?"), "{message}");
    let message = Recipe::load("no/such.toml", &[]).unwrap_err().to_string();
    assert!(message.starts_with("no/such.toml: cannot read the recipe"), "{message}");
}

#[test]
fn the_schema_documents_every_key() {
    fn walk(path: &str, schema: &serde_json::Value, seen: &mut Vec<String>) {
        let table = schema["anyOf"].get(0).unwrap_or(schema);
        let Some(properties) = table["properties"].as_object() else {
            return;
        };
        for (key, value) in properties {
            let path = format!("{path}.{key}");
            assert!(value["description"].is_string(), "{path} has no description");
            walk(&path, value, seen);
            seen.push(path);
        }
    }
    let mut seen = Vec::new();
    walk("", &Recipe::schema(), &mut seen);
    for key in [".seed", ".data.hold_out.by", ".train.optimizer.beta2"] {
        assert!(seen.iter().any(|path| path == key), "{key} is missing: {seen:?}");
    }
}

#[test]
fn what_differs_is_told_key_by_key() {
    let was = Recipe::load("quickstart", &[]).unwrap();
    assert_eq!(was.differences(&was).unwrap(), []);
    let overrides = ["train.epochs=9", "train.max_length=none", "train.ema=0.99"];
    let now = Recipe::load("quickstart", &overrides.map(str::to_owned)).unwrap();
    let found: Vec<String> =
        was.differences(&now).unwrap().iter().map(ToString::to_string).collect();
    let expected =
        ["train.ema: none -> 0.99", "train.epochs: 6 -> 9", "train.max_length: 400 -> none"];
    assert_eq!(found, expected);
}

#[test]
fn options_of_another_rule_are_refused() {
    let conflict = |overrides: &[&str]| error("", overrides);
    assert!(conflict(&["train.optimizer.momentum=0.9"]).contains("beta1"));
    let nesterov = ["train.optimizer.kind=sgd", "train.optimizer.nesterov=true"];
    assert!(conflict(&nesterov).contains("momentum"));
    let by_test = ["train.patience=2", "train.evaluate_on=test", "train.select=last"];
    assert!(conflict(&by_test).contains("test split"));
    assert!(conflict(&["train.schedule.kind=cosin"]).contains("did you mean \"cosine\"?"));
    assert!(conflict(&["train.ema=1.0"]).contains("less than 1"));
}
