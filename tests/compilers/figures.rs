//! What compilers say of pipelines, in words that all drivers share, and as a table.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::vulkan::Compiled;

/// The answer of a process that was asked about the device at hand.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    Card(Card),
    /// Why there is none.
    Unable(String),
}

/// A card, and what its compiler says of every pipeline.
#[derive(Serialize, Deserialize)]
pub struct Card {
    pub name: String,
    pub device: String,
    pub driver: String,
    pub version: String,
    pub entries: Vec<Entry>,
}

/// One pipeline.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    pub title: String,
    /// What it has in common with pipelines that differ by an epilogue or an activation.
    pub group: String,
    /// Whether a plan for this card has it where nothing was measured.
    pub chosen: bool,
    /// The compiler's statistics, or its error.
    pub result: Result<BTreeMap<String, u64>, String>,
    /// Loads of 16 bytes from storage buffers, where the machine code was read.
    pub wide_loads: Option<usize>,
}

/// What the drivers call registers of an invocation, waves that a core holds at once, and registers or memory that hold what
/// has no register. The first name that a driver knows is taken. None of the last ones may be above zero in what is chosen.
const REGISTERS: [&str; 4] = ["VGPRs", "Number of GPRs", "GPRs", "Registers used"];
const WAVES: [&str; 4] = ["Subgroups per SIMD", "Max warps/SM", "Threads", "Max Waves Per Core"];
const SPILLS: [&str; 8] = [
    "Spilled SGPRs",
    "Spilled VGPRs",
    "Scratch size",
    "Spills to memory",
    "SLM size",
    "Spills",
    "Scratch",
    "STP Count",
];

/// Of those, what counts registers, or stores of them. A driver has one of these beside bytes of memory; AMD's has two, of registers of two kinds.
const SPILLED_REGISTERS: [&str; 5] =
    ["Spilled VGPRs", "Spilled SGPRs", "Spills to memory", "Spills", "STP Count"];

impl Entry {
    pub fn new(title: String, group: String, chosen: bool, compiled: Result<Compiled, String>) -> Entry {
        let wide_loads =
            compiled.as_ref().ok().and_then(|compiled| compiled.assembly.as_deref()).map(wide_loads);
        Entry { title, group, chosen, result: compiled.map(|compiled| compiled.statistics), wide_loads }
    }

    fn first(&self, names: &[&str]) -> Option<u64> {
        let statistics = self.result.as_ref().ok()?;
        names.iter().find_map(|name| statistics.get(*name).copied())
    }

    /// The statistics of these names together.
    fn sum(&self, names: &[&str]) -> u64 {
        let statistics = self.result.iter();
        statistics.flat_map(|all| names.iter().filter_map(|name| all.get(*name))).sum()
    }
}

fn wide_loads(assembly: &str) -> usize {
    assembly
        .lines()
        .filter(|line| WIDE.iter().any(|(load, width)| line.contains(load) && line.contains(width)))
        .count()
}

/// Parts of the instructions that load 16 bytes from a buffer.
const WIDE: [(&str, &str); 6] = [
    ("buffer_load_", "dwordx4"),
    ("global_load_", "dwordx4"),
    ("buffer_load_", "b128"),
    ("global_load_", "b128"),
    ("ld.global.", ".b128"),
    ("ldib.", ".u32.4."),
];

impl Card {
    /// Errors, and spills of what is chosen.
    pub fn complaints(&self) -> Vec<String> {
        let complaint = |entry: &Entry| match &entry.result {
            Err(error) => Some(format!("{}: {}: {error}", self.name, entry.title)),
            Ok(all) if entry.chosen && entry.sum(&SPILLS) > 0 => {
                let all: Vec<_> = all.iter().filter(|(name, _)| SPILLS.contains(&name.as_str())).collect();
                Some(format!("{}: {} spills: {all:?}", self.name, entry.title))
            }
            Ok(_) => None,
        };
        self.entries.iter().filter_map(complaint).collect()
    }

    /// The version of Mesa, in digits and dots.
    pub fn mesa(&self) -> String {
        let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        let word = self.version.split_whitespace().find(number).unwrap_or("unknown");
        word.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect()
    }

    /// Registers, waves, wide loads and spills of a group, the worst of its pipelines.
    fn cell(&self, group: &str) -> String {
        let entries = || self.entries.iter().filter(|entry| entry.group == group);
        if entries().next().is_none() {
            return "-".into();
        }
        let shown = |number: Option<u64>| number.map_or("?".into(), |number| number.to_string());
        let registers = shown(entries().filter_map(|entry| entry.first(&REGISTERS)).max());
        let waves = shown(entries().filter_map(|entry| entry.first(&WAVES)).min());
        let loads = shown(entries().filter_map(|entry| entry.wide_loads).min().map(|loads| loads as u64));
        let spilled = entries().map(|entry| entry.sum(&SPILLED_REGISTERS)).max().unwrap_or_default();
        let memory = entries().any(|entry| entry.sum(&SPILLS) > 0);
        let spilled = match spilled {
            0 if memory => " +memory".into(),
            0 => String::new(),
            registers => format!(" +{registers}"),
        };
        let chosen = if entries().any(|entry| entry.chosen) { "" } else { "*" };
        format!("{registers}/{waves}/{loads}{spilled}{chosen}")
    }
}

/// The table of these cards.
pub fn table(cards: &[Card]) -> String {
    let mut text = String::from(
        "Registers of an invocation / waves that a core holds / loads of 16 bytes in the code, + registers that are spilled, or memory\n\
         if an array lies there, * if it is never chosen; of pipelines that differ by an epilogue or an activation, the worst: most\n\
         registers and spills, fewest waves and loads. Apple counts half registers and threads, Adreno vectors of four registers, and\n\
         Apple's code cannot be read. Estimates of compilers: nothing ran.\n\n",
    );
    let groups: BTreeSet<&str> =
        cards.iter().flat_map(|card| &card.entries).map(|e| e.group.as_str()).collect();
    let width = groups.iter().map(|group| group.len()).max().unwrap_or_default();
    let line = |first: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:>16}")).collect();
        format!("{first:<width$}{cells}\n")
    };
    text += &line("", cards.iter().map(|card| card.name.clone()).collect());
    for group in groups {
        text += &line(group, cards.iter().map(|card| card.cell(group)).collect());
    }
    text
}
