//! `vae-gpu devices`.

use super::args::JsonArgs;
use super::output::{result, talk};
use crate::error::Result;
use crate::gpu::{self, AdapterReport, Selection};

pub fn run(args: &JsonArgs) -> Result<()> {
    let (reports, auto) = gpu::adapters()?;
    if args.json {
        let json = serde_json::json!({ "adapters": reports, "auto": auto });
        result(format_args!("{json:#}"));
        return Ok(());
    }
    for r in &reports {
        let mark = if auto == Some(r.index) { "  <- auto" } else { "" };
        result(format_args!("{} {}{mark}", r.index, r.title()));
        result(format_args!("    driver            {} {}", r.driver, r.driver_info));
        let subgroups = match r.subgroup_sizes {
            None => "none".to_owned(),
            Some((min, max)) if min == max => min.to_string(),
            Some((min, max)) => format!("{min} to {max}"),
        };
        let yes = |flag| if flag { "yes" } else { "no" };
        result(format_args!("    subgroup size     {subgroups}"));
        result(format_args!("    timestamps, f16   {}, {}", yes(r.timestamps), yes(r.f16)));
        let cooperative = r.cooperative.map_or("none".to_owned(), |size| format!("{size}x{size}"));
        result(format_args!("    matrices of f16   {cooperative}"));
        result(format_args!(
            "    buffer, binding   {} MiB, {} MiB at most",
            r.max_buffer_size >> 20,
            r.max_binding_size >> 20
        ));
        result(format_args!(
            "    workgroup         {} invocations, {} KiB of memory at most",
            r.max_workgroup_invocations,
            r.max_workgroup_memory >> 10
        ));
        if let Some(hint) = r.hint() {
            result(format_args!("    faster            {hint}"));
        }
    }
    match auto {
        Some(index) => result(format_args!("auto takes {index}: {}", reports[index].reason())),
        // The same words and the same exit code as every command that needs one.
        None => gpu::select(&reports, &Selection::Auto).map(|_| ())?,
    }
    if reports.iter().all(AdapterReport::is_software) {
        talk(format_args!(
            "only software adapters were found: install your card's Vulkan driver if it has one"
        ));
    }
    Ok(())
}
