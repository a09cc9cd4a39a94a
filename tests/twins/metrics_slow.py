"""The metrics one pixel at a time, written from their definitions; pictures and alphas are levels 0..1."""

import math

import numpy as np

WINDOW = 11
ALEXNET = ((0, 4, 2, True), (3, 1, 2, True), (6, 1, 1, False), (8, 1, 1, False), (10, 1, 1, False))
"""Its convolutions: number, stride, padding, whether pooling follows."""
Picture = np.ndarray
"""`h w 3` or, for clips, `t h w 3`; alphas are `h w`."""


def psnr_slow(found: Picture, truth: Picture, where: np.ndarray) -> float:
    total, count = 0.0, 0
    for place in np.ndindex(*where.shape):
        if where[place]:
            for c in range(3):
                total += (float(found[place][c]) - float(truth[place][c])) ** 2
                count += 1
    if count == 0:
        return math.nan
    return math.inf if total == 0 else 10 * math.log10(1 / (total / count))


def ssim_slow(found: Picture, truth: Picture, where: np.ndarray) -> float:
    """Every window that lies in the picture, weighted by a bell curve; the mean of windows and channels."""
    weights = [math.exp(-((k - 5) ** 2) / (2 * 1.5**2)) for k in range(WINDOW)]
    total = sum(weights)
    weights = [w / total for w in weights]
    height, width, _ = found.shape
    values = []
    for y in range(5, height - 5):
        for x in range(5, width - 5):
            if where[y, x]:
                values += [_ssim_window(found, truth, (y, x, c), weights) for c in range(3)]
    return sum(values) / len(values) if values else math.nan


def _ssim_window(found: Picture, truth: Picture, place: tuple[int, int, int], weights: list[float]) -> float:
    y, x, c = place
    sums = [0.0] * 5
    for i in range(WINDOW):
        for j in range(WINDOW):
            w = weights[i] * weights[j]
            a, b = float(found[y + i - 5, x + j - 5, c]), float(truth[y + i - 5, x + j - 5, c])
            for k, value in enumerate((a, b, a * a, b * b, a * b)):
                sums[k] += w * value
    mean_a, mean_b = sums[0], sums[1]
    var_a, var_b, both = sums[2] - mean_a**2, sums[3] - mean_b**2, sums[4] - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))


def flicker_slow(found: Picture, truth: Picture) -> float:
    total, count = 0.0, 0
    for t, y, x, c in np.ndindex(*found.shape):
        if t:
            own = float(found[t, y, x, c]) - float(found[t - 1, y, x, c])
            total += abs(own - (float(truth[t, y, x, c]) - float(truth[t - 1, y, x, c])))
            count += 1
    return 255 * total / count


def warping_slow(now: Picture, before: Picture, back: np.ndarray, forth: np.ndarray) -> float:
    height, width, _ = now.shape
    total, count = 0.0, 0
    for y in range(height):
        for x in range(width):
            to_x, to_y = x + float(back[y, x, 0]), y + float(back[y, x, 1])
            if not (0 <= to_x <= width - 1 and 0 <= to_y <= height - 1):
                continue
            home = between(forth, to_x, to_y)
            miss = sum((float(back[y, x, k]) + home[k]) ** 2 for k in range(2))
            length = sum(float(back[y, x, k]) ** 2 + home[k] ** 2 for k in range(2))
            if miss > 0.01 * length + 0.5:
                continue
            there = between(before, to_x, to_y)
            total += sum((float(now[y, x, c]) - there[c]) ** 2 for c in range(3)) / 3
            count += 1
    return 1000 * total / count if count else math.nan


def between(values: np.ndarray, x: float, y: float) -> list[float]:
    """The value at a place between pixels, from the four around it."""
    height, width, channels = values.shape
    left, top = int(math.floor(x)), int(math.floor(y))
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    a, b = x - left, y - top
    return [
        (1 - b) * ((1 - a) * float(values[top, left, k]) + a * float(values[top, right, k]))
        + b * ((1 - a) * float(values[bottom, left, k]) + a * float(values[bottom, right, k]))
        for k in range(channels)
    ]


