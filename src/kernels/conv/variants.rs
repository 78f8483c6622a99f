//! The ways to compute a convolution, or the gradient of its weights: shaders and their tile sizes.

use super::gradient;
use super::nodes::nodes;
use super::operation::{self, Way};
use crate::kernels::matmul::{ACCUMULATES, Epilogue};
use crate::kernels::shader;
use crate::plan::{Const, Kernel, Needs, Shader, Slot, Target, Vendor, read, read_image, write};

/// One way to compute: a shader and the sizes of its tile.
#[derive(Debug)]
pub struct Variant {
    /// Its name in tests, benches and tables.
    pub name: &'static str,
    /// The shader.
    pub kernel: &'static Kernel,
    /// The subgroup size that it needs, if it uses subgroups.
    pub lanes: Option<u32>,
    /// Blocks of four positions of the result or, in the gradient, vectors of its rows that a workgroup computes.
    pub blocks: u32,
    /// Channels of the result that a workgroup computes or, in the gradient, rows.
    pub channels: u32,
    consts: [Const; 2],
}

impl Variant {
    const fn new(
        name: &'static str,
        kernel: &'static Kernel,
        size: Const,
        channels: Const,
        subgroup: bool,
    ) -> Variant {
        let lanes = if subgroup { Some(size.1) } else { None };
        Variant { name, kernel, lanes, blocks: size.1, channels: channels.1, consts: [size, channels] }
    }

    /// A tile of as many positions, or values of vectors, as channels, by a workgroup of a square of invocations.
    const fn through_tiles(name: &'static str, kernel: &'static Kernel, channels: Const) -> Variant {
        Variant::new(name, kernel, ("SIDE", channels.1 / 4), channels, false)
    }

    const fn tiled(name: &'static str, kernel: &'static Kernel, channels: u32) -> Variant {
        Variant::through_tiles(name, kernel, ("CHANNELS", channels))
    }

    const fn weights_tiled(name: &'static str, kernel: &'static Kernel, rows: u32) -> Variant {
        Variant::through_tiles(name, kernel, ("ROWS", rows))
    }

    const fn subgroup(name: &'static str, lanes: u32, channels: u32) -> Variant {
        Variant::new(name, &SUBGROUP, ("LANES", lanes), ("CHANNELS", channels), true)
    }

    const fn portable(name: &'static str, workgroup: u32, channels: u32) -> Variant {
        Variant::new(name, &PORTABLE, ("WORKGROUP", workgroup), ("CHANNELS", channels), false)
    }

    const fn weights_subgroup(name: &'static str, lanes: u32, rows: u32) -> Variant {
        Variant::new(name, &WEIGHTS_SUBGROUP, ("LANES", lanes), ("ROWS", rows), true)
    }

    const fn weights_portable(name: &'static str, workgroup: u32, rows: u32) -> Variant {
        Variant::new(name, &WEIGHTS_PORTABLE, ("WORKGROUP", workgroup), ("ROWS", rows), false)
    }

    /// The same variant with what it reads in images.
    const fn with_images(self, kernel: &'static Kernel) -> Variant {
        Variant { kernel, ..self }
    }

    const fn images(name: &'static str, lanes: u32, channels: u32) -> Variant {
        Variant::subgroup(name, lanes, channels).with_images(&SUBGROUP_IMAGES)
    }

    const fn weights_images(name: &'static str, lanes: u32, rows: u32) -> Variant {
        Variant::weights_subgroup(name, lanes, rows).with_images(&WEIGHTS_SUBGROUP_IMAGES)
    }

    /// Whether it reads from images.
    fn reads_images(&self) -> bool {
        self.is_one_of([&SUBGROUP_IMAGES, &WEIGHTS_SUBGROUP_IMAGES])
    }

    /// Whether it rounds its operands to 16 bits.
    pub fn is_f16(&self) -> bool {
        self.is_one_of([&TILED_F16, &WEIGHTS_TILED_F16])
    }

    /// Whether operands pass through workgroup memory, with a barrier per round.
    fn uses_workgroup_memory(&self) -> bool {
        self.is_f16() || self.is_one_of([&TILED, &WEIGHTS_TILED])
    }

