"""What tensors compute, against NumPy: `make DIRECTORY` writes the inputs, `check DIRECTORY` compares what arithmetic.lua made of them.

Values: extremes of the type, and random ones over its whole range. Elementwise arithmetic that IEEE 754 rounds exactly has to agree in every bit
(NaN with any NaN); the rest to some units in the last place of the result in float64. An int32 result that is none has to be an error.
"""
import math
import sys

import numpy as np

f32, i32 = np.float32, np.int32
FLOATS = np.array([0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, 7, -7, 1e-45, -1e-45, 1.2e-38, 1e-20, 1e-7, 0.1, 100, 88.5, -88.5, 104, 16777216, 16777217, -2147483648, 2147483648,
                   1e10, 1e20, 3.4028235e38, -3.4028235e38, np.inf, -np.inf, np.nan], f32)
INTEGERS = np.array([0, 1, -1, 2, -2, 3, -3, 7, -7, 255, 46340, 46341, -46341, 65536, 2**24, 2**24 + 1, -(2**24) - 1, 2**30, 2**31 - 1, -(2**31) + 1, -(2**31)], i32)


def spread(random, n):
    """Of both signs, over all exponents."""
    return (random.choice([-1, 1], n) * np.exp(random.uniform(-80, 80, n))).astype(f32)


def make(directory):
    random = np.random.default_rng(1)
    a, b = (x.ravel() for x in np.meshgrid(FLOATS, FLOATS))
    near = random.uniform(-8, 8, (2, 4000)).astype(f32)
    far = np.stack([spread(random, 2000), spread(random, 2000)])
    a, b = np.concatenate([a, near[0], far[0]]), np.concatenate([b, near[1], far[1]])
    ia, ib = (x.ravel() for x in np.meshgrid(INTEGERS, INTEGERS))
    more = random.integers(-(2**31), 2**31, (2, 300)).astype(i32)
    small = random.integers(-40, 40, (2, 300)).astype(i32)
    rows = random.uniform(-4, 4, (24, 37)).astype(f32)
    for i, value in enumerate(FLOATS[[0, 1, 23, 24, 28, 29, 30, 31, 32]]):
        rows[i, [0, 17, 36][i % 3]] = value
    rows[9, :] = -0.0
    rows[10, [3, 30]] = np.inf
    rows[11, 5], rows[11, 6] = np.inf, -np.inf
    rows[12, :] = 16777216
    rows[13, :2] = np.nan
    rows[14, :] = rows[14, 0]
    rows[15] *= 25
    rows[16] *= f32(1e-30)
    irows = np.concatenate([random.integers(-9, 9, (6, 5)), random.integers(-(2**31), 2**31, (20, 5))]).astype(i32)
    irows[6], irows[7] = 2**24 + 1, [2**31 - 1, 1, -1, 0, 0]
    np.savez(directory + "/inputs.npz", a=a, b=b, c=np.roll(a, 7), rows=rows, irows=irows, ia=np.concatenate([ia, more[0], small[0]]), ib=np.concatenate([ib, more[1], small[1]]))


def half_even(x):
    return np.rint(x)


def normal(x):
    """The normal distribution function, exact in its lower tail too."""
    return 0.5 * np.vectorize(math.erfc)(-x / math.sqrt(2))


UNARY = {
    "abs": np.abs, "neg": np.negative, "sign": np.sign, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "reciprocal": lambda x: 1 / x,
    "square": np.square, "relu": lambda x: np.where(x > 0, x, np.where(np.isnan(x), x, 0)), "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh, "sin": np.sin, "cos": np.cos,
    "floor": np.floor, "ceil": np.ceil, "round": half_even,
    "erf": np.vectorize(math.erf), "gelu": lambda x: x * normal(x), "silu": lambda x: x / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6, "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
}
BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power, "mod": np.remainder, "idiv": np.floor_divide, "maximum": np.maximum,
    "minimum": np.minimum, "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}
EXACT = {"abs", "neg", "sign", "sqrt", "reciprocal", "square", "relu", "floor", "ceil", "round", "add", "sub", "mul", "div", "mod", "idiv", "maximum", "minimum", "eq", "ne", "lt", "le",
         "gt", "ge", "clamp", "max", "min", "sort", "topk", "argmax", "argmin", "all", "any"}
