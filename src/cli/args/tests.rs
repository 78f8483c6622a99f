use super::*;
use crate::train::Config;
use clap::CommandFactory;

#[test]
fn clap_finds_no_fault() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_tells_the_true_defaults() {
    let mut config = Config::default();
    config.resolve();
    let hidden = config.model.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let name = |value: &dyn erased::Name| value.name();
    let binarize_default = format!(
        "{} for {}, none for the other likelihoods",
        name(&config.train.binarize.unwrap()),
        config.model.likelihood
    );
    let mut command = Cli::command();
    let help = command.find_subcommand_mut("train").unwrap().render_long_help().to_string();
    // Where lines are broken depends on the terminal.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for (flag, default) in [
        ("--data", config.data.clone()),
        ("--hidden", hidden),
        ("--latent", config.model.latent.to_string()),
        ("--activation", name(&config.model.activation)),
        ("--likelihood", config.model.likelihood.clone()),
        ("--levels", config.model.levels.to_string()),
        ("--variance", name(&config.model.variance)),
        ("--batch-size", config.train.batch_size.to_string()),
        ("--binarize", binarize_default),
        ("--epochs", config.train.epochs.to_string()),
        ("--seed", config.train.seed.to_string()),
    ] {
        let at = help.find(&format!("{flag} ")).unwrap_or_else(|| panic!("{flag} in the help"));
        let told = help[at..].split("[default: ").nth(1).and_then(|t| t.split(']').next()).unwrap();
        assert_eq!(told, default, "{flag}");
    }
    let told: f32 = help.split("Adam [default: ").nth(1).unwrap().split(']').next().unwrap().parse().unwrap();
    assert_eq!(told, config.train.lr);
}

mod erased {
    use clap::ValueEnum;

    pub trait Name {
        fn name(&self) -> String;
    }

    impl<T: ValueEnum> Name for T {
        fn name(&self) -> String {
            self.to_possible_value().unwrap().get_name().to_owned()
        }
    }
}

#[test]
fn flags_win_over_the_file() {
    let args = ModelArgs { latent: Some(3), ..ModelArgs::default() };
    let config = args.resolve().unwrap();
    assert_eq!((config.model.latent, config.model.hidden), (3, vec![400]));
}
