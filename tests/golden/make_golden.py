"""Makes the golden values that the Rust tests compare the GPU with.

    python make_golden.py           writes rng.safetensors and train-*.safetensors beside this file
    python make_golden.py --check   recomputes them, compares with the files, and tests the recipe itself

All arithmetic is float64 and is rounded to float32 once, when it is stored. PyTorch's autograd gives the
gradients and torch.optim.Adam the updates. README.md lists the tensors and the conventions.

Dimensions: B batch rows, D data, H hidden, Z latent, N images, R rows of a table.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save

HERE = Path(__file__).resolve().parent
STEPS = 10
LEARNING_RATE = 1e-3

# ---------------------------------------------------------------------------------------------------------
# Random numbers. Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3"
# (2011). Key = the seed, counter = the place where the number is used, so each number has an address.
# ---------------------------------------------------------------------------------------------------------

EPS, BINARIZE, BINARIZE_FIXED, PRIOR = 0, 1, 2, 3  # streams, the last word of the counter

PHILOX_M0, PHILOX_M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
PHILOX_W0, PHILOX_W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW_32 = np.uint64(0xFFFFFFFF)
HIGH = np.uint64(32)

# (counter, key, output), from Random123's file kat_vectors.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def philox(counter: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Ten rounds. counter [R, 4] and key [R, 2] to words [R, 4], all uint32."""
    c0, c1, c2, c3 = counter.astype(np.uint64).T
    k0, k1 = key.astype(np.uint64).T
    for _ in range(10):
        p0, p1 = PHILOX_M0 * c0, PHILOX_M1 * c2  # 64-bit products of 32-bit words
        c0, c1, c2, c3 = (p1 >> HIGH) ^ c1 ^ k0, p1 & LOW_32, (p0 >> HIGH) ^ c3 ^ k1, p0 & LOW_32
        k0, k1 = (k0 + PHILOX_W0) & LOW_32, (k1 + PHILOX_W1) & LOW_32
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def seed_key(seed: int) -> tuple[int, int]:
    """A 64-bit seed as the key: low word, high word."""
    return seed & 0xFFFFFFFF, seed >> 32


def uniforms(words: np.ndarray) -> np.ndarray:
    """The top 23 bits, centred in their interval: (0, 1) without its ends, exact in float32."""
    return ((words >> np.uint32(9)).astype(np.float64) + 0.5) * 2.0**-23


def normals(words: np.ndarray) -> np.ndarray:
    """Box-Muller on the word pairs (0, 1) and (2, 3) of each call: words [R, 4] to normals [R, 4]."""
    u = uniforms(words)
    radius = np.sqrt(-2.0 * np.log(u[:, [0, 2]]))
    angle = 2.0 * np.pi * u[:, [1, 3]]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1, 4)


def words_of_matrix(seed: int, step: int, rows: int, columns: int, stream: int) -> np.ndarray:
    """The calls for a [rows, columns] matrix, [rows, calls, 4]: column c has word c % 4 of call c // 4."""
    calls = (columns + 3) // 4
    row, call = np.indices((rows, calls))
    counter = np.stack([np.full_like(row, step), row, call, np.full_like(row, stream)], axis=-1)
    key = np.broadcast_to(np.array(seed_key(seed)), (rows * calls, 2))
    return philox(counter.reshape(-1, 4), key).reshape(rows, calls, 4)


def draw_eps(seed: int, step: int, rows: int, columns: int) -> np.ndarray:
    """eps ~ N(0, 1), float64 [rows, columns]."""
    words = words_of_matrix(seed, step, rows, columns, EPS)
    return normals(words.reshape(-1, 4)).reshape(rows, -1)[:, :columns]


