//! `vae-gpu export`.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::output::result;
use crate::error::{Error, Result};
use crate::export::onnx::OPSET;
use crate::run::write_atomic;
use crate::vae::{Onnx, Vae};

#[derive(Debug, Args)]
#[command(about = format!("Write a trained model as ONNX graphs (opset {OPSET}); needs no GPU"), after_help = format!("Examples:
  vae-gpu export runs/mnist-vae-1 --onnx onnx            # onnx/encoder.onnx and onnx/decoder.onnx

encoder.onnx: x [N, D], eps [N, Z] -> mu, log_var, z [N, Z], with z = mu + exp(log_var / 2) eps; an autoencoder's has x
and z alone. decoder.onnx: z [N, Z] -> mean [N, D] = E[x|z], and what the decoder's last layer gives: out, or mu and
log_var. A conditional model has a further input label [N, C], one-hot. All are 32-bit floats, N is free, and the
operators are those of opset {OPSET}.

x, mean and a Gaussian's parts are in the data's own units: the graphs scale the columns of a table as training did, and
undo it. Bytes v of pictures count as v / 255. The metadata has the run's configuration as TOML."))]
pub struct ExportArgs {
    /// Run directory, or its model.safetensors
    pub run: PathBuf,
    /// Folder for encoder.onnx and decoder.onnx; made if it is not there
    #[arg(long, value_name = "DIR", required = true)]
    pub onnx: PathBuf,
}

pub fn run(args: &ExportArgs) -> Result<()> {
    let Onnx { encoder, decoder } = Vae::onnx(&args.run)?;
    fs::create_dir_all(&args.onnx).map_err(|error| Error::io("create", &args.onnx, error))?;
    for (name, bytes) in [("encoder.onnx", encoder), ("decoder.onnx", decoder)] {
        write_atomic(&args.onnx.join(name), |out| out.write_all(&bytes))?;
    }
    result(format_args!("encoder.onnx and decoder.onnx are in {}", args.onnx.display()));
    Ok(())
}
