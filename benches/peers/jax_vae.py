"""Trains the benchmark's VAE with JAX and prints its speed as one line of JSON.

python jax_vae.py {cpu,cuda} [--hidden 400] [--latent 20] ...
"""

import os
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

import common
import mnist

Layer = tuple[Array, Array]
"""Weight [in, out] and bias [out]."""


class Parameters(NamedTuple):
    """A mirrored multilayer perceptron. Dimensions: B batch rows, D data, Z latent."""

    encoder: list[Layer]
    mu: Layer
    log_var: Layer
    decoder: list[Layer]
    out: Layer


class State(NamedTuple):
    """What a step changes."""

    parameters: Parameters
    moment1: Parameters
    moment2: Parameters
    t: Array
    key: Array


def initial(dim: int, options: common.Options) -> State:
    """Weights and biases uniform in +-1/sqrt(fan_in), as everywhere in this comparison."""
    key = jax.random.key(options.seed)

    def layer(fan_in: int, fan_out: int) -> Layer:
        nonlocal key
        key, weight, bias = jax.random.split(key, 3)
        bound = fan_in**-0.5
        return (
            jax.random.uniform(weight, (fan_in, fan_out), minval=-bound, maxval=bound),
            jax.random.uniform(bias, (fan_out,), minval=-bound, maxval=bound),
        )

    parameters = Parameters(
        encoder=[layer(*pair) for pair in pairwise((dim, *options.hidden))],
        mu=layer(options.hidden[-1], options.latent),
        log_var=layer(options.hidden[-1], options.latent),
        decoder=[layer(*pair) for pair in pairwise((options.latent, *reversed(options.hidden)))],
        out=layer(options.hidden[0], dim),
    )
    moment1, moment2 = (jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
    return State(parameters, moment1, moment2, jnp.zeros((), jnp.int32), key)


def loss_of(parameters: Parameters, x: Array, key: Array, activation: str) -> Array:
    """-ELBO of x [B, D] in nats, averaged over rows."""
    act = {"relu": jax.nn.relu, "tanh": jnp.tanh}[activation]

    def linear(layer: Layer, x: Array) -> Array:
        return x @ layer[0] + layer[1]

    h = x
    for layer in parameters.encoder:
        h = act(linear(layer, h))
    mu, log_var = linear(parameters.mu, h), linear(parameters.log_var, h)
    h = mu + jnp.exp(log_var / 2) * jax.random.normal(key, mu.shape)
    for layer in parameters.decoder:
        h = act(linear(layer, h))
    logits = linear(parameters.out, h)
    minus_recon = jnp.sum(jax.nn.softplus(logits) - x * logits)
    kl = jnp.sum(mu**2 + jnp.exp(log_var) - 1 - log_var) / 2
    return (minus_recon + kl) / len(x)


def adam(state: State, gradients: Parameters, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> State:
    """Algorithm 1 of Kingma & Ba."""
    t = state.t + 1
    moment1 = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state.moment1, gradients)
    moment2 = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g**2, state.moment2, gradients)
    rate = common.LEARNING_RATE / (1 - beta1**t)
    scale = 1 / (1 - beta2**t)
    parameters = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v * scale) + eps), state.parameters, moment1, moment2
    )
    return State(parameters, moment1, moment2, t, state.key)


@partial(jax.jit, static_argnames=("batch", "activation"), donate_argnums=0)
def train_step(
    state: State, images: Array, order: Array, at: int, *, batch: int, activation: str
) -> tuple[State, Array]:
    """One step of training on the bytes `images` [N, D], each a probability."""
    key, for_x, for_z = jax.random.split(state.key, 3)
    rows = jax.lax.dynamic_slice_in_dim(order, at, batch)
    p = images[rows].astype(jnp.float32) / 255
    x = (jax.random.uniform(for_x, p.shape) < p).astype(jnp.float32)
    loss, gradients = jax.value_and_grad(loss_of)(state.parameters, x, for_z, activation)
    return adam(state._replace(key=key), gradients), loss


def peer(options: common.Options) -> common.Peer:
    jax.config.update("jax_platforms", options.variant)
    # float32 throughout, as the others; and XLA's own generator, which is faster than the default one.
    jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_default_prng_impl", "rbg")
    if hasattr(os, "sched_setaffinity") and options.variant == "cpu":
        # XLA starts as many threads as it has cores.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    images = jnp.asarray(mnist.images())
    state = initial(images.shape[1], options)
    order = jnp.zeros(0, jnp.int32)
    loss = jnp.zeros(())

    def upload(rows: mnist.Rows) -> None:
        nonlocal order
        order = jnp.asarray(rows)

    batches = mnist.Order(len(images), options.batch, options.seed, upload)

    def step() -> None:
        nonlocal state, loss
        at = batches.advance()
        state, loss = train_step(state, images, order, at, batch=options.batch, activation=options.activation)

    def wait() -> float:
        jax.block_until_ready(state)
        return float(loss)

    device = jax.devices()[0]
    name = f"CPU, {options.threads} threads" if device.platform == "cpu" else device.device_kind
    return common.Peer("jax", jax.__version__, name, step, wait)


if __name__ == "__main__":
    options = common.parse("Trains the benchmark's VAE with JAX.", ["cpu", "cuda"])
    common.run(options, peer(options))
