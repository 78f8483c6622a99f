//! Published recipes, by name.

use super::config::{Config, ModelSection, Net, TrainSection};
use super::schedule::Schedule;
use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::gather::Binarize;
use crate::kernels::likelihood::Variance;
use crate::kernels::likelihood::bernoulli::BERNOULLI;
use crate::kernels::likelihood::gaussian_learned::GAUSSIAN_LEARNED;
use crate::model::init::Init;

/// A published recipe.
pub struct Preset {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it trains.
    pub about: &'static str,
    /// Who published it, and where.
    pub source: &'static str,
    /// The figure to compare with, in nats per image.
    pub published: &'static str,
    /// Where this program, or the authors' own, does otherwise than the publication says.
    pub differs: &'static str,
    /// The recipe in its own length.
    pub config: fn() -> Config,
}

/// Every preset.
pub const TABLE: &[Preset] = &[
    Preset {
        name: "pytorch-example",
        about: "784-400-20 relu, cross-entropy on grey pixels, 10 epochs",
        source: "github.com/pytorch/examples, vae/main.py",
        published: "loss 106.66 on the test images after epoch 7 (the log in its pull request 1416)",
        differs: "nothing. Cross-entropy of grey pixels is no likelihood of them: the figure compares with no other",
        config: || {
            recipe(
                section(&[400], 20, Activation::Relu),
                TrainSection { binarize: Some(Binarize::None), ..TrainSection::default() },
            )
        },
    },
    Preset {
        name: "kingma2013",
        about: "784-500-20 tanh, batch 100, one sample, 100 epochs",
        source: "Kingma & Welling 2013 (arXiv 1312.6114), section 5 and appendix C",
        published: "curves only (figure 2, between -150 and -100)",
        differs: "Adam at 1e-3 instead of Adagrad, no prior on the weights, Xavier's initial weights instead of \
                  N(0, 0.01), binary pixels drawn anew, 100 epochs (the paper names none)",
        config: || {
            recipe(
                section(&[500], 20, Activation::Tanh),
                TrainSection { batch_size: 100, epochs: 100, init: Init::Xavier, ..TrainSection::default() },
            )
        },
    },
    Preset {
        name: "burda2015-vae",
        about: "784-200-200-50 tanh, one sample, eight stages of 3^i epochs (3280 in all)",
        source: "Burda, Grosse & Salakhutdinov 2015 (arXiv 1509.00519), section 5.1 and appendix C",
        published: "NLL 86.76 with 5000 samples, 19 active units (table 1, VAE, 1 layer, k = 1)",
        differs: BURDA_DIFFERS,
        config: || burda("vae", 1),
    },
    Preset {
        name: "burda2015-iwae",
        about: "the same by the importance-weighted bound of 50 samples, 3280 epochs",
        source: "Burda, Grosse & Salakhutdinov 2015 (arXiv 1509.00519), section 5.1 and appendix C",
        published: "NLL 84.78 with 5000 samples, 25 active units (table 1, IWAE, 1 layer, k = 50); 85.54 with k = 5",
        differs: BURDA_DIFFERS,
        config: || burda("iwae", 50),
    },
    Preset {
        name: "pythae-mnist",
        about: "784-400-40 relu, fixed binary pixels, 500 epochs at 1e-4 and less",
        source: "github.com/clementchadebec/benchmark_VAE, examples/scripts/reproducibility/vae.py",
        published: "NLL 89.78 with 200 samples",
        differs: "pixels are binarised once by a draw of this program, not by Larochelle's files, and all 60,000 are \
                  trained on; the last weights are kept",
        config: || {
            recipe(
                section(&[400], 40, Activation::Relu),
                TrainSection {
                    batch_size: 100,
                    epochs: 500,
                    lr: 1e-4,
                    lr_schedule: Schedule::Steps { at: vec![200.0, 350.0], factor: 0.631 },
                    binarize: Some(Binarize::Fixed),
                    ..TrainSection::default()
                },
            )
        },
    },
    Preset {
        name: "conv-mnist",
        about: "28x28 digits: conv 32x4/2, conv 64x4/2, linear 256, 20 latent dimensions, 10 epochs",
        source: "the layers of Chen et al. 2016 (InfoGAN, arXiv 1606.03657, appendix C.1) at half their width and less",
        published: "none: the publication trains another objective",
        differs: "relu instead of its leaky rectifier, no batch normalisation, and the mirrored decoder",
        config: || {
            let layers = "conv 32x4/2, conv 64x4/2, linear 256";
            recipe(convolutions(layers, None, 20), TrainSection { epochs: 10, ..TrainSection::default() })
        },
    },
    Preset {
        name: "resnet-mnist",
        about: "28x28 digits: residual blocks of 16, 32 and 32 channels that halve them, linear 450, elu, 32 latent \
                dimensions, 2000 epochs",
        source: "Kingma et al. 2016 (arXiv 1606.04934), section 6.1 and appendix D.1: the model without flow",
        published: "ELBO -84.08, NLL 81.08 (table 1, diagonal covariance)",
        differs: "no weight normalisation, Adam at 1e-3 that falls along a cosine, and the whole training set",
        config: resnet_mnist,
    },
    Preset {
        name: "sigma-vae",
        about: "28x28 pictures of your own: three convolutions of 32, 64 and 128 channels, 20 latent dimensions, the \
                variance in closed form, 10 epochs",
        source: "Rybkin, Daniilidis & Levine 2021 (arXiv 2006.13202) as github.com/orybkin/sigma-vae-pytorch, model.py, has it",
        published: "-log p -896 on SVHN with a shared variance, -2895 and worse samples with one for each pixel (table 1)",
        differs: "no sigmoid behind the last layer, and KL and variance as the paper has them (the program's main branch adds a \
                  mean to a sum)",
        config: || {
            let encoder = "conv 32x3, conv 64x4/2, conv 128x5/2 pad 2";
            let decoder = "linear 7x7x128 identity, deconv 64x6/2 pad 2, deconv 32x6/2 pad 2, deconv 5 pad 2";
            let model = gaussian(convolutions(encoder, Some(decoder), 20));
            recipe(model, TrainSection { epochs: 10, ..TrainSection::default() })
        },
    },
    Preset {
        name: "pythae-mnist-conv",
        about: "28x28 digits: four convolutions of 128 to 1024 channels with batch normalisation, 16 latent dimensions",
        source: "github.com/clementchadebec/benchmark_VAE, src/pythae/models/nn/benchmarks/mnist/convnets.py",
        published: PYTHAE_PUBLISHED,
        differs: PYTHAE_DIFFERS,
        config: || {
            let middle = ["deconv 512x3/2 pad 1 to 7x7", "deconv 256x3/2 pad 1 to 14x14"];
            pythae(["4x4x1024", "deconv 3/2 pad 1"], &middle, 16)
        },
    },
    Preset {
        name: "pythae-celeba",
        about: "64x64 pictures of your own: four convolutions of 128 to 1024 channels with batch normalisation, 64 latent \
                dimensions",
        source: "github.com/clementchadebec/benchmark_VAE, src/pythae/models/nn/benchmarks/celeba/convnets.py",
        published: PYTHAE_PUBLISHED,
        differs: PYTHAE_DIFFERS,
        config: || {
            let middle = [
                "deconv 512x5/2 pad 2 to 15x15",
                "deconv 256x5/2 pad 1 to 31x31",
                "deconv 128x5/2 pad 2 to 62x62",
            ];
            pythae(["8x8x1024", "deconv 5 pad 1"], &middle, 64)
        },
    },
    Preset {
        name: "dcgan-32",
        about: "32x32 pictures of your own: convolutions of 64, 128 and 256 channels, normalised, 64 latent dimensions",
        source: DCGAN_SOURCE,
        published: DCGAN_PUBLISHED,
        differs: DCGAN_DIFFERS,
        config: || dcgan(&[64, 128, 256], 64),
    },
    Preset {
        name: "dcgan-64",
        about: "64x64 pictures of your own: convolutions of 64 to 512 channels, normalised, 100 latent dimensions",
        source: DCGAN_SOURCE,
        published: DCGAN_PUBLISHED,
        differs: DCGAN_DIFFERS,
        config: || dcgan(&[64, 128, 256, 512], 100),
    },
];