UNITS = {"pow": 16, "rsqrt": 4, "exp": 4, "log": 4, "sigmoid": 8, "tanh": 8, "lerp": 8, "sin": 4, "cos": 4, "erf": 8, "gelu": 8, "silu": 8, "hard_sigmoid": 8, "hard_swish": 8}


def differences(name, got, expected, units, scale=None):
    """Indices where they differ. `expected` is float64 or exact."""
    with np.errstate(all="ignore"):
        rounded = expected.astype(f32)
        same = (got == rounded) & (np.signbit(got) == np.signbit(rounded)) | np.isnan(got) & np.isnan(rounded)
        if units:
            size = np.abs(expected) if scale is None else scale
            unit = np.maximum(np.spacing(np.minimum(size, np.finfo(f32).max).astype(f32)), np.finfo(f32).tiny).astype(np.float64)
            near = np.abs(got.astype(np.float64) - expected) <= units * unit
            # Where the exact result is within a unit of the largest number, infinity is as good.
            edge = (np.abs(expected) >= np.finfo(f32).max * (1 - units * 2.0**-23)) & (np.abs(got) >= np.finfo(f32).max * (1 - units * 2.0**-23)) & (np.sign(got) == np.sign(expected))
            same |= np.isfinite(got) & np.isfinite(expected) & near | edge
    return np.argwhere(~same)


failures = 0


def report(name, where, describe):
    global failures
    if len(where):
        failures += 1
        print(f"{name}: {len(where)} differ, such as " + "; ".join(describe(tuple(at)) for at in where[:4]))


def check_floats(inputs, results):
    a, b, c = (inputs[k] for k in "abc")
    with np.errstate(all="ignore"):
        for name, f in UNARY.items():
            expected = f(a) if name in EXACT else f(a.astype(np.float64))
            if name == "relu":  # of -0, NumPy's maximum says nothing
                expected = np.where(a == 0, results[name], expected)
            # gelu is x (1 + erf) / 2 as in PyTorch, which is exact beside x, not beside its own tail.
            where = differences(name, results[name], expected, 0 if name in EXACT else UNITS[name], np.abs(a) if name == "gelu" else None)
            report(name, where, lambda at: f"{a[at]!r} -> {results[name][at]!r}, expected {expected[at]!r}")
        for name, f in BINARY.items():
            expected = f(a, b) if name in EXACT else f(a.astype(np.float64), b.astype(np.float64))
            if name in ("maximum", "minimum"):  # of 0 and -0, NumPy says nothing
                expected = np.where((a == 0) & (b == 0), results[name], expected)
            where = differences(name, results[name], expected.astype(f32) if name in EXACT else expected, 0 if name in EXACT else UNITS[name])
            report(name, where, lambda at: f"({a[at]!r}, {b[at]!r}) -> {results[name][at]!r}, expected {expected[at]!r}")
        expected = np.clip(a, f32(-1.5), f32(100))
        report("clamp", differences("clamp", results["clamp"], expected, 0), lambda at: f"{a[at]!r} -> {results['clamp'][at]!r}")
        x, y, w = (v.astype(np.float64) for v in (a, b, c))
        expected, scale = x + w * (y - x), np.abs(x) + np.abs(w) * (np.abs(y) + np.abs(x))
        use = np.isfinite(expected) & (scale < 1e38)
        report("lerp", differences("lerp", results["lerp"][use], expected[use], 8, scale[use]), lambda at: f"{(a[use][at], b[use][at], c[use][at])} -> {results['lerp'][use][at]!r}, {expected[use][at]!r}")


