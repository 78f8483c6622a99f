use super::*;
use crate::data::{Dataset, Shape, Split};

#[test]
fn toml_round_trips() {
    let mut config = Config { shape: Some([28, 28, 1]), ..Config::default() };
    config.train.seed = u64::from(u32::MAX) + 1;
    config.model.hidden = vec![512, 256];
    assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
}

#[test]
fn missing_keys_have_defaults() {
    assert_eq!(Config::parse("").unwrap(), Config::default());
    assert_eq!(Config::parse("[model]\nlatent = 2\n").unwrap().model.latent, 2);
}

#[test]
fn the_likelihood_decides_how_grey_values_become_x() {
    let parse = |model: &str, train: &str| {
        Config::parse(&format!("[model]\nlikelihood = \"{model}\"\n[train]\n{train}\n"))
    };
    for (model, expected) in [
        ("bernoulli", Binarize::Dynamic),
        ("continuous-bernoulli", Binarize::None),
        ("gaussian", Binarize::None),
        ("gaussian-learned", Binarize::None),
        ("categorical", Binarize::None),
    ] {
        let mut config = parse(model, "").unwrap();
        config.resolve();
        assert_eq!((config.train.binarize, config.warning()), (Some(expected), None), "{model}");
        assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
    }
    let warning = parse("bernoulli", "binarize = \"none\"").unwrap().warning().unwrap();
    assert!(
        warning.starts_with("bernoulli is no likelihood of grey data: use continuous-bernoulli, gaussian")
    );
    assert!(warning.ends_with("or `train.binarize`"), "{warning}");
    assert!(parse("gaussian", "binarize = \"fixed\"").unwrap().warning().is_some());
    let message = parse("categorical", "binarize = \"fixed\"").unwrap_err();
    assert!(message.contains("use `train.binarize` = none"), "{message}");
}

#[test]
fn settings_are_checked_where_the_likelihood_uses_them() {
    let parse = |name: &str, levels: usize| {
        Config::parse(&format!("[model]\nlikelihood = \"{name}\"\nlevels = {levels}\n"))
    };
    for levels in [0, 1, 257, usize::MAX >> 1] {
        let message = parse("categorical", levels).unwrap_err();
        assert!(message.contains(&format!("`model.levels` = {levels}: use 2 to 256")), "{message}");
        assert!(parse("gaussian", levels).is_ok());
    }
    assert_eq!(parse("categorical", 256).unwrap().model.levels, 256);
    assert!(Config::parse("[model]\nvariance = \"none\"\n").unwrap_err().contains("global"));
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    for (text, nearest) in [
        ("[model]\nlatnet = 2\n", "`latent`"),
        ("[train]\nbatchsize = 2\n", "`batch_size`"),
        ("[modle]\n", "`model`"),
        ("[run]\ntensor_board = true\n", "`tensorboard`"),
        ("[model]\nactivation = \"rellu\"\n", "`relu`"),
    ] {
        let message = Config::parse(text).unwrap_err();
        assert!(message.ends_with(&format!("the nearest known name is {nearest}")), "{message}");
    }
    assert!(!Config::parse("[model]\nlatent = \"two\"\n").unwrap_err().contains("nearest"));
}

#[test]
fn what_is_said_of_the_machine_is_read_and_never_written() {
    let config = Config::parse("[run]\nout = \"here\"\ntensorboard = true\nlog_format = \"json\"\n").unwrap();
    assert!(config.run.tensorboard && config.run.log_format == LogFormat::Json);
    assert_eq!(Config::parse(&config.to_toml()).unwrap(), Config::default());
}