def mad_slow(found: np.ndarray, truth: np.ndarray) -> float:
    return 1000 * sum(abs(float(found[p]) - float(truth[p])) for p in np.ndindex(*truth.shape)) / truth.size


def mse_slow(found: np.ndarray, truth: np.ndarray) -> float:
    return 1000 * sum((float(found[p]) - float(truth[p])) ** 2 for p in np.ndindex(*truth.shape)) / truth.size


def gradient_error_slow(found: np.ndarray, truth: np.ndarray, stretched: bool) -> float:
    lengths = [_gradient_slow(_stretched(alpha) if stretched else alpha) for alpha in (found, truth)]
    return sum((lengths[0][p] - lengths[1][p]) ** 2 for p in np.ndindex(*truth.shape)) / 1000


def _stretched(alpha: np.ndarray) -> np.ndarray:
    values = [float(v) for v in alpha.flat]
    low, high = min(values), max(values)
    return np.array([0.0 if high == low else (v - low) / (high - low) for v in values]).reshape(alpha.shape)


def _gradient_slow(alpha: np.ndarray) -> np.ndarray:
    """Sigma 1.4, reach 4; a pixel outside the picture has the value of the nearest one inside."""
    sigma, reach = 1.4, 4
    bell = {k: math.exp(-(k**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi)) for k in range(-reach, reach + 1)}
    slope = {k: -k * bell[k] / sigma**2 for k in bell}
    norm = math.sqrt(sum((bell[i] * slope[j]) ** 2 for i in bell for j in bell))
    height, width = alpha.shape
    out = np.zeros(alpha.shape)
    for y in range(height):
        for x in range(width):
            across = down = 0.0
            for i in bell:
                for j in bell:
                    value = float(alpha[min(max(y + i, 0), height - 1), min(max(x + j, 0), width - 1)])
                    across += bell[i] * slope[j] / norm * value
                    down += slope[i] * bell[j] / norm * value
            out[y, x] = math.sqrt(across**2 + down**2)
    return out


def connectivity_error_slow(found: np.ndarray, truth: np.ndarray) -> float:
    last = {p: 1.0 for p in np.ndindex(*truth.shape)}
    lost = set()
    for k in range(1, 11):
        part = _largest_part({p for p in last if found[p] >= k / 10 and truth[p] >= k / 10})
        for p in last:
            if p not in part and p not in lost:
                last[p] = (k - 1) / 10
                lost.add(p)
    total = 0.0
    for p in last:
        gaps = [float(alpha[p]) - last[p] for alpha in (found, truth)]
        phis = [1 - (gap if gap >= 0.15 else 0) for gap in gaps]
        total += abs(phis[0] - phis[1])
    return total / 1000