const DCGAN_SOURCE: &str = "Radford et al. 2015 (arXiv 1511.06434) as github.com/pytorch/examples, dcgan/main.py, has its \
    discriminator and generator";
const DCGAN_PUBLISHED: &str = "none: the publication trains an adversarial objective";
const DCGAN_DIFFERS: &str = "an autoencoder of both halves; normalisation by groups of channels of a picture instead of channels \
    of a batch, relu instead of its leaky rectifier in the encoder, PyTorch's initial weights instead of N(0, 0.02), Adam's own \
    betas at 1e-3";

const PYTHAE_PUBLISHED: &str = "none for this network";
const PYTHAE_DIFFERS: &str = "no sigmoid behind the last layer, the likelihood that fits the data, and a training of 100 epochs \
    of batches of 100 with Adam at 1e-3, since the file names none";

/// Four convolutions; then a picture, layers that are normalised over the batch, and the last one.
fn pythae([first, last]: [&str; 2], middle: &[&str], latent: usize) -> Config {
    let normal = |layer: &str| format!("{layer} identity, norm batch, relu");
    let encoder = [128, 256, 512, 1024].map(|channels| normal(&format!("conv {channels}x4/2"))).join(", ");
    let middle: Vec<String> = middle.iter().map(|layer| normal(layer)).collect();
    let decoder = format!("linear {first} identity, {}, {last}", middle.join(", "));
    let model = convolutions(&encoder, Some(&decoder), latent);
    recipe(model, TrainSection { batch_size: 100, epochs: 100, ..TrainSection::default() })
}

