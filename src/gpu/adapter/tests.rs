use super::*;

fn report(index: usize, name: &str, backend: &str, kind: &str) -> AdapterReport {
    AdapterReport {
        index,
        name: name.into(),
        backend: backend.into(),
        kind: kind.into(),
        ..AdapterReport::default()
    }
}

#[test]
fn auto_takes_the_real_card_and_the_native_interface() {
    let reports = [
        report(0, "llvmpipe", "vulkan", "software"),
        report(1, "Card", "gl", "discrete"),
        report(2, "Card", "vulkan", "discrete"),
        report(3, "Chip", "vulkan", "integrated"),
    ];
    assert_eq!(select(&reports, &Selection::Auto).unwrap(), 2);
    assert_eq!(select(&reports[..1], &Selection::Auto).unwrap(), 0);
}

#[test]
fn processes_take_turns_at_equal_cards() {
    let reports = [
        report(0, "Card", "vulkan", "discrete"),
        report(1, "Chip", "vulkan", "integrated"),
        report(2, "Card", "vulkan", "discrete"),
        report(3, "Card", "gl", "discrete"),
        report(4, "llvmpipe", "vulkan", "software"),
        report(5, "llvmpipe", "vulkan", "software"),
    ];
    let turns = |selection: &str| {
        [0, 1, 2].map(|turn| select_turn(&reports, &selection.parse().unwrap(), turn).unwrap())
    };
    assert_eq!(turns("auto"), [0, 2, 0]);
    assert_eq!(turns("2"), [2, 2, 2]);
    assert_eq!(turns("chip"), [1, 1, 1]);
    assert_eq!(turns("llvmpipe"), [4, 4, 4]);
}

#[test]
fn selects_by_number_and_by_name() {
    let reports = [report(0, "llvmpipe", "vulkan", "software"), report(1, "Radeon", "gl", "discrete")];
    assert_eq!(select(&reports, &"1".parse().unwrap()).unwrap(), 1);
    assert_eq!(select(&reports, &"radeon".parse().unwrap()).unwrap(), 1);
    assert_eq!(select(&reports, &"vulkan".parse().unwrap()).unwrap(), 0);
    let error = select(&reports, &"2".parse().unwrap()).unwrap_err();
    assert!(matches!(&error, Error::Usage(text) if text.contains("1 Radeon")), "{error}");
    assert!(matches!(select(&reports, &"metal".parse().unwrap()), Err(Error::Usage(_))));
}

#[test]
fn no_adapter_names_the_remedy() {
    let error = select(&[], &Selection::Auto).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("mesa-vulkan-drivers"));
}

#[test]
fn sixteen_bits_without_matrices_are_for_those_who_are_expected_to_gain() {
    let card = |vendor, sizes, cooperative| AdapterReport {
        vendor,
        f16: true,
        subgroup_sizes: Some(sizes),
        cooperative,
        ..report(0, "card", "vulkan", "discrete")
    };
    for (card, gains) in [
        (card(Vendor::Amd, (32, 64), None), true),
        (card(Vendor::Amd, (64, 64), None), false),
        (card(Vendor::Nvidia, (32, 32), None), false),
        (card(Vendor::Nvidia, (32, 32), Some(16)), true),
        (card(Vendor::Apple, (32, 32), None), true),
    ] {
        assert_eq!(card.gains_by_f16(), gains, "{card:?}");
        // Checks and benchmarks see what the card can.
        assert!(card.target_f16().f16 && !card.target().f16);
        let without = AdapterReport { f16: false, ..card };
        assert!(!without.target_f16().f16 && !without.gains_by_f16());
    }
    for cooperative in [None, Some(8)] {
        let llvmpipe = report(0, "llvmpipe (LLVM 22.1.8, 256 bits)", "vulkan", "software");
        assert!(!AdapterReport { f16: true, cooperative, ..llvmpipe }.gains_by_f16());
    }
}

#[test]
fn an_older_software_driver_gets_a_hint_where_it_was_measured() {
    let with = |name: &str, info: &str| AdapterReport {
        driver_info: info.into(),
        avx512: is_llvmpipe(name),
        ..report(0, name, "vulkan", "software")
    };
    let measured = with("llvmpipe (LLVM 15.0.6, 256 bits)", "Mesa 22.3.6 (LLVM 15.0.6)");
    assert!(measured.hint().is_some());
    assert_eq!(AdapterReport { avx512: false, ..measured }.hint(), None);
    for (name, info) in [
        ("llvmpipe (LLVM 22.1.8, 256 bits)", "Mesa 26.2.6-1 (LLVM 22.1.8)"),
        // Not measured.
        ("llvmpipe (LLVM 19.1.7, 256 bits)", "Mesa 25.0.7-2 (LLVM 19.1.7)"),
        ("llvmpipe (LLVM 15.0.6, 256 bits)", ""),
        ("llvmpipe (LLVM 15.0.6, 256 bits)", "Mesa"),
        ("SwiftShader Device", "SwiftShader driver-5.0.0"),
        ("AMD Radeon RX 6800", "Mesa 22.3.6"),
    ] {
        assert_eq!(with(name, info).hint(), None, "{name} {info}");
    }
}

#[test]
fn adam_reads_buffers_where_that_was_measured() {
    let llvmpipe = report(0, "llvmpipe (LLVM 15.0.6, 256 bits)", "vulkan", "software");
    assert!(!llvmpipe.target().adam_in_buffers);
    assert!(AdapterReport { avx512: true, ..llvmpipe }.target().adam_in_buffers);
}

#[test]
fn products_fuse_on_the_processors_where_that_was_measured() {
    let llvmpipe = report(0, "llvmpipe (LLVM 22.1.8, 256 bits)", "vulkan", "software");
    assert!(!llvmpipe.target().fused);
    assert!(AdapterReport { intel_cpu: true, ..llvmpipe }.target().fused);
}

#[test]
fn images_are_for_vectors_below_512_bits() {
    let with = |name: &str| {
        let max_image_rows = IMAGE_HEIGHT as u32;
        AdapterReport { max_image_rows, ..report(0, name, "vulkan", "software") }.target().images
    };
    assert!(with("llvmpipe (LLVM 15.0.6, 256 bits)") && with("llvmpipe (LLVM 19.1.7, 128 bits)"));
    assert!(!with("llvmpipe (LLVM 15.0.6, 512 bits)") && !with("SwiftShader Device"));
}

#[test]
fn a_maker_is_known_by_number_or_by_name() {
    for (id, name, maker) in [
        (0x1002, "null hardware", Vendor::Amd),
        (0x10de, "nvidia geforce rtx 4090", Vendor::Nvidia),
        (0x8086, "intel(r) arc(tm) a770 graphics", Vendor::Intel),
        // Mesa's own number, and none.
        (0x10005, "apple m1 (g13g b0)", Vendor::Apple),
        (0, "apple m3 max", Vendor::Apple),
        (0x10005, "llvmpipe (llvm 15.0.6, 256 bits)", Vendor::Other),
        (0x1414, "microsoft basic render driver", Vendor::Other),
    ] {
        assert_eq!(vendor(id, name), maker, "{name}");
    }
}

#[test]
fn the_backends_variable_is_checked() {
    assert!(backends(Some("none")).unwrap().is_empty());
    assert_eq!(backends(Some("vulkan, gl")).unwrap(), wgpu::Backends::VULKAN | wgpu::Backends::GL);
    assert!(matches!(backends(Some("cuda")), Err(Error::Usage(_))));
}
