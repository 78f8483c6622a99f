//! The networks that `net` stands for, scaled to the size of a picture.

use super::kind::{Extent, Layers};
use super::linear::MAX_WIDTH;
use crate::kernels::activation::Activation;
use crate::model::latent::LatentSize;
use crate::settings::Named;

/// Channels after the first halving of a picture; each further one doubles them,
const CHANNELS: usize = 32;
/// but not more often than this.
const MOST_DOUBLINGS: usize = 3;
/// A picture is halved until its shorter side is below this,
const SMALL: usize = 8;
/// or so often; one that linear layers do not take,
const MOST_HALVINGS: usize = 4;
/// so often.
const MOST_OF_LARGE: usize = 8;
/// Width of the linear layer next to the latent.
const WIDTH: usize = 256;

impl Layers {
    /// The encoder that `net = conv` stands for: convolutions that halve a picture, with twice the channels each time up
    /// to 256, and a linear layer, or so many that the picture has the size of the latent's.
    ///
    /// # Errors
    /// If no number of halvings leads to the latent's size.
    #[doc(hidden)]
    pub fn of_picture(picture: Extent, latent: Option<LatentSize>) -> Result<Layers, String> {
        let halvings = halvings(picture, latent)?;
        let mut texts: Vec<String> =
            (0..halvings).map(|i| format!("conv {}x4/2", channels_after(i))).collect();
        if texts.is_empty() {
            texts.push(format!("conv {CHANNELS}x3"));
        }
        texts.extend(latent.is_none().then(|| format!("linear {WIDTH}")));
        Ok(parsed(&texts))
    }

    /// The encoder that `net = resnet` stands for: the same sizes, with a residual block of two convolutions (He et al. 2015) in
    /// place of each.
    ///
    /// # Errors
    /// As [`Self::of_picture`].
    #[doc(hidden)]
    pub fn of_picture_with_residuals(
        picture: Extent,
        latent: Option<LatentSize>,
        activation: Activation,
    ) -> Result<Layers, String> {
        // The configuration's check refuses the identity, later.
        let after = (activation != Activation::Identity).then(|| activation.name().to_owned());
        let block = |layer: String, channels: usize| {
            std::iter::once(format!("residual({layer}, conv {channels}x3 identity)")).chain(after.clone())
        };
        let halvings = halvings(picture, latent)?;
        let mut texts: Vec<String> = (0..halvings)
            .flat_map(|i| block(format!("conv {}x4/2", channels_after(i)), channels_after(i)))
            .collect();
        if texts.is_empty() {
            texts.push(format!("conv {CHANNELS}x3"));
            texts.extend(block(format!("conv {CHANNELS}x3"), CHANNELS));
        }
        texts.extend(latent.is_none().then(|| format!("linear {WIDTH}")));
        Ok(parsed(&texts))
    }
}

/// Channels after halving number `i`.
fn channels_after(i: usize) -> usize {
    CHANNELS << i.min(MOST_DOUBLINGS)
}

/// How often a picture is halved: until its shorter side is small, or until it has the size of the latent's.
fn halvings(picture: Extent, latent: Option<LatentSize>) -> Result<usize, String> {
    let Some(latent) = latent else {
        let side = picture.height.min(picture.width);
        let most = if picture.len() > MAX_WIDTH { MOST_OF_LARGE } else { MOST_HALVINGS };
        return Ok((0..most).take_while(|halvings| side >> halvings >= SMALL).count());
    };
    let halved = |sides: &[usize; 2]| Some(sides.map(|side| side / 2));
    let sizes: Vec<_> = std::iter::successors(Some([picture.height, picture.width]), halved)
        .take_while(|sides| sides.iter().all(|side| *side > 0))
        .take(MOST_OF_LARGE + 1)
        .collect();
    sizes.iter().position(|sides| *sides == [latent.height, latent.width]).ok_or_else(|| {
        let sizes: Vec<_> = sizes.iter().map(|[height, width]| format!("{height}x{width}")).collect();
        format!(
            "pictures of this size have latents of {}: use one of these, or name the layers",
            sizes.join(", ")
        )
    })
}

fn parsed(texts: &[String]) -> Layers {
    texts.join(", ").parse().expect("a text of ours")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, Network};

    #[test]
    fn a_net_has_the_size_of_the_picture() {
        let of = |height, width| {
            Layers::of_picture(Extent { height, width, channels: 3 }, None).unwrap().to_string()
        };
        assert_eq!(of(28, 28), "conv 32x4/2, conv 64x4/2, linear 256");
        assert_eq!(of(32, 50), "conv 32x4/2, conv 64x4/2, conv 128x4/2, linear 256");
        assert_eq!(of(64, 64), "conv 32x4/2, conv 64x4/2, conv 128x4/2, conv 256x4/2, linear 256");
        assert_eq!(of(147, 147), of(64, 64));
        let large =
            "conv 32x4/2, conv 64x4/2, conv 128x4/2, conv 256x4/2, conv 256x4/2, conv 256x4/2, linear 256";
        assert_eq!(of(256, 256), large);
        assert_eq!(of(5, 90), "conv 32x3, linear 256");
    }

    #[test]
    fn residual_nets_fit_pictures_of_any_size() {
        let of = |height, width, latent: Option<&str>| {
            let picture = Extent { height, width, channels: 3 };
            let size = latent.map(|text| text.parse::<LatentSize>().unwrap());
            let layers = Layers::of_picture_with_residuals(picture, size, Activation::Relu).unwrap();
            let latent_picture = size.map(|size| size.extent(2));
            let config = ModelConfig {
                input: picture.len(),
                picture: Some(picture),
                latent: latent_picture.map_or(20, Extent::len),
                latent_picture,
                encoder: Some(layers.clone()),
                ..ModelConfig::default()
            };
            Network::new(&config).unwrap_or_else(|problem| panic!("{picture} {latent:?}: {problem}"));
            [layers, config.decoder_layers().unwrap()].map(|layers| layers.to_string())
        };
        assert_eq!(
            of(28, 28, None),
            [
                "residual(conv 32x4/2, conv 32x3 identity), relu, residual(conv 64x4/2, conv 64x3 identity), relu, linear 256",
                "linear 256, linear 7x7x64 identity, relu, residual(deconv 64x3, deconv 32x4/2 identity), relu, deconv 4/2"
            ]
        );
        for (height, width) in [(1, 1), (5, 90), (8, 8), (9, 17), (31, 33), (64, 64), (100, 37)] {
            of(height, width, None);
        }
        for latent in ["28x36", "14x18", "7x9"] {
            of(28, 36, Some(latent));
        }
    }

    #[test]
    fn a_net_ends_in_the_size_of_a_latent_picture() {
        let picture = Extent { height: 28, width: 36, channels: 3 };
        let size = |text: &str| Some(text.parse::<LatentSize>().unwrap());
        let of = |latent: &str| Layers::of_picture(picture, size(latent)).map(|layers| layers.to_string());
        assert_eq!(of("7x9").as_deref(), Ok("conv 32x4/2, conv 64x4/2"));
        assert_eq!(of("28x36").as_deref(), Ok("conv 32x3"));
        assert!(of("8x8").unwrap_err().contains("latents of 28x36, 14x18, 7x9, 3x4, 1x2"));
    }
}