/// The model with a Gaussian whose variance is in closed form.
fn gaussian(model: ModelSection) -> ModelSection {
    let (likelihood, variance) = (GAUSSIAN_LEARNED.name.into(), Some(Variance::Optimal));
    ModelSection { likelihood, variance, ..model }
}

fn resnet_mnist() -> Config {
    let block = |layer: &str, channels: usize| format!("residual({layer}, conv {channels}x3 identity), elu");
    let encoder = [("conv 16x3/2", 16), ("conv 32x3/2", 32), ("conv 32x3/2", 32)];
    let decoder =
        [("deconv 32x3/2 to 7x7", 32), ("deconv 32x3/2 to 14x14", 32), ("deconv 16x3/2 to 28x28", 16)];
    let [encoder, decoder] =
        [encoder, decoder].map(|blocks| blocks.map(|(layer, channels)| block(layer, channels)).join(", "));
    let (encoder, decoder) =
        (format!("{encoder}, linear 450"), format!("linear 450, linear 4x4x32, {decoder}, conv 3"));
    let model = ModelSection {
        activation: Activation::Elu,
        likelihood: BERNOULLI.name.into(),
        ..convolutions(&encoder, Some(&decoder), 32)
    };
    let train = TrainSection {
        batch_size: 100,
        epochs: 2000,
        lr_schedule: Schedule::Cosine,
        ..TrainSection::default()
    };
    recipe(model, train)
}

fn convolutions(encoder: &str, decoder: Option<&str>, latent: usize) -> ModelSection {
    let layers = |text: &str| text.parse().expect("layers of a preset");
    let (encoder, decoder) = (Some(layers(encoder)), decoder.map(layers));
    ModelSection { encoder, decoder, latent, ..ModelSection::default() }
}

/// Each convolution halves the picture; all but the first, and all transposed ones but the last, are normalised.
fn dcgan(channels: &[usize], latent: usize) -> Config {
    let normal = |channels: usize| format!("conv {channels}x4/2 identity, norm group 8, relu");
    let (first, rest) = channels.split_first().expect("channels");
    let rest: Vec<String> = rest.iter().map(|&channels| normal(channels)).collect();
    let encoder = format!("conv {first}x4/2, {}", rest.join(", "));
    let model = gaussian(convolutions(&encoder, None, latent));
    recipe(model, TrainSection { batch_size: 64, epochs: 20, ..TrainSection::default() })
}

const BURDA_DIFFERS: &str = "follows the paper: Adam with beta1 0.9, beta2 0.999 and epsilon 1e-4, rates 1e-3 10^(-i/7), \
    Glorot's weights, and the program's output bias (the logit of the mean pixel), of which the paper says nothing. \
    Besides, the authors' program (github.com/yburda/iwae) has beta1 0.99, a second moment that starts at ones, \
    gradients summed over the 20 images, rates rounded to 10, 7.2, 5.2, 3.7, 2.7, 1.9, 1.4 and 1.0 x 1e-4, a KL that is \
    sampled for the VAE too, and 59,600 images that are never shuffled";

fn section(hidden: &[usize], latent: usize, activation: Activation) -> ModelSection {
    let net = Net::Mlp;
    ModelSection {
        net,
        hidden: hidden.to_vec(),
        latent,
        activation,
        likelihood: BERNOULLI.name.into(),
        ..ModelSection::default()
    }
}

fn recipe(model: ModelSection, train: TrainSection) -> Config {
    Config { model, train, ..Config::default() }
}

fn burda(kind: &str, samples: usize) -> Config {
    let model = ModelSection { kind: kind.into(), ..section(&[200, 200], 50, Activation::Tanh) };
    recipe(
        model,
        TrainSection {
            batch_size: 20,
            samples,
            epochs: 3280,
            lr_schedule: Schedule::Burda,
            adam_epsilon: 1e-4,
            init: Init::Xavier,
            output_bias: true,
            ..TrainSection::default()
        },
    )
}

