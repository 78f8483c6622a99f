"""Random numbers by their place.

Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). Key = the seed,
counter = the place where the number is used, so each number has an address. R rows of a table.
"""

import numpy as np

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