def binarize(seed: int, step: int, data: np.ndarray) -> np.ndarray:
    """Dynamic binarisation of bytes [B, D] to 0.0 or 1.0: P(x = 1) = byte / 255, decided in integers.

    u < byte / 255 with u = (2 * (word >> 9) + 1) / 2^24. Both sides fit in 32 bits.
    """
    rows, columns = data.shape
    words = words_of_matrix(seed, step, rows, columns, BINARIZE).reshape(rows, -1)[:, :columns]
    odd = 2 * (words >> np.uint32(9)).astype(np.uint64) + 1
    return (odd * 255 < data.astype(np.uint64) << np.uint64(24)).astype(np.float64)


def rng_table() -> dict[str, np.ndarray]:
    """Known answers, then chosen places, then calls with extreme words (the corners of Box-Muller)."""
    counters = [counter for counter, _, _ in KNOWN_ANSWERS]
    keys = [key for _, key, _ in KNOWN_ANSWERS]
    for seed in (0, 1, 42, 0x0123456789ABCDEF, 2**64 - 1):
        for stream in (EPS, BINARIZE, BINARIZE_FIXED, PRIOR):
            for step, row, call in ((0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1), (1000, 127, 195), (2**32 - 1, 9999, 4)):
                counters.append((step, row, call, stream))
                keys.append(seed_key(seed))

    # Among the first 2^20 rows of (seed 0, step 0, EPS): each word's smallest and largest value.
    row = np.arange(2**20)
    zero = np.zeros_like(row)
    words = philox(np.stack([zero, row, zero, zero], axis=-1), np.stack([zero, zero], axis=-1))
    for extreme in (*words.argmin(axis=0), *words.argmax(axis=0)):
        counters.append((0, int(extreme), 0, EPS))
        keys.append(seed_key(0))

    counter, key = np.array(counters, dtype=np.uint32), np.array(keys, dtype=np.uint32)
    words = philox(counter, key)
    return {
        "counter": counter,
        "key": key,
        "words": words,
        "uniforms": uniforms(words).astype(np.float32),
        "normals": normals(words).astype(np.float32),
    }


# ---------------------------------------------------------------------------------------------------------
# The model: Kingma & Welling 2013, Gaussian latent, Bernoulli data, a mirrored MLP on each side.
# ---------------------------------------------------------------------------------------------------------


def softplus(a: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(a)) that neither overflows nor turns linear early (torch's own does, above 20)."""
    return torch.logaddexp(a, torch.zeros_like(a))


ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "softplus": softplus, "silu": torch.nn.functional.silu}


@dataclass(frozen=True)
class Case:
    name: str
    input: int  # D
    hidden: tuple[int, ...]  # H of each encoder layer; the decoder's are the same, mirrored
    latent: int  # Z
    activation: str
    batch: int  # B
    images: int  # N >= B
    seed: int  # of the GPU's generator
    host_seed: int  # of NumPy's: data, order, initial weights


CASES = [
    Case("relu", 196, (32,), 5, "relu", batch=16, images=20, seed=1, host_seed=11),
    Case("tanh", 37, (19, 11), 3, "tanh", batch=7, images=10, seed=0x0123456789ABCDEF, host_seed=12),
    Case("softplus", 20, (8,), 2, "softplus", batch=5, images=5, seed=2**64 - 1, host_seed=13),
    Case("silu", 13, (9, 7), 5, "silu", batch=6, images=9, seed=42, host_seed=14),
]

Params = dict[str, torch.Tensor]


def layer_shapes(case: Case) -> dict[str, tuple[int, int]]:
    """Linear layers in the order of the forward pass: name to (out, in), the shape of the weight."""
    shapes = {}
    width = case.input
    for i, h in enumerate(case.hidden):
        shapes[f"encoder.{i}"] = (h, width)
        width = h
    shapes["encoder.mu"] = (case.latent, width)
    shapes["encoder.log_var"] = (case.latent, width)
    width = case.latent
    for i, h in enumerate(reversed(case.hidden)):
        shapes[f"decoder.{i}"] = (h, width)
        width = h
    shapes["decoder.out"] = (case.input, width)
    return shapes