/// The preset of that name.
pub fn find(name: &str) -> Option<&'static Preset> {
    TABLE.iter().find(|preset| preset.name == name)
}

impl Preset {
    /// The recipe with `scale` times its epochs, and everything that is told in epochs scaled with them.
    ///
    /// # Errors
    /// [`Error::Usage`] if `scale` is not a positive number.
    pub fn scaled(&self, scale: f64) -> Result<Config> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Error::Usage(format!("`scale` = {scale}: use a positive number, such as 0.1")));
        }
        let mut config = (self.config)();
        let train = &mut config.train;
        train.epochs = (f64::from(train.epochs) * scale).round().clamp(1.0, f64::from(u32::MAX)) as u32;
        train.lr_warmup *= scale;
        train.kl_warmup *= scale;
        if let Schedule::Steps { at, .. } = &mut train.lr_schedule {
            at.iter_mut().for_each(|epoch| *epoch *= scale);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Shape;
    use crate::model::Network;

    #[test]
    fn every_preset_is_valid_and_can_be_scaled() {
        for preset in TABLE {
            let whole = (preset.config)();
            whole.validate().unwrap();
            assert_eq!(find(preset.name).map(|p| p.source), Some(preset.source));
            let tenth = preset.scaled(0.1).unwrap();
            tenth.validate().unwrap();
            assert_eq!(tenth.train.epochs, (whole.train.epochs + 5) / 10, "{}", preset.name);
            // At the same share of the run the rate is the same.
            let rate = |config: &Config, share: f64| {
                let epochs = config.train.epochs;
                config.train.lr_schedule.factor(share * f64::from(epochs), epochs)
            };
            for share in [0.0, 0.3, 0.45, 0.75, 0.99] {
                assert_eq!(rate(&whole, share), rate(&tenth, share), "{} at {share}", preset.name);
            }
            assert!(preset.scaled(0.0).is_err() && preset.scaled(f64::NAN).is_err());
        }
    }

    #[test]
    fn the_layers_of_every_preset_fit_its_pictures() {
        for preset in TABLE {
            let side = if preset.about.starts_with("64x64") { 64 } else { 28 };
            let side = if preset.about.starts_with("32x32") { 32 } else { side };
            let channels = if side == 28 { 1 } else { 3 };
            let config = (preset.config)().model_config(Shape { width: side, height: side, channels });
            Network::new(&config).unwrap_or_else(|problem| panic!("{}: {problem}", preset.name));
        }
    }

    /// The text begins with the layers, such as 784-200-200-50 tanh, and tells of the epochs.
    #[test]
    fn every_preset_is_what_its_text_says() {
        for preset in TABLE.iter().filter(|preset| preset.about.starts_with("784-")) {
            let Config { model, train, .. } = (preset.config)();
            let widths: String = model.hidden.iter().map(|width| format!("{width}-")).collect();
            let layers =
                format!("784-{widths}{} {}", model.latent, crate::settings::Named::name(model.activation));
            assert!(preset.about.starts_with(&layers), "{}: {layers}", preset.name);
            assert!(
                preset.about.contains(&train.epochs.to_string()),
                "{}: {} epochs",
                preset.name,
                train.epochs
            );
        }
        let [vae, iwae] = ["burda2015-vae", "burda2015-iwae"].map(|name| (find(name).unwrap().config)());
        assert_eq!((vae.model.kind.as_str(), vae.train.samples, vae.train.batch_size), ("vae", 1, 20));
        assert_eq!((iwae.model.kind.as_str(), iwae.train.samples, iwae.train.batch_size), ("iwae", 50, 20));
        assert_eq!(
            (vae.train.adam_epsilon, vae.train.init, vae.train.output_bias),
            (1e-4, Init::Xavier, true)
        );
    }

    #[test]
    fn warm_ups_are_scaled_with_the_epochs() {
        let config = || {
            let train =
                TrainSection { epochs: 100, lr_warmup: 10.0, kl_warmup: 20.0, ..TrainSection::default() };
            recipe(ModelSection::default(), train)
        };
        let preset = Preset { name: "", about: "", source: "", published: "", differs: "", config };
        let train = preset.scaled(0.5).unwrap().train;
        assert_eq!((train.epochs, train.lr_warmup, train.kl_warmup), (50, 5.0, 10.0));
    }
}
