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
//! Data flows one way: [`data`] → [`train`] → [`model`] (which makes a [`plan::Plan`]) → [`kernels`] → [`gpu`]. A plan is
//! plain data: a list of buffers and a list of dispatches. It is built once per model and batch shape, can be printed
//! and run by plain loops without a GPU ([`kernels::reference`]), and is replayed by [`gpu::Program`] every step.
//!
//! Everything is in nats per datum, constants included: ELBO = E_q\[log p(x|z)\] - KL(q(z|x) || p(z)), with names and
//! signs as in Kingma & Welling 2013 (arXiv 1312.6114) and Burda et al. 2015 (arXiv 1509.00519).
//!
//! ```no_run
//! use vae_gpu::{data, gpu::{Gpu, Options}, train::{Config, Trainer}};
//! use std::ops::ControlFlow;
//!
//! # fn main() -> vae_gpu::error::Result<()> {
//! let gpu = Gpu::open(&Options::default())?;
//! let mut trainer = Trainer::new(&gpu, &data::open("mnist")?, Config::default())?;
//! trainer.epoch(&mut |_| ControlFlow::Continue(()))?;
//! let elbo = trainer.evaluate()?.elbo;
//! let images = trainer.pictures().sample(64, 0)?; // [64, 784], values in 0..=1
//! # Ok(())
//! # }
//! ```

pub mod bench;
pub mod check;
pub mod cli;
pub mod data;
pub mod error;
pub mod evaluate;
pub mod gpu;
pub mod kernels;
pub mod model;
pub mod plan;
pub mod run;
pub mod train;
pub mod tune;