def make_inputs(case: Case) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Bytes [N, D], the rows of the batch [B], and the initial weights (float32)."""
    host = np.random.default_rng(case.host_seed)

    shape = (case.images, case.input)
    grey = host.integers(1, 255, shape)
    data = np.choose(host.choice(3, shape, p=(0.4, 0.3, 0.3)), (np.zeros(shape, int), np.full(shape, 255), grey))
    data[:, 0], data[:, -1] = 0, 255  # columns that never vary, as at the edge of a digit
    order = host.permutation(case.images)[: case.batch]

    # torch.nn.Linear's default for weight and bias alike: uniform in +-1 / sqrt(fan_in).
    params = {}
    for layer, (fan_out, fan_in) in layer_shapes(case).items():
        bound = 1 / np.sqrt(fan_in)
        params[f"{layer}.weight"] = host.uniform(-bound, bound, (fan_out, fan_in)).astype(np.float32)
        params[f"{layer}.bias"] = host.uniform(-bound, bound, fan_out).astype(np.float32)
    return data.astype(np.uint8), order.astype(np.int32), params


def forward(case: Case, params: Params, x: torch.Tensor, eps: torch.Tensor):
    """x [B, D], eps [B, Z] to log p(x|z) [B], KL [B], mu [B, Z], log_var [B, Z], logits [B, D], in nats."""
    activation = ACTIVATIONS[case.activation]

    def linear(layer: str, a: torch.Tensor) -> torch.Tensor:
        return a @ params[f"{layer}.weight"].T + params[f"{layer}.bias"]

    h = x
    for i in range(len(case.hidden)):
        h = activation(linear(f"encoder.{i}", h))
    mu, log_var = linear("encoder.mu", h), linear("encoder.log_var", h)

    h = mu + torch.exp(log_var / 2) * eps
    for i in range(len(case.hidden)):
        h = activation(linear(f"decoder.{i}", h))
    logits = linear("decoder.out", h)

    recon = (x * logits - softplus(logits)).sum(dim=1)
    kl = 0.5 * (mu**2 + torch.exp(log_var) - 1 - log_var).sum(dim=1)
    return recon, kl, mu, log_var, logits


def loss_of(recon: torch.Tensor, kl: torch.Tensor) -> torch.Tensor:
    """-ELBO, averaged over the rows."""
    return -(recon - kl).mean()


def draw_step(case: Case, data: np.ndarray, order: np.ndarray, step: int, dtype=torch.float64):
    """x and eps of a step (1, 2, ...): both streams have the step's number in the counter."""
    x = binarize(case.seed, step, data[order])
    eps = draw_eps(case.seed, step, case.batch, case.latent)
    return torch.from_numpy(x).to(dtype), torch.from_numpy(eps).to(dtype)


def train(case: Case, dtype=torch.float64) -> dict[str, np.ndarray]:
    """Ten Adam steps on the same rows, with fresh binarisation and fresh eps at each step."""
    data, order, initial = make_inputs(case)
    # torch.tensor copies: Adam must not write through to the initial weights that are stored below.
    params = {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in initial.items()}
    adam = torch.optim.Adam(params.values(), lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8)

    out = {"data": data, "order": order}
    out |= {f"param.{name}": value for name, value in initial.items()}
    losses = []
    for step in range(1, STEPS + 1):
        x, eps = draw_step(case, data, order, step, dtype)
        recon, kl, *_ = forward(case, params, x, eps)
        loss = loss_of(recon, kl)
        adam.zero_grad()
        loss.backward()
        losses.append(loss.item())
        if step == 1:
            terms = {"eps": eps, "x": x, "recon": recon, "kl": kl, "loss": loss.reshape(1)}
            terms |= {f"grad.{name}": p.grad for name, p in params.items()}
            out |= {f"step1.{name}": stored(value) for name, value in terms.items()}
        adam.step()
    out["losses"] = np.array(losses, dtype=np.float32)
    out |= {f"step{STEPS}.param.{name}": stored(p) for name, p in params.items()}
    return out