#[test]
fn unknown_keys_and_bad_values_are_errors() {
    assert!(Config::parse("[model]\nlatnet = 2\n").unwrap_err().contains("latnet"));
    assert!(Config::parse("[train]\nbatch_size = 0\n").unwrap_err().contains("`train.batch_size`"));
    assert!(Config::parse("[train]\nlr = -1.0\n").unwrap_err().contains("`train.lr`"));
    assert!(Config::parse("[model]\nhidden = []\n").unwrap_err().contains("`model.hidden`"));
    assert!(Config::parse("[model]\nlikelihood = \"poisson\"\n").unwrap_err().contains("bernoulli"));
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (text, expected) in [
        ("[model]\nkind = \"ae\"\n[train]\nbeta = 2.0\n", "`model.kind` = ae has no samples and no KL"),
        ("[model]\nkind = \"ae\"\n[train]\nsamples = 5\n", "`model.kind` = ae has no samples and no KL"),
        ("[model]\nkind = \"iwae\"\n[train]\nfree_bits = 0.5\n", "use it with `model.kind` = vae"),
        ("[train]\nvalid = 1.0\n", "`train.valid` = 1: use a share"),
        ("[train]\nsamples = 0\n", "`train.samples` = 0: use one or more"),
        ("[train]\nsamples = 513\n", "`train.samples` = 513: with batches of 128, use 1 to 512"),
        ("[train]\nclip_norm = -1.0\n", "`train.clip_norm` = -1: use a number that is not negative"),
        ("[train]\nadam_epsilon = 0.0\n", "`train.adam_epsilon` = 0: use a positive number"),
    ] {
        let message = Config::parse(text).unwrap_err();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn validation_data_are_held_out_or_the_sources_own_and_needed_to_choose() {
    let split = Split::new(vec![0; 4], 1, None);
    let without = Dataset::new("data", Shape::table(1), split.clone(), split.clone());
    let with = Dataset { valid: Some(split), ..without.clone() };
    let check = |text: &str, data: &Dataset| {
        Config::parse(text)
            .unwrap()
            .train
            .check_valid(data)
            .map_err(|error| error.to_string())
            .err()
            .unwrap_or_default()
    };
    for chooses in ["[train]\nkeep = \"best\"\n", "[train]\npatience = 3\n"] {
        assert!(check(chooses, &without).contains("add `train.valid` = 0.1"));
        assert_eq!(check(&format!("{chooses}valid = 0.1\n"), &without), "");
        assert_eq!(check(chooses, &with), "");
    }
    assert_eq!(check("", &without), "");
    let message = check("[train]\nvalid = 0.1\n", &with);
    assert!(message.ends_with("data has a validation part of its own; leave it out"), "{message}");
}

#[test]
fn a_picture_of_too_many_values_names_what_makes_it_smaller() {
    let refusal = |shape: Shape| {
        let split = Split::new(vec![0; shape.dim()], shape.dim(), None);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.png"), "").unwrap();
        let data = folder.path().to_str().unwrap().to_owned();
        let dataset = Dataset::new("photos", shape, split.clone(), split);
        let mut config = Config { data, ..Config::default() };
        config.model.net = Net::Mlp;
        config.check_data(&dataset).map_err(|error| error.to_string()).err().unwrap_or_default()
    };
    let shape = |width, height, channels| Shape { width, height, channels };
    let message = refusal(shape(256, 256, 3));
    assert_eq!(
        message,
        "`source.image_size`: each of photos has 256x256x3 values, 196608 in all, but linear layers take 65536 or fewer\n  \
         use `source.image_size` = 128x128, or `source.colour` = grey, or `model.net` = conv, which takes 196608"
    );
    let message = refusal(shape(1000, 500, 3));
    assert!(message.ends_with("use `source.image_size` = 125x62"), "{message}");
    assert_eq!(refusal(shape(256, 256, 1)), "");
}

#[test]
fn the_elbo_is_trained_where_nothing_weights_its_terms() {
    let trains = |text: &str| {
        let config = Config::parse(text).unwrap();
        config.train.trains_the_elbo(&config.model_config(Shape { width: 4, height: 4, channels: 1 }))
    };
    for (text, expected) in [
        ("", true),
        ("[train]\nsamples = 5\n", true),
        ("[train]\nbeta = 2.0\n", false),
        ("[train]\nkl_warmup = 1.0\n", false),
        ("[train]\nfree_bits = 0.5\n", false),
        ("[model]\nkind = \"iwae\"\n[train]\nsamples = 5\n", false),
        ("[model]\nkind = \"iwae\"\n", true),
    ] {
        assert_eq!(trains(text), expected, "{text}");
    }
}

#[test]
fn a_variance_that_does_nothing_is_named() {
    let warning = |model: &str| Config::parse(&format!("[model]\n{model}\n")).unwrap().warning();
    let said = warning("likelihood = \"bernoulli\"\nvariance = \"pixel\"").unwrap();
    assert!(said.contains("`model.variance` = pixel does nothing"), "{said}");
    assert!(warning("likelihood = \"gaussian\"\nvariance = \"shared\"").is_some());
    assert_eq!(warning("likelihood = \"gaussian-learned\"\nvariance = \"pixel\""), None);
    assert_eq!(warning("likelihood = \"bernoulli\""), None);
    // Where the data choose, a variance says which.
    assert_eq!(warning("variance = \"pixel\""), None);
}

#[test]
fn a_file_without_a_format_is_read_and_a_newer_one_is_refused() {
    assert_eq!(Config::parse("[model]\nlatent = 2\n").unwrap().format, 3);
    assert!(Config::default().to_toml().starts_with("format = 3\n"));
    for format in [0, 4, u32::MAX] {
        // Whatever else a newer version has to say.
        let message = Config::parse(&format!("format = {format}\nnew_key = 1\n")).unwrap_err();
        assert!(message.starts_with(&format!("it has format {format}, and this")), "{message}");
        assert!(message.contains("use a newer version"), "{message}");
    }
    assert!(Config::parse("format = 3\nnew_key = 1\n").unwrap_err().contains("new_key"));
}

#[test]
fn the_defaults_are_those_of_the_model() {
    let shape = Shape { width: 28, height: 28, channels: 1 };
    let picture = Some(Extent { height: 28, width: 28, channels: 1 });
    assert_eq!(Config::default().model_config(shape), ModelConfig { picture, ..ModelConfig::default() });
}

#[test]
fn the_network_follows_the_data_where_nothing_is_named() {
    let net = |text: &str, width, height, channels| {
        let mut config = Config::parse(text).unwrap();
        config.choose_net(Shape { width, height, channels }).map(|()| {
            let layers = config.model.encoder.as_ref().map(ToString::to_string).unwrap_or_default();
            (config.model.net, layers)
        })
    };
    let conv = |layers: &str| Ok((Net::Conv, layers.to_owned()));
    let mlp = Ok((Net::Mlp, String::new()));
    let residual = "residual(conv 32x4/2, conv 32x3 identity), silu, linear 256";
    for (text, width, height, channels, expected) in [
        ("", 28, 28, 1, mlp.clone()),
        ("", 20, 1, 1, mlp.clone()),
        ("", 28, 29, 1, conv("conv 32x4/2, conv 64x4/2, linear 256")),
        ("", 28, 28, 3, conv("conv 32x4/2, conv 64x4/2, linear 256")),
        // Widths that are named are wanted.
        ("[model]\nhidden = [400]", 64, 64, 3, mlp.clone()),
        ("[model]\nhidden = [400]\nnet = \"auto\"", 8, 8, 3, conv("conv 32x4/2, linear 256")),
        ("[model]\nnet = \"mlp\"", 64, 64, 3, mlp),
        ("[model]\nnet = \"conv\"", 28, 28, 1, conv("conv 32x4/2, conv 64x4/2, linear 256")),
        ("[model]\nnet = \"resnet\"\nactivation = \"silu\"", 8, 9, 3, Ok((Net::Resnet, residual.into()))),
        ("[model]\nencoder = \"linear 9\"", 64, 64, 3, Ok((Net::Auto, "linear 9".into()))),
    ] {
        assert_eq!(net(text, width, height, channels).map_err(|e| e.to_string()), expected, "{text}");
    }
    let error = net("[model]\nnet = \"conv\"", 20, 1, 1).unwrap_err().to_string();
    assert!(
        error.contains("not pictures: use mlp") && error.contains("`source.image_size` = WxH"),
        "{error}"
    );
}

#[test]
fn runs_of_earlier_formats_divide_their_rows_as_they_did() {
    let of = |text: &str| Config::parse(text).unwrap().source.division;
    for old in ["shape = [4, 1, 1]\n", "format = 2\nshape = [4, 1, 1]\n"] {
        assert_eq!(of(old), Division::Shuffle);
        // Once read, it says so itself.
        assert_eq!(of(&Config::parse(old).unwrap().to_toml()), Division::Shuffle);
    }
    // What a user writes is no run, and new runs are of the new format.
    for new in ["", "format = 2\n", "format = 3\nshape = [4, 1, 1]\n"] {
        assert_eq!(of(new), Division::Rows);
    }
}

#[test]
fn what_is_given_away_names_no_folders() {
    let mut config = Config { data: "/home/ada/wine.csv".into(), ..Config::default() };
    config.source.test_data = Some("/home/ada/test.csv".into());
    config.train.init_from = Some("/home/ada/runs/first".into());
    let text = config.portable().to_toml();
    assert!(!text.contains("home") && text.contains("\"wine.csv\"") && text.contains("\"first\""), "{text}");
    assert_eq!(Config::default().portable(), Config::default());
}