def check_rows(rows, results):
    wide = rows.astype(np.float64)
    with np.errstate(all="ignore"):
        total = np.abs(wide).sum(1)
        shifted = wide - wide.max(1, keepdims=True)
        log_softmax = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        mean = wide.mean(1)
        spread = ((wide - mean[:, None]) ** 2).sum(1) / (rows.shape[1] - 1)
        by_size = np.sort(rows, 1)
        expected = {
            "sum": (wide.sum(1), 64, total), "mean": (mean, 64, total), "prod": (np.where(np.abs(wide.prod(1)) > 3.4028235e38, np.copysign(np.inf, wide.prod(1)), wide.prod(1)), 256, None),
            "max": (rows.max(1), 0, None), "min": (rows.min(1), 0, None), "argmax": (rows.argmax(1) + 1, 0, None), "argmin": (rows.argmin(1) + 1, 0, None),
            "sort": (by_size, 0, None), "topk": (by_size[:, ::-1][:, :5], 0, None), "cumsum": (wide.cumsum(1), 64, np.abs(wide).cumsum(1)),
            "softmax": (np.exp(log_softmax), 64, None), "log_softmax": (log_softmax, 64, np.maximum(np.abs(log_softmax), np.abs(wide))),
            "logsumexp": (np.where(np.isposinf(wide.max(1)), np.inf, wide.max(1) + np.log(np.exp(shifted).sum(1))), 64, np.abs(wide).max(1)),
            "var": (spread, 256, spread + mean**2 * 2.0**-23), "std": (np.sqrt(spread), 256, np.sqrt(spread) + np.abs(mean)), "norm": (np.sqrt((wide**2).sum(1)), 64, None),
            "matmul": (wide @ wide.T, 64, np.abs(wide) @ np.abs(wide.T)),
            "all": ((rows != 0).all(1), 0, None), "any": ((rows != 0).any(1), 0, None),
        }
        for name, (value, units, scale) in expected.items():
            got = results["rows_" + name]
            value = np.asarray(value)
            if name in ("sum", "mean", "cumsum", "matmul", "norm", "var", "std"):  # partial sums may overflow where the whole does not
                use = np.isnan(value) | (np.abs(value) < 1e36)
                if name in ("var", "std", "norm"):  # and squares underflow
                    use &= ~((wide**2).max(1) < 1e-36)
                value, got = np.where(use, value, 0), np.where(use, got, 0)
                scale = None if scale is None else np.where(use, scale, 0)
            if name in ("sort", "topk", "max", "min"):  # 0 and -0 are equal
                got = np.where((got == 0) & (value == 0), value, got)
            report("rows: " + name, differences(name, got, value.astype(f32) if units == 0 else value, units, scale), lambda at: f"row {at[0] + 1}: {got[at]!r}, expected {value[at]!r}")


def check_integers(inputs, results):
    a, b, rows = (inputs[k].astype(np.int64) for k in ("ia", "ib", "irows"))

    def compare(name, expected, valid=True):
        got, fails = results["int_" + name], results["int_" + name + "_fails"] != 0
        holds = valid & (expected >= -(2**31)) & (expected < 2**31)
        report("int32: " + name, np.argwhere(np.where(holds, fails | (got != expected), ~fails)),
               lambda at: f"{[x[at].tolist() for x in ((rows,) if len(expected) == len(rows) else (a, b))]} -> {'an error' if fails[at] else got[at]}, expected {expected[at]}")

    with np.errstate(all="ignore"):
        for name in ("abs", "neg", "sign", "square", "relu", "floor", "ceil", "round"):
            compare(name, np.maximum(a, 0) if name == "relu" else UNARY[name](a).astype(np.int64))
        for name in ("add", "sub", "mul", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge"):
            compare(name, BINARY[name](a, b).astype(np.int64))
        compare("mod", np.where(b == 0, 0, np.remainder(a, np.where(b == 0, 1, b))), b != 0)
        compare("idiv", np.where(b == 0, 0, np.floor_divide(a, np.where(b == 0, 1, b))), b != 0)
        compare("clamp", np.clip(a, -5, 2**24 + 1))
        exact = np.array([[int(x) for x in row] for row in rows], object)
        products = [int(np.prod(row)) for row in exact]
        compare("prod", np.array([p if abs(p) < 2**62 else 2**62 for p in products], np.int64))
        compare("sum", rows.sum(1))
        compare("max", rows.max(1)), compare("min", rows.min(1)), compare("argmax", rows.argmax(1) + 1), compare("argmin", rows.argmin(1) + 1)
        compare("last of cumsum", rows.sum(1), (np.abs(rows.cumsum(1) * 2 + 1) < 2**32).all(1))
        compare("second of sort", np.sort(rows, 1)[:, 1])
        compare("product", np.array([sum(int(x) * int(x) for x in row) for row in rows]), True)


def check(directory):
    inputs, results = (dict(np.load(directory + name)) for name in ("/inputs.npz", "/results.npz"))
    check_floats(inputs, results)
    check_rows(inputs["rows"], results)
    check_integers(inputs, results)
    print(f"NumPy {np.__version__}: {len(results)} results, {failures} operations differ")
    sys.exit(failures != 0)


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2])