    fn is_one_of(&self, kernels: [&'static Kernel; 2]) -> bool {
        kernels.iter().any(|kernel| std::ptr::eq(*kernel, self.kernel))
    }

    /// Whether this variant runs on `target`.
    pub fn fits(&self, target: &Target) -> bool {
        self.lanes.is_none_or(|lanes| target.subgroup == Some(lanes))
            && (target.images || !self.reads_images())
            && (target.f16 || !self.is_f16())
    }

    /// The constants of the shader, with these beside its own.
    pub(super) fn specialise(&self, others: &[Const]) -> Vec<Const> {
        [&self.consts[..], others].concat()
    }
}

/// Every variant of a convolution: for each adapter from few channels to many.
pub static DATA: &[Variant] = &[
    Variant::images("images8-4", 8, 4),
    Variant::images("images8-16", 8, 16),
    Variant::images("images8-32", 8, 32),
    Variant::subgroup("subgroup16-4", 16, 4),
    Variant::subgroup("subgroup16-16", 16, 16),
    Variant::subgroup("subgroup16-32", 16, 32),
    Variant::subgroup("subgroup16-64", 16, 64),
    Variant::subgroup("subgroup8-4", 8, 4),
    Variant::subgroup("subgroup8-16", 8, 16),
    Variant::subgroup("subgroup8-32", 8, 32),
    Variant::subgroup("subgroup4-4", 4, 4),
    Variant::subgroup("subgroup4-16", 4, 16),
    Variant::portable("small-4", SMALL, 4),
    Variant::portable("small-16", SMALL, 16),
    Variant::portable("portable-4", 64, 4),
    Variant::portable("portable-8", 32, 8),
    Variant::portable("portable-16", 32, 16),
    Variant::tiled("tiled-32", &TILED, 32),
    Variant::tiled("tiled-32-f16", &TILED_F16, 32),
];

/// Every variant of the gradient of a convolution's weights: for each adapter from few rows to many.
pub static WEIGHTS: &[Variant] = &[
    Variant::weights_images("images8-4", 8, 4),
    Variant::weights_images("images8-16", 8, 16),
    Variant::weights_images("images8-32", 8, 32),
    Variant::weights_subgroup("subgroup16-4", 16, 4),
    Variant::weights_subgroup("subgroup16-16", 16, 16),
    Variant::weights_subgroup("subgroup16-32", 16, 32),
    Variant::weights_subgroup("subgroup8-4", 8, 4),
    Variant::weights_subgroup("subgroup8-16", 8, 16),
    Variant::weights_subgroup("subgroup8-32", 8, 32),
    Variant::weights_subgroup("subgroup4-4", 4, 4),
    Variant::weights_subgroup("subgroup4-16", 4, 16),
    Variant::weights_portable("portable-4", 64, 4),
    Variant::weights_portable("portable-8", 32, 8),
    Variant::weights_portable("portable-16", 32, 16),
    Variant::weights_tiled("tiled-32", &WEIGHTS_TILED, 32),
    Variant::weights_tiled("tiled-32-f16", &WEIGHTS_TILED_F16, 32),
];

/// Invocations of a workgroup in browsers without a card: as many as SwiftShader computes at once, so that few positions leave none
/// idle. Of one picture, 4 x 4 x 128 to 8 x 8 x 64 by 4 x 4 / 2 took 6 ms and not 37, 8 x 8 x 64 to 16 x 16 x 32 took 6 and not 11; of 64
/// pictures both took as long as with 32 invocations (Chromium 156, two busy cores).
const SMALL: u32 = 4;

/// The channels of the tiles straight from memory that are chosen without subgroups. Apple's compiler spills the sums of 16 channels
/// (Mesa 26's of an M1: 6 to 22 spills, with 8 none); all others keep them (tests/compilers).
fn channels_without_subgroups(target: &Target) -> [u32; 2] {
    match (target.software, target.vendor) {
        (false, Vendor::Apple) => [4, 8],
        _ => [4, 16],
    }
}

/// The tiles in workgroup memory for so many channels, or rows, on `target`, if it takes them: for cards, beyond the channels of the
/// largest tile straight from memory. A vector from memory serves 64 multiply-adds there, where one of 16 channels serves 13. That is
/// reasoning: nothing was measured on a card. Of 16 bits where those are asked for and let the card hold more waves; on software
/// adapters, which are slower with them, because they are asked for. Fewer channels keep 32 bits: what comes straight from memory has
/// no tile that could be smaller.
fn through_workgroup_memory(
    table: &'static [Variant],
    target: &Target,
    channels: usize,
) -> Option<&'static Variant> {
    let [_, straight] = channels_without_subgroups(target);
    let f16 = target.f16 && target.gains_by_smaller_tiles();
    let taken = (!target.software || f16) && channels > straight as usize;
    table.iter().find(|v| taken && v.uses_workgroup_memory() && v.is_f16() == f16)
}

