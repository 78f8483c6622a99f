//! The guide: how to use the program and the library, and how they work.
//!
//! It is written for the command, `vae-gpu`; [`library`] is for programs in Rust. Each chapter is a file of `src/guide/`, where
//! it can be read too; a test runs the commands in it.

/// A chapter from its file. The links between chapters are files' names there and modules here: where a text defines a link
/// twice, the first definition counts.
macro_rules! chapters {
    ($($name:ident: $file:literal),* $(,)?) => {$(
        #[doc = include_str!("guide/links.md")]
        #[doc = ""]
        #[doc = include_str!($file)]
        pub mod $name {}
    )*};
}

chapters! {
    your_data: "guide/your_data.md",
    data: "guide/data.md",
    models: "guide/models.md",
    training: "guide/training.md",
    ranks: "guide/ranks.md",
    settings: "guide/settings.md",
    using: "guide/using.md",
    explore: "guide/explore.md",
    tracking: "guide/tracking.md",
    machine: "guide/machine.md",
    results: "guide/results.md",
    kernels: "guide/kernels.md",
    library: "guide/library.md",
    promises: "guide/promises.md",
    limits: "guide/limits.md",
}

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