def _largest_part(pixels: set[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """The largest set of neighbours; of equals the one whose first pixel in reading order comes first."""
    best: set[tuple[int, ...]] = set()
    left = set(pixels)
    for start in sorted(pixels):
        if start not in left:
            continue
        part, todo = set(), [start]
        while todo:
            y, x = todo.pop()
            if (y, x) in left:
                left.remove((y, x))
                part.add((y, x))
                todo += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        if len(part) > len(best):
            best = part
    return best


def dtssd_slow(found: np.ndarray, truth: np.ndarray) -> float:
    total = 0.0
    for y, x in np.ndindex(*truth.shape[1:]):
        own = float(found[1, y, x]) - float(found[0, y, x])
        total += (own - (float(truth[1, y, x]) - float(truth[0, y, x]))) ** 2
    return 100 * math.sqrt(total / truth[0].size)


def mad_t_slow(found: np.ndarray, truth: np.ndarray, ellipse: np.ndarray) -> float:
    """`ellipse`: the 10 x 10 kernel, held at its pixel (5, 5); beyond the picture nothing shrinks."""
    height, width = truth.shape
    errors = []
    for y in range(height):
        for x in range(width):
            kept = all(
                truth[y + i - 5, x + j - 5] == 1
                for i in range(10)
                for j in range(10)
                if ellipse[i, j] and 0 <= y + i - 5 < height and 0 <= x + j - 5 < width
            )
            if not kept and truth[y, x] != 0:
                errors.append(abs(float(found[y, x]) - float(truth[y, x])))
    return 1000 * sum(errors) / len(errors) if errors else math.nan


def over_slow(layer: np.ndarray, ground: Picture) -> Picture:
    out = np.zeros(ground.shape)
    for y, x, c in np.ndindex(*ground.shape):
        alpha = float(layer[y, x, 3])
        out[y, x, c] = alpha * float(layer[y, x, c]) + (1 - alpha) * float(ground[y, x, c])
    return out


def changed_slow(picture: Picture, ground: Picture) -> np.ndarray:
    """More than 12 of 255 levels, codes being whole numbers."""
    out = np.zeros(ground.shape[:2], bool)
    for y, x in np.ndindex(*out.shape):
        out[y, x] = (
            max(abs(round(255 * float(picture[y, x, c]) - 255 * float(ground[y, x, c]), 6)) for c in range(3)) > 12.5
        )
    return out


def leak_slow(layer: np.ndarray, solo: Picture, ground: Picture, mask: np.ndarray) -> float:
    touched = changed_slow(solo, ground)
    alphas = [float(layer[p][3]) for p in np.ndindex(*mask.shape) if not mask[p] and not touched[p]]
    return sum(alphas) / len(alphas) if alphas else math.nan


def effect_slow(layer: np.ndarray, solo: Picture, ground: Picture, mask: np.ndarray) -> tuple[float, float]:
    """Recall and precision."""
    true, found = changed_slow(solo, ground), changed_slow(over_slow(layer, ground), ground)
    places = [p for p in np.ndindex(*mask.shape) if not mask[p]]
    both = sum(1 for p in places if true[p] and found[p])
    counts = [sum(1 for p in places if which[p]) for which in (true, found)]
    recall, precision = (both / count if count else math.nan for count in counts)
    return recall, precision


def alpha_error_slow(found: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    errors = [abs(float(found[p]) - float(truth[p])) for p in np.ndindex(*where.shape) if where[p]]
    return 1000 * sum(errors) / len(errors) if errors else math.nan


def lpips_slow(backbone: dict, heads: dict, found: Picture, truth: Picture) -> float:
    """From the features of the reference network, place by place."""
    total = 0.0
    for k, (one, other) in enumerate(zip(_alexnet_slow(backbone, found), _alexnet_slow(backbone, truth), strict=True)):
        weights = heads[f"lin{k}.model.1.weight"].reshape(-1)
        places = one.reshape(len(weights), -1).T, other.reshape(len(weights), -1).T
        sums = 0.0
        for a, b in zip(*places, strict=True):
            a, b = (v / (math.sqrt(float((v**2).sum())) + 1e-10) for v in (a, b))
            sums += float((weights * (a - b) ** 2).sum())
        total += sums / len(places[0])
    return total


def _alexnet_slow(backbone: dict, picture: Picture) -> list[np.ndarray]:
    """Convolutions as sums over kernel places, in NumPy."""
    shifted = np.asarray(picture, np.float64) * 2 - 1 - [-0.030, -0.088, -0.188]
    x = np.moveaxis(shifted / [0.458, 0.448, 0.450], -1, 0)
    out = []
    for name, stride, pad, pooled in (
        (0, 4, 2, True),
        (3, 1, 2, True),
        (6, 1, 1, False),
        (8, 1, 1, False),
        (10, 1, 1, False),
    ):
        weight, bias = backbone[f"features.{name}.weight"], backbone[f"features.{name}.bias"]
        size, padded = weight.shape[-1], np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        rows, columns = ((side - size) // stride + 1 for side in padded.shape[1:])
        total = np.repeat(bias.astype(np.float64), rows * columns).reshape(-1, rows, columns)
        for i, j in np.ndindex(size, size):
            part = padded[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
            total += np.einsum("oc,chw->ohw", weight[:, :, i, j].astype(np.float64), part)
        x = np.maximum(total, 0)
        out.append(x)
        if pooled:
            rows, columns = ((side - 3) // 2 + 1 for side in x.shape[1:])
            x = np.max([x[:, i : i + 2 * rows : 2, j : j + 2 * columns : 2] for i, j in np.ndindex(3, 3)], axis=0)
    return out
