//! Which variant a product gets where nothing was measured.

use super::operation::Layout;
use super::variants::*;
use crate::plan::{Target, Vendor};

/// The variant for a result [m, n] of sums over k on `target`: a pure function, good enough to start at once. `vae-gpu tune`
/// replaces its choice by a measured one.
pub fn choose(target: &Target, layout: Layout, [m, k, n]: [usize; 3]) -> &'static Variant {
    let variant = match (target.software, target.f16) {
        (true, false) => choose_for_software(target, layout, m),
        // Cooperative matrices only on real cards: with 512 x 512 x 512 on llvmpipe (Mesa 26) they reach 3.4 to 3.7
        // GFLOP/s, the tiles 10 to 11.
        (true, true) => by_size(TILES_F16, m, n),
        (false, _) => match target.cooperative {
            Some(16) => by_size(MATRICES_16, m, n),
            Some(8) => by_size(MATRICES_8, m, n),
            _ => by_size(tiles_of(target.vendor, target.f16), m, n),
        },
    };
    if target.software && k > variant.most_terms() { for_long_sums(variant.is_f16(), k) } else { variant }
}

/// Tiles in workgroup memory take more terms of a sum a round, those of 64 the most. Longer sums are divided, which those of 32
/// can.
fn for_long_sums(f16: bool, k: usize) -> &'static Variant {
    let [small, medium, _] = if f16 { TILES_F16 } else { TILES };
    if (small.most_terms() + 1..=medium.most_terms()).contains(&k) { medium } else { small }
}

// From small to large tiles. Matrices of 8 x 8 end at 64 x 64: in a tile of 128 x 128 each subgroup would keep 64 of them
// in registers.
const TILES: [&Variant; 3] = [&TILED_32, &TILED_64, &TILED_128];
const TILES_F16: [&Variant; 3] = [&TILED_32_F16, &TILED_64_F16, &TILED_128_F16];
const MATRICES_8: [&Variant; 3] = [&COOPERATIVE8_32_F16, &COOPERATIVE8_64_F16, &COOPERATIVE8_64_F16];
const MATRICES_16: [&Variant; 3] = [&COOPERATIVE16_32_F16, &COOPERATIVE16_64_F16, &COOPERATIVE16_128_F16];

/// The tiles that a maker's compiler keeps in registers. With tiles of 128 Mesa's compilers of an M1 spill 5 half registers in TN,
/// and of Intel's cards (Mesa 25, before A came a vector at a time) 143 to 278 registers, at three to five times the static cycles;
/// AMD's and NVIDIA's keep them, and Apple's those of 16 bits. An Adreno holds 4 waves with tiles of 128, half of what it holds with
/// those of 64. Estimates of compilers: nothing ran.
fn tiles_of(vendor: Vendor, f16: bool) -> [&'static Variant; 3] {
    let [small, medium, large] = if f16 { TILES_F16 } else { TILES };
    match vendor {
        Vendor::Amd | Vendor::Nvidia => [small, medium, large],
        Vendor::Apple if f16 => [small, medium, large],
        _ => [small, medium, medium],
    }
}

