use super::*;

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
        ("[train]\nkeep = \"best\"\n", "add `train.valid` = 0.1"),
        ("[train]\npatience = 3\n", "add `train.valid` = 0.1"),
        ("[train]\nvalid = 1.0\n", "`train.valid` = 1: use a share"),
        ("[train]\nsamples = 0\n", "`train.samples` = 0: use one or more"),
        ("[train]\nsamples = 513\n", "`train.samples` = 513: with batches of 128, use 1 to 512"),
        ("[train]\nclip_norm = -1.0\n", "`train.clip_norm` = -1: use a number that is not negative"),
        ("[train]\nadam_epsilon = 0.0\n", "`train.adam_epsilon` = 0: use a positive number"),
    ] {
        let message = Config::parse(text).unwrap_err();
        assert!(message.contains(expected), "{text}: {message}");
    }
    assert!(Config::parse("[train]\nvalid = 0.1\nkeep = \"best\"\npatience = 3\n").is_ok());
}

#[test]
fn a_file_without_a_format_is_read_and_a_newer_one_is_refused() {
    assert_eq!(Config::parse("[model]\nlatent = 2\n").unwrap().format, 2);
    assert!(Config::default().to_toml().starts_with("format = 2\n"));
    for format in [0, 3, u32::MAX] {
        // Whatever else a newer version has to say.
        let message = Config::parse(&format!("format = {format}\nnew_key = 1\n")).unwrap_err();
        assert!(message.starts_with(&format!("it has format {format}, and this")), "{message}");
        assert!(message.contains("use a newer version"), "{message}");
    }
    assert!(Config::parse("format = 2\nnew_key = 1\n").unwrap_err().contains("new_key"));
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
        ("[model]\nencoder = \"linear 9\"", 64, 64, 3, Ok((Net::Auto, "linear 9".into()))),
    ] {
        assert_eq!(net(text, width, height, channels).map_err(|e| e.to_string()), expected, "{text}");
    }
    let error = net("[model]\nnet = \"conv\"", 20, 1, 1).unwrap_err().to_string();
    assert!(error.contains("not pictures: use mlp"), "{error}");
}
