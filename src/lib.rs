//! Variational autoencoders on any GPU, with every kernel hand-written in WGSL.
//!
//! ```text
//!                 gather        encoder         latent          decoder         likelihood
//!   bytes on  ───► x [B,D] ───► mu, log_var ──► z [B K,Z] ────► logits [B K,D] ─► log p(x|z) [B K] ─┐
//!   the device                  [B,2P]     └──► kl [B] ───────────────────────────────────────────┴─► ELBO
//!                                                                                                     │
//!   parameters ◄─ Adam ◄─ gradients ◄─ d_encoder ◄─ d_mu, d_log_var ◄─ d_decoder ◄─ d_logits ◄────────┘
//! ```
//!
//! Data flows one way: [`data`] → [`train`] → [`model`] (which makes a plan) → kernels → [`gpu`]. A plan is plain data: a list
//! of buffers and a list of dispatches. It is built once per model and batch shape, can be printed and run by plain loops
//! without a GPU, and is replayed every step.
//!
//! Everything is in nats per datum, constants included: ELBO = E_q\[log p(x|z)\] - KL(q(z|x) || p(z)), with names and
//! signs as in Kingma & Welling 2013 (arXiv 1312.6114) and Burda et al. 2015 (arXiv 1509.00519).
//!
//! Train on data in memory, and use the model:
//!
//! ```
//! use std::ops::ControlFlow;
//! use vae_gpu::data::{Shape, Split};
//! use vae_gpu::gpu::DeviceOptions;
//! use vae_gpu::{Config, Dataset, Gpu, Trainer, Vae};
//!
//! # fn main() -> vae_gpu::Result<()> {
//! let stripes: Vec<u8> = (0..64 * 16).map(|i| if (i / 16 + i) % 4 < 2 { 255 } else { 0 }).collect();
//! let split = Split::new(stripes, 16, None); // 64 images of 4x4, bytes
//! let shape = Shape { width: 4, height: 4, channels: 1 };
//! let dataset = Dataset::new("stripes", shape, split.clone(), split);
//!
//! let mut config = Config::default();
//! config.model.hidden = vec![16];
//! config.model.latent = 2;
//! config.train.batch_size = 16;
//! config.train.epochs = 3;
//!
//! let gpu = Gpu::open(&DeviceOptions::default())?;
//! let mut trainer = Trainer::new(&gpu, &dataset, config)?;
//! trainer.run(|epoch| {
//!     println!("test ELBO {:.2} nats", epoch.scores.test.elbo.mean);
//!     ControlFlow::Continue(())
//! })?;
//!
//! let mut vae = Vae::of(&trainer)?; // or Vae::load("runs/mnist-vae-1")?
//! let images = vae.sample(8, 0)?; // [8, 16], values in 0..=1
//! let codes = vae.encode(&images)?; // mu, log_var [8, 2]
//! let again = vae.decode(&codes.mu)?; // [8, 16]
//! let nats = vae.elbo(&images)?[0].elbo();
//! # assert!(again.len() == 8 * 16 && nats.is_finite());
//! # Ok(())
//! # }
//! ```
//!
//! A setting that cannot be is [`Error::Setting`], which names it by its key: `train.batch_size`.
//!
//! # Features
//! - `cli`, the default: the command, with its pictures, reports, checks and benchmarks. A program that only uses the library
//!   does without: `default-features = false`.
//! - `formats`: Parquet files, and text in UTF-16 or packed with zstd. `export`: ONNX models, and event files for TensorBoard.
//!   `tsne`: maps of codes by t-SNE. `cli` has all three.
//! - `mpi`: ranks that an MPI launcher has started; needs an MPI with its compiler, and libclang.
//! - `faults`: devices that are lost or small, for this crate's own tests.

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod bench;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod check;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod data;
pub mod error;
pub mod evaluate;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod explore;
#[cfg(feature = "export")]
#[doc(hidden)]
pub mod export;
pub mod gpu;
pub mod guide;
#[doc(hidden)]
pub mod kernels;
pub mod model;
#[doc(hidden)]
pub mod plan;
pub mod ranks;
#[doc(hidden)]
pub mod run;
#[doc(hidden)]
pub mod settings;
#[doc = include_str!("soundness.md")]
pub mod soundness {}
pub mod train;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod tune;
mod vae;

pub use data::Dataset;
pub use error::{Error, Result};
pub use gpu::Gpu;
pub use train::{Config, Trainer};
#[cfg(feature = "export")]
pub use vae::Onnx;
pub use vae::{Codes, Vae};