def stored(value: torch.Tensor) -> np.ndarray:
    return value.detach().numpy().astype(np.float32)


# ---------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------


def metadata(case: Case) -> dict[str, str]:
    return {
        "activation": case.activation,
        "batch": str(case.batch),
        "hidden": ",".join(map(str, case.hidden)),
        "input": str(case.input),
        "latent": str(case.latent),
        "lr": str(LEARNING_RATE),
        "seed": str(case.seed),
        "steps": str(STEPS),
    }


def all_files() -> dict[str, tuple[dict[str, np.ndarray], dict[str, str]]]:
    """File name to (tensors, metadata)."""
    files = {"rng.safetensors": (rng_table(), {})}
    for case in CASES:
        files[f"train-{case.name}.safetensors"] = (train(case), metadata(case))
    return files


def encode(tensors: dict[str, np.ndarray], meta: dict[str, str]) -> bytes:
    """The bytes of a safetensors file. The library writes metadata in an order that changes from run to
    run; sorting it keeps the same values the same bytes."""
    blob = save(tensors, meta or None)
    size = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8 : 8 + size])
    if meta:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode().ljust(size)
    assert len(text) == size
    return blob[:8] + text + blob[8 + size :]


# ---------------------------------------------------------------------------------------------------------
# Checks: of the files, and of the recipe against things that it does not use
# ---------------------------------------------------------------------------------------------------------