/// The variant of a table for so many channels, or rows, on `target`: the smallest tile that holds them, or the largest. With
/// subgroups on software adapters, where loads are the limit and each lane saves some; from images where that is faster.
pub fn choose(table: &'static [Variant], target: &Target, channels: usize) -> &'static Variant {
    if let Some(variant) = through_workgroup_memory(table, target, channels) {
        return variant;
    }
    let fitting = || table.iter().filter(|variant| variant.fits(target) && !variant.uses_workgroup_memory());
    let images = fitting().any(Variant::reads_images);
    let subgroups = target.software && fitting().any(|variant| variant.lanes.is_some());
    let without = channels_without_subgroups(target);
    // Only llvmpipe behind OpenGL has images and no subgroups.
    let browser = target.software && !subgroups && !target.images && fitting().any(|v| v.blocks == SMALL);
    let suits = |v: &&Variant| {
        v.lanes.is_some() == subgroups
            && v.reads_images() == images
            && (subgroups || without.contains(&v.channels) && (v.blocks == SMALL) == browser)
    };
    let mut tiles = fitting().filter(suits);
    let largest = tiles.clone().next_back().expect("a portable variant");
    tiles.find(|variant| variant.channels as usize >= channels).unwrap_or(largest)
}

const DATA_SLOTS: &[Slot] =
    &[read(1, "x"), read(2, "w"), read(3, "extra"), write(4, "c").updated_where(ACCUMULATES)];
const WEIGHT_SLOTS: &[Slot] = &[read(1, "coarse"), read(2, "fine"), write(3, "parts").updated()];

const DATA_IMAGES: &[Slot] = &[
    read_image(1, "x"),
    read_image(2, "w"),
    read_image(3, "extra"),
    write(4, "c").updated_where(ACCUMULATES),
];
const WEIGHT_IMAGES: &[Slot] = &[read_image(1, "coarse"), read_image(2, "fine"), write(3, "parts").updated()];

const fn data(
    shader: Shader,
    needs: Needs,
    slots: &'static [Slot],
    variants: fn() -> Vec<Vec<Const>>,
) -> Kernel {
    Kernel::new(shader, "main", operation::Params::FIELDS, slots, operation::reference)
        .needing(needs)
        .in_variants(variants)
        .with_nodes(nodes)
}

const fn weights(
    shader: Shader,
    needs: Needs,
    slots: &'static [Slot],
    variants: fn() -> Vec<Vec<Const>>,
) -> Kernel {
    Kernel::new(shader, "main", gradient::Params::FIELDS, slots, gradient::reference)
        .needing(needs)
        .in_variants(variants)
}

static PORTABLE: Kernel =
    data(shader!("conv/portable"), Needs::Nothing, DATA_SLOTS, || data_specialisations(&PORTABLE));

static SUBGROUP: Kernel =
    data(shader!("conv/subgroup"), Needs::Lanes, DATA_SLOTS, || data_specialisations(&SUBGROUP));

static SUBGROUP_IMAGES: Kernel = data(shader!("conv/subgroup_images"), Needs::Lanes, DATA_IMAGES, || {
    data_specialisations(&SUBGROUP_IMAGES)
});

static WEIGHTS_PORTABLE: Kernel =
    weights(shader!("conv/weights_portable"), Needs::Nothing, WEIGHT_SLOTS, || {
        weight_specialisations(&WEIGHTS_PORTABLE)
    });

static WEIGHTS_SUBGROUP: Kernel =
    weights(shader!("conv/weights_subgroup"), Needs::Lanes, WEIGHT_SLOTS, || {
        weight_specialisations(&WEIGHTS_SUBGROUP)
    });

static TILED: Kernel =
    data(shader!("conv/tiled"), Needs::Nothing, DATA_SLOTS, || data_specialisations(&TILED));

static WEIGHTS_TILED: Kernel = weights(shader!("conv/weights_tiled"), Needs::Nothing, WEIGHT_SLOTS, || {
    weight_specialisations(&WEIGHTS_TILED)
});

static TILED_F16: Kernel =
    data(shader!("conv/tiled_f16"), Needs::Nothing, DATA_SLOTS, || data_specialisations(&TILED_F16));

static WEIGHTS_TILED_F16: Kernel =
    weights(shader!("conv/weights_tiled_f16"), Needs::Nothing, WEIGHT_SLOTS, || {
        weight_specialisations(&WEIGHTS_TILED_F16)
    });

static WEIGHTS_SUBGROUP_IMAGES: Kernel =
    weights(shader!("conv/weights_subgroup_images"), Needs::Lanes, WEIGHT_IMAGES, || {
        weight_specialisations(&WEIGHTS_SUBGROUP_IMAGES)
    });

/// The shaders of a convolution.
pub(crate) const DATA_KERNELS: [&Kernel; 5] = [&PORTABLE, &SUBGROUP, &SUBGROUP_IMAGES, &TILED, &TILED_F16];
/// The shaders of the gradient of a convolution's weights.
pub(crate) const WEIGHT_KERNELS: [&Kernel; 5] =
    [&WEIGHTS_PORTABLE, &WEIGHTS_SUBGROUP, &WEIGHTS_SUBGROUP_IMAGES, &WEIGHTS_TILED, &WEIGHTS_TILED_F16];

/// The constants of the shader for one convolution; `grey` is its input of one channel.
pub(super) fn constants<T>(variant: &Variant, way: Way, grey: bool, epilogue: &Epilogue<T>) -> Vec<Const> {
    let [number, activation] = epilogue.constants();
    variant.specialise(&[("WAY", way as u32), ("ONE_CHANNEL", u32::from(grey)), number, activation])
}

/// Every variant of a convolution's shader, both ways, with every epilogue that a plan may ask for.
fn data_specialisations(kernel: &'static Kernel) -> Vec<Vec<Const>> {
    let epilogues = Epilogue::all();
    let mut all = Vec::new();
    for variant in DATA.iter().filter(|variant| std::ptr::eq(variant.kernel, kernel)) {
        for (way, grey) in [(Way::Gather, false), (Way::Gather, true), (Way::Scatter, false)] {
            all.extend(epilogues.iter().map(|epilogue| constants(variant, way, grey, epilogue)));
        }
    }
    all
}

/// Every variant of the shader of the weights' gradient, with and without that of the bias.
fn weight_specialisations(kernel: &'static Kernel) -> Vec<Vec<Const>> {
    let variants = WEIGHTS.iter().filter(|variant| std::ptr::eq(variant.kernel, kernel));
    variants
        .flat_map(|variant| [false, true].map(|bias| variant.specialise(&[("BIAS", u32::from(bias))])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_suits_the_adapter_and_the_channels() {
        let software = |subgroup| Target { subgroup, ..Target::SOFTWARE };
        for (target, channels, name) in [
            (software(Some(16)), 3, "subgroup16-4"),
            (software(Some(16)), 5, "subgroup16-16"),
            (software(Some(16)), 32, "subgroup16-32"),
            (software(Some(8)), 1000, "subgroup8-32"),
            (software(Some(4)), 1000, "subgroup4-16"),
            (Target { subgroup: Some(8), ..Target::PORTABLE }, 32, "tiled-32"),
            (Target::PORTABLE, 8, "portable-16"),
            (Target::PORTABLE, 17, "tiled-32"),
            (Target::PORTABLE, 1000, "tiled-32"),
            (Target { vendor: Vendor::Apple, ..Target::PORTABLE }, 3, "portable-4"),
            (Target { vendor: Vendor::Apple, ..Target::PORTABLE }, 8, "portable-8"),
            (Target { vendor: Vendor::Apple, ..Target::PORTABLE }, 32, "tiled-32"),
            (Target { images: true, ..software(Some(8)) }, 3, "images8-4"),
            (Target { images: true, ..software(Some(16)) }, 32, "subgroup16-32"),
            (Target { images: true, ..software(None) }, 32, "portable-16"),
        ] {
            for table in [DATA, WEIGHTS] {
                assert_eq!(choose(table, &target, channels).name, name, "{target:?} {channels}");
            }
        }
        for (target, channels, names) in [
            (software(None), 3, ["small-4", "portable-4"]),
            (software(Some(64)), 1000, ["small-16", "portable-16"]),
        ] {
            assert_eq!([DATA, WEIGHTS].map(|table| choose(table, &target, channels).name), names);
        }
        assert_eq!(choose(DATA, &software(Some(16)), 33).name, "subgroup16-64");
        assert_eq!(choose(WEIGHTS, &software(Some(16)), 33).name, "subgroup16-32");
    }

    /// A maker, the size of its subgroups, and what more channels than 16 get where 16 bits are asked for.
    #[test]
    fn sixteen_bits_are_for_tiles_in_workgroup_memory_that_gain_by_them() {
        for (vendor, subgroup, wide) in [
            (Vendor::Amd, None, "tiled-32-f16"),
            (Vendor::Amd, Some(64), "tiled-32"),
            (Vendor::Apple, Some(32), "tiled-32-f16"),
            (Vendor::Nvidia, Some(32), "tiled-32"),
            (Vendor::Other, None, "tiled-32-f16"),
        ] {
            let target = Target { vendor, subgroup, f16: true, cooperative: Some(16), ..Target::PORTABLE };
            for table in [DATA, WEIGHTS] {
                assert_eq!([17, 1000].map(|channels| choose(table, &target, channels).name), [wide; 2]);
                assert_eq!(choose(table, &target, 3).name, "portable-4", "{target:?}");
            }
        }
        let software = Target { subgroup: Some(8), images: true, f16: true, ..Target::SOFTWARE };
        for table in [DATA, WEIGHTS] {
            let names = [3, 16, 17].map(|channels| choose(table, &software, channels).name);
            assert_eq!(names, ["images8-4", "images8-16", "tiled-32-f16"]);
        }
    }
}