/// A real card needs workgroups for all its cores before it gains from large tiles. Either threshold is where the larger
/// tile makes 128 workgroups, as many as the largest cards have multiprocessors. This is reasoning: no threshold has been
/// measured on a card.
fn by_size(tiles: [&'static Variant; 3], m: usize, n: usize) -> &'static Variant {
    const LARGE: usize = 128 * 128;
    let [small, medium, large] = tiles;
    match m * n {
        elements if elements >= 128 * LARGE => large,
        elements if elements >= 32 * LARGE => medium,
        _ => small,
    }
}

/// On software adapters loads are the limit, and tiles in workgroup memory reach 1.5 to 4 GFLOP/s, since barriers are
/// slow there. Handing A round a subgroup saves most loads: 40 to 57 GFLOP/s for the larger products of a step, where the
/// portable variant reaches 5 to 13 (llvmpipe, Mesa 22).
fn choose_for_software(target: &Target, layout: Layout, m: usize) -> &'static Variant {
    // From few to many rows. One vec4 of columns per lane: with 512 x 512 x 512 on llvmpipe two are 10 % faster in NT on
    // Mesa 26 and spill registers on Mesa 22.
    let tiles: &[&'static Variant] = match target.subgroup {
        Some(8) if target.images && target.fused => {
            &[&FUSED8_8X1, &FUSED8_16X1, &FUSED8_20X1, &FUSED8_24X1, &FUSED8_32X1]
        }
        Some(8) if target.images => {
            &[&IMAGES8_8X1, &IMAGES8_16X1, &IMAGES8_20X1, &IMAGES8_24X1, &IMAGES8_32X1]
        }
        Some(4) if target.images => &[&IMAGES4_16X1, &IMAGES4_32X1],
        // llvmpipe with vectors of 512 bits: 69 to 103 GFLOP/s for the larger products. TN needs the 64 rows, 4 LANES; no
        // comparison with 32 rows is on record for NN and NT. With 8 lanes 64 rows spill registers.
        Some(16) => {
            &[&SUBGROUP16_16X1, &SUBGROUP16_20X1, &SUBGROUP16_24X1, &SUBGROUP16_32X1, &SUBGROUP16_64X1]
        }
        // llvmpipe with vectors of 256 bits.
        Some(8) => &[&SUBGROUP8_8X1, &SUBGROUP8_16X1, &SUBGROUP8_20X1, &SUBGROUP8_24X1, &SUBGROUP8_32X1],
        // llvmpipe behind OpenGL.
        _ if target.images => &[&IMAGES_8X2],
        // SwiftShader. Two vec4 per lane make up for the fewer lanes; chosen by reasoning.
        Some(4) => &[&SUBGROUP4_16X2],
        // Browsers. For one row, 1 x 400 x 784 takes SwiftShader 4 ms, with tiles of eight rows 16 (Chromium 156, two busy cores).
        _ => &[&ROWS_1X1, &PORTABLE_8X2],
    };
    let mut tiles = tiles.iter().copied().filter(|variant| variant.supports(layout));
    let largest = tiles.clone().next_back().expect("a tile for every layout");
    // A tile with more rows than the result multiplies in vain: for a batch of 20, tiles of 20 rows instead of 24 brought NT
    // 20 x 784 x 200 from 0.204 to 0.162 ms and NN 20 x 200 x 200 from 0.090 to 0.082 (llvmpipe, Mesa 22).
    tiles.find(|variant| variant.tile_rows as usize >= m).unwrap_or(largest)
}

/// The variants of [`fitting`] that also give the same bits as the one that [`choose`] picks: a tuning changes no result.
pub fn alike(target: &Target, layout: Layout, mkn: [usize; 3]) -> impl Iterator<Item = &'static Variant> {
    let fuses = choose(target, layout, mkn).fuses();
    let reaches = move |v: &Variant| !target.software || mkn[1] <= v.most_terms();
    fitting(target, layout).filter(move |v| v.fuses() == fuses && reaches(v))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn software(lanes: u32) -> Target {
        Target { subgroup: Some(lanes), ..Target::SOFTWARE }
    }

    #[test]
    fn software_gets_a_tile_with_few_rows_to_spare() {
        for (lanes, m, name) in [
            (8, 1, "subgroup8-8x1"),
            (8, 8, "subgroup8-8x1"),
            (8, 9, "subgroup8-16x1"),
            (8, 20, "subgroup8-20x1"),
            (8, 21, "subgroup8-24x1"),
            (8, 25, "subgroup8-32x1"),
            (8, 128, "subgroup8-32x1"),
            (16, 1, "subgroup16-16x1"),
            (16, 17, "subgroup16-20x1"),
            (16, 24, "subgroup16-24x1"),
            (16, 32, "subgroup16-32x1"),
            (16, 33, "subgroup16-64x1"),
            (16, 1000, "subgroup16-64x1"),
            (4, 7, "subgroup4-16x2"),
            (32, 1, "rows-1x1"),
            (32, 2, "portable-8x2"),
        ] {
            for layout in [Layout::NN, Layout::NT] {
                assert_eq!(
                    choose(&software(lanes), layout, [m, 9, 400]).name,
                    name,
                    "{layout:?} {lanes} {m}"
                );
            }
        }
        for (lanes, name) in
            [(4, "subgroup4-16x2"), (8, "subgroup8-32x1"), (16, "subgroup16-64x1"), (64, "portable-8x2")]
        {
            assert_eq!(choose(&software(lanes), Layout::TN, [5, 9, 400]).name, name);
        }
        for (lanes, m, name) in [
            (8, 8, "images8-8x1"),
            (8, 20, "images8-20x1"),
            (8, 128, "images8-32x1"),
            (16, 20, "subgroup16-20x1"),
            (16, 128, "subgroup16-64x1"),
            (4, 128, "images4-32x1"),
            (32, 128, "images-8x2"),
        ] {
            let target = Target { images: true, ..software(lanes) };
            assert_eq!(choose(&target, Layout::NT, [m, 9, 400]).name, name, "{lanes} {m}");
            let fused = choose(&Target { fused: true, ..target }, Layout::NT, [m, 9, 400]);
            assert_eq!(fused.name, name.replace("images8", "fused8"), "{lanes} {m}");
        }
        let f16 = Target { f16: true, cooperative: Some(8), ..software(8) };
        assert_eq!(choose(&f16, Layout::NT, [128, 9, 400]).name, "tiled-32-f16");
    }

    #[test]
    fn a_tuning_is_offered_what_rounds_as_the_choice_does() {
        let names =
            |target: Target| alike(&target, Layout::NN, [128, 400, 400]).map(|v| v.name).collect::<Vec<_>>();
        let images = names(Target { images: true, ..software(8) });
        assert!(images.contains(&"images8-32x1"), "{images:?}");
        assert!(!images.contains(&"images-8x2") && !images.contains(&"portable-8x2"), "{images:?}");
        let fused = names(Target { images: true, fused: true, ..software(8) });
        assert!(fused.contains(&"fused8-32x1") && fused.contains(&"portable-8x2"), "{fused:?}");
        assert!(!fused.contains(&"images8-32x1"), "{fused:?}");
        let buffers = names(software(8));
        assert!(buffers.contains(&"subgroup8-32x1") && buffers.contains(&"portable-8x2"), "{buffers:?}");
        let without_subgroups = names(Target { images: true, ..software(32) });
        assert!(without_subgroups.contains(&"images-8x2"), "{without_subgroups:?}");
    }

    #[test]
    fn long_sums_take_more_terms_a_round_and_longer_ones_parts() {
        let target = Target { images: true, ..software(8) };
        for (k, name) in [
            (200_000, "images8-8x1"),
            (200_001, "tiled-32"),
            (400_000, "tiled-32"),
            (400_001, "tiled-64"),
            (800_000, "tiled-64"),
            // In parts.
            (800_001, "tiled-32"),
            (5_000_000, "tiled-32"),
        ] {
            assert_eq!(choose(&target, Layout::NN, [4, k, 4]).name, name, "{k}");
        }
        let names = |k| alike(&target, Layout::NN, [4, k, 4]).map(|v| v.name).collect::<Vec<_>>();
        assert!(names(200_001).iter().all(|name| name.starts_with("tiled-")));
        assert_eq!(names(400_001), ["tiled-64"]);
        assert!(names(800_001).is_empty());
    }

    #[test]
    fn cards_get_larger_tiles_for_larger_results() {
        let of = |f16, cooperative| Target { f16, cooperative, ..Target::PORTABLE };
        let by = |vendor| Target { vendor, ..Target::PORTABLE };
        for (target, names) in [
            (by(Vendor::Amd), ["tiled-32", "tiled-64", "tiled-128"]),
            (by(Vendor::Nvidia), ["tiled-32", "tiled-64", "tiled-128"]),
            (by(Vendor::Apple), ["tiled-32", "tiled-64", "tiled-64"]),
            (by(Vendor::Intel), ["tiled-32", "tiled-64", "tiled-64"]),
            (of(false, None), ["tiled-32", "tiled-64", "tiled-64"]),
            (of(true, None), ["tiled-32-f16", "tiled-64-f16", "tiled-64-f16"]),
            (
                Target { vendor: Vendor::Apple, ..of(true, None) },
                ["tiled-32-f16", "tiled-64-f16", "tiled-128-f16"],
            ),
            (of(true, Some(8)), ["cooperative8-32-f16", "cooperative8-64-f16", "cooperative8-64-f16"]),
            (of(true, Some(16)), ["cooperative16-32-f16", "cooperative16-64-f16", "cooperative16-128-f16"]),
        ] {
            for (m, name) in [(1, 0), (127, 0), (128, 1), (511, 1), (512, 2)].map(|(m, i)| (m, names[i])) {
                assert_eq!(choose(&target, Layout::NN, [m, 9, 4096]).name, name, "{target:?} {m}");
            }
        }
    }
}