def relative_error(value, expected) -> float:
    """||value - expected|| / ||expected||, the root of the normalised mean square error."""
    value, expected = np.asarray(value, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    return float(np.linalg.norm(value - expected) / max(np.linalg.norm(expected), 1e-300))


def require(what: str, error: float, bound: float) -> None:
    print(f"  {what}: {error:.1e} (at most {bound:.0e})")
    if not error <= bound:  # also when it is NaN
        sys.exit(f"make_golden.py --check failed: {what}")


def check_philox() -> None:
    print("Philox against Random123's known answers")
    for counter, key, answer in KNOWN_ANSWERS:
        words = philox(np.array([counter]), np.array([key]))[0]
        require(f"key {key[0]:08x} {key[1]:08x}", float(np.sum(words != np.array(answer, np.uint32))), 0.0)


def types_of(tensors: dict[str, np.ndarray]) -> dict:
    return {name: (value.dtype, value.shape) for name, value in tensors.items()}


def check_files() -> None:
    """Integers and drawn bits must be equal. Floats may differ in the last place: another CPU sums in another
    order, and a value on the edge then rounds to the next float32."""
    for name, (tensors, meta) in all_files().items():
        print(name)
        with safe_open(HERE / name, framework="numpy") as file:
            on_disk = {key: file.get_tensor(key) for key in file.keys()}
            found_meta = file.metadata() or {}
        if found_meta != meta or types_of(on_disk) != types_of(tensors):
            sys.exit(f"{name}: metadata, names, types or shapes differ; run make_golden.py without --check")
        exact = [key for key, v in tensors.items() if v.dtype != np.float32 or key in ("uniforms", "step1.x")]
        require("integers that differ", float(sum(np.sum(on_disk[k] != tensors[k]) for k in exact)), 0.0)
        require(
            "largest relative error of a float tensor",
            max(relative_error(on_disk[key], value) for key, value in tensors.items()),
            1e-6,
        )


def check_terms(case: Case) -> None:
    """Row terms against torch.distributions, Adam against the paper's algorithm 1 spelled out."""
    print(f"{case.name}: the recipe against other formulas")
    data, order, initial = make_inputs(case)
    params = {name: torch.from_numpy(value).double().requires_grad_() for name, value in initial.items()}
    m = {name: torch.zeros_like(p) for name, p in params.items()}
    v = {name: torch.zeros_like(p) for name, p in params.items()}
    for t in range(1, STEPS + 1):
        x, eps = draw_step(case, data, order, t)
        recon, kl, mu, log_var, logits = forward(case, params, x, eps)
        if t == 1:
            q = torch.distributions.Normal(mu, torch.exp(log_var / 2))
            prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
            kl_again = torch.distributions.kl_divergence(q, prior).sum(dim=1)
            recon_again = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(dim=1)
            require("KL", relative_error(kl.detach(), kl_again.detach()), 1e-12)
            require("log p(x|z)", relative_error(recon.detach(), recon_again.detach()), 1e-12)
        grads = torch.autograd.grad(loss_of(recon, kl), list(params.values()))
        with torch.no_grad():
            for (name, p), g in zip(params.items(), grads):
                m[name] = 0.9 * m[name] + 0.1 * g
                v[name] = 0.999 * v[name] + 0.001 * g * g
                m_hat, v_hat = m[name] / (1 - 0.9**t), v[name] / (1 - 0.999**t)
                p -= LEARNING_RATE * m_hat / (torch.sqrt(v_hat) + 1e-8)
    trained = train(case)
    require(
        f"Adam, weights after {STEPS} steps",
        max(relative_error(trained[f"step{STEPS}.param.{name}"], p.detach()) for name, p in params.items()),
        1e-7,
    )


def check_gradients(case: Case) -> None:
    """Every gradient against central differences of the loss. (Not for relu: it has kinks.)"""
    print(f"{case.name}: gradients against central differences")
    data, order, initial = make_inputs(case)
    x, eps = draw_step(case, data, order, 1)
    params = {name: torch.from_numpy(value).double() for name, value in initial.items()}
    golden = train(case)
    h = 1e-5

    def loss_with(flat: torch.Tensor, i: int, value: float) -> float:
        flat[i] = value
        return loss_of(*forward(case, params, x, eps)[:2]).item()

    for name, p in params.items():
        flat = p.view(-1)
        slope = np.empty(len(flat))
        for i in range(len(flat)):
            at = flat[i].item()
            slope[i] = (loss_with(flat, i, at + h) - loss_with(flat, i, at - h)) / (2 * h)
            flat[i] = at
        require(name, relative_error(golden[f"step1.grad.{name}"].reshape(-1), slope), 1e-6)


def movement(run: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What training changed, by parameter: the weights themselves hardly move in ten steps."""
    final = f"step{STEPS}.param."
    return {
        f"movement.{key.removeprefix(final)}": value.astype(np.float64) - run[key.removeprefix(f"step{STEPS}.")]
        for key, value in run.items()
        if key.startswith(final)
    }


def report_float32() -> None:
    """What float32 arithmetic alone loses: no GPU can be asked for less than this."""
    print("PyTorch in float32 against the golden values: largest relative error of a tensor")
    for case in CASES:
        golden, single = train(case), train(case, torch.float32)
        golden |= movement(golden)
        single |= movement(single)
        errors = []
        for prefix in ("step1.recon", "step1.kl", "losses", "step1.grad.", "movement."):
            worst = max(relative_error(single[key], golden[key]) for key in golden if key.startswith(prefix))
            errors.append(f"{prefix} {worst:.1e}")
        print(f"  {case.name}: {', '.join(errors)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes or checks the golden values in this folder.")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation
    if arguments.check:
        check_philox()
        check_files()
        for case in CASES:
            check_terms(case)
            if case.activation != "relu":
                check_gradients(case)
        report_float32()
        print("all checks passed")
    else:
        for name, (tensors, meta) in all_files().items():
            blob = encode(tensors, meta)
            (HERE / name).write_bytes(blob)
            print(f"{name}: {len(tensors)} tensors, {len(blob)} bytes")


if __name__ == "__main__":
    main()
