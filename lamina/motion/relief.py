"""Plane plus parallax: a rigid scene seen by a moving camera, without calibration.

For one target frame every background point gets one number, its *relief*, and every other frame one projective camera
(3 x 4) that takes (x, y, 1, relief) of the target to its place there (Irani and Anandan 1996; Hartley and Zisserman,
Multiple View Geometry, chapters 12 and 18). A camera that only turns is the special case where the fourth column is
zero. Nothing here knows pictures' colours: `sweep` finds the relief of every pixel by comparing them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from lamina.motion.camera import corners, track
from lamina.motion.coordinates import homography_in_pixels, inside_of, normalise, to_pixels
from lamina.smooth import push_pull

POINTS, MIN_POINTS = 450, 40
"""Points looked for in a target frame: many frames share them, so that fewer do than for a step between two."""
PLANAR_PX = 0.5
"""Below this, what a homography leaves unexplained counts as tracking noise, not as parallax."""


@dataclass(frozen=True)
class Relief:
    """How the frames named by `frames` see the background of one target frame."""

    frames: tuple[int, ...]
    cameras: Float64[np.ndarray, "n 3 4"]
    points: Float64[np.ndarray, "m 2"]
    """Normalised positions in the target frame of the tracked points."""
    values: Float64[np.ndarray, " m"]
    """The points' relief, scaled so that most lie in -1..1."""

    @property
    def is_planar(self) -> bool:
        return len(self.values) == 0


@dataclass(frozen=True)
class Tracks:
    """Points of the target frame followed into one other frame."""

    positions: Float64[np.ndarray, "m 2"]
    seen: Bool[np.ndarray, " m"]


def follow(
    pictures: tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]],
    points_px: Float32[np.ndarray, "m 2"],
    homography: Float64[np.ndarray, "3 3"],
    parallax_px: Float32[np.ndarray, "m 2"],
) -> tuple[Float32[np.ndarray, "m 2"], Bool[np.ndarray, " m"]]:
    """Track points from one frame into another that is first laid over it by the predicted homography.

    `pictures` are gray, other gray and where the other is free. The prediction leaves only parallax to track, and
    `parallax_px` guesses that. Returns positions in pixels of the other frame and which of them can be trusted.
    """
    gray, other, other_free = pictures
    height, width = gray.shape
    in_pixels = homography_in_pixels(homography, (width, height), (width, height))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    aligned = cv2.warpPerspective(other, in_pixels, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    there, seen = track(gray, aligned, points_px, points_px + parallax_px)
    placed = cv2.perspectiveTransform(there[None], in_pixels)[0]
    return placed, seen & inside_of(other_free, placed)


def follow_all(
    gray: UInt8[np.ndarray, "h w"],
    others: dict[int, tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]]],
    points_px: Float32[np.ndarray, "m 2"],
    homographies: dict[int, Float64[np.ndarray, "3 3"]],
    target: int,
) -> dict[int, Tracks]:
    """Track points outwards from the target, from each frame to the next one further away.

    Short hops keep the pictures alike, where a direct look at a far frame would lose most points to perspective.
    """
    height, width = gray.shape
    tracks: dict[int, Tracks] = {}
    for side in (-1, 1):
        place, seen, here, here_h, frame_here = points_px, np.ones(len(points_px), bool), gray, np.eye(3), target
        speed = np.zeros_like(points_px)
        for frame in _outwards(homographies, target, side):
            hop = homographies[frame] @ np.linalg.inv(here_h)
            gap = abs(frame - frame_here)
            in_pixels = homography_in_pixels(hop, (width, height), (width, height))
            placed, ok = follow((here, *others[frame]), place, hop, speed * np.float32(gap))
            predicted = cv2.perspectiveTransform(place[None], in_pixels)[0]
            speed = np.where(ok[:, None], (placed - predicted) / gap, speed).astype(np.float32)
            place, seen = np.where(ok[:, None], placed, predicted).astype(np.float32), seen & ok
            here, here_h, frame_here = others[frame][0], homographies[frame], frame
            tracks[frame] = Tracks(normalise(place.astype(np.float64), width, height), seen)
    return tracks


def _outwards(frames: Iterable[int], target: int, side: int) -> list[int]:
    """The frames before (-1) or after (1) the target, nearest first."""
    return sorted((f for f in frames if (f - target) * side > 0), key=lambda f: abs(f - target))


def resect(
    scene: Float64[np.ndarray, "n 4"], places: Float64[np.ndarray, "n 2"], rounds: int = 3
) -> Float64[np.ndarray, "3 4"]:
    """The camera that takes scene points to their places, by robust linear least squares.

    Direct linear transform with the third row's constant fixed to 1, reweighted by the geometric error (Cauchy).
    """
    camera, weight = None, np.ones(len(scene))
    free = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]
    squares = (scene[:, :, None] * scene[:, None]).reshape(len(scene), 16)
    x, y = places.T
    factors = np.stack([np.ones_like(x), -x, -y, x * x + y * y])
    for _ in range(rounds):
        depth = np.ones(len(scene)) if camera is None else np.maximum(np.abs(scene @ camera[2]), 1e-3)
        # The normal matrix of rows (s, 0, -x s) and (0, s, -y s), whose blocks are weighted sums of s times s.
        one, by_x, by_y, by_both = ((factors * (weight / depth) ** 2) @ squares).reshape(4, 4, 4)
        normal = np.zeros((12, 12))
        normal[:4, :4], normal[4:8, 4:8], normal[8:, 8:] = one, one, by_both
        normal[:4, 8:] = normal[8:, :4] = by_x
        normal[4:8, 8:] = normal[8:, 4:8] = by_y
        ridge = (
            1e-10 * np.trace(normal) * np.eye(len(free))
        )  # a flat scene leaves the fourth column open: keep it near 0
        solved = np.linalg.solve(normal[np.ix_(free, free)] + ridge, -normal[free, 10])
        camera = np.insert(solved, 10, 1.0).reshape(3, 4)
        error = transfer_error(camera, scene, places)
        weight = 1 / (1 + (error / max(1.5 * float(np.median(error)), 1e-5)) ** 2)
    assert camera is not None
    return camera


def transfer_error(
    camera: Float64[np.ndarray, "3 4"], scene: Float64[np.ndarray, "n 4"], places: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, " n"]:
    """Distance between where the camera puts scene points and where they were found, in normalised units."""
    projected = scene @ camera.T
    return np.hypot(*(projected[:, :2] / projected[:, 2:] - places).T)


def first_relief(
    points: Float64[np.ndarray, "m 2"], tracks: Tracks, homography: Float64[np.ndarray, "3 3"]
) -> Float64[np.ndarray, " m"]:
    """Relief from one pair of frames: points leave the homography's prediction along lines through one epipole."""
    ones = np.ones((len(points), 1))
    predicted = np.hstack([points, ones]) @ homography.T
    found = np.hstack([tracks.positions, ones])
    lines = np.cross(predicted, found)
    length = np.maximum(np.linalg.norm(lines, axis=1), 1e-6)
    weight = tracks.seen / length**0.5  # long lines know the epipole best, but must not decide alone
    epipole = np.array([1.0, 0, 0])
    for _ in range(8):
        epipole = np.linalg.svd((lines * weight[:, None])[tracks.seen], full_matrices=False)[2][-1]
        angle = np.abs(lines @ epipole) / length
        weight = tracks.seen / (1 + (angle / (2 * np.median(angle[tracks.seen]) + 1e-9)) ** 2) / length**0.5
    a, b = np.cross(found, predicted), np.cross(found, epipole)
    return -(a * b).sum(1) / np.maximum((b * b).sum(1), 1e-12)


def triangulate(
    points: Float64[np.ndarray, "m 2"],
    relief: Float64[np.ndarray, " m"],
    cameras: dict[int, Float64[np.ndarray, "3 4"]],
    tracks: dict[int, Tracks],
    tolerance: float,
) -> tuple[Float64[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
    """The relief that all cameras agree on best, and whether at least two of them saw the point and fix it.

    Linear in the relief once the cameras are known; a frame that disagrees by more than `tolerance` counts little.
    """
    flat = np.hstack([points, np.ones((len(points), 1))])
    scene = np.hstack([flat, relief[:, None]])
    top, bottom, views = np.zeros(len(points)), np.full(len(points), 1e-9), np.zeros(len(points))
    for frame, camera in cameras.items():
        places, seen = tracks[frame].positions, tracks[frame].seen
        weight = seen / (1 + (transfer_error(camera, scene, places) / tolerance) ** 2)
        projected = flat @ camera[:, :3].T
        a = projected[:, :2] - places * projected[:, 2:]
        b = camera[:2, 3] - places * camera[2, 3]
        top -= (a * b).sum(1) * weight
        bottom += (b * b).sum(1) * weight
        views += seen
    return top / bottom, (views >= 2) & (bottom > 1e-7)


def _scaled(relief: Float64[np.ndarray, " m"], good: Bool[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
    centre = np.median(relief[good])
    return np.clip((relief - centre) / (np.quantile(np.abs(relief[good] - centre), 0.95) + 1e-12), -3, 3)


def _flat_cameras(
    points: np.ndarray, tracks: dict[int, Tracks], homographies: dict[int, np.ndarray]
) -> Iterator[tuple[int, np.ndarray, float]]:
    """Per frame, those furthest apart first: its homography as a camera, and how far in normalised units a tenth of the
    points are from it. Where too few points arrived, the predicted one."""
    scene = np.hstack([points, np.ones((len(points), 1)), np.zeros((len(points), 1))])
    order = sorted(homographies)
    for frame in [*order[:1], *order[:0:-1]]:
        seen, places = tracks[frame].seen, tracks[frame].positions
        if seen.sum() >= MIN_POINTS:
            camera = resect(scene[seen], places[seen])
            yield frame, camera, float(np.quantile(transfer_error(camera, scene[seen], places[seen]), 0.9))
        else:
            yield frame, np.hstack([homographies[frame], np.zeros((3, 1))]), 0.0


def _planar(points: np.ndarray, tracks: dict[int, Tracks], homographies: dict[int, np.ndarray]) -> Relief:
    cameras = {frame: camera for frame, camera, _ in _flat_cameras(points, tracks, homographies)}
    return Relief(tuple(homographies), np.stack([cameras[f] for f in homographies]), np.empty((0, 2)), np.empty(0))


def estimate_relief(
    gray: UInt8[np.ndarray, "h w"],
    free: UInt8[np.ndarray, "h w"],
    others: dict[int, tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]]],
    homographies: dict[int, Float64[np.ndarray, "3 3"]],
    target: int,
) -> Relief:
    """Cameras of other frames relative to a target frame, and the relief of its tracked points.

    `others` holds (gray, free) per frame, `homographies` the predicted global motion target -> frame (normalised).
    The frames that the points can be tracked into give the relief and get their cameras with it; those in which too few
    arrive are then reached from the frame before them. Where there is parallax, frames that cannot be reached are left
    out. Where there is none the result is planar, homographies and no points, and such frames keep the prediction.
    """
    height, width = gray.shape
    points_px = corners(gray, free, POINTS)
    if len(points_px) < MIN_POINTS:
        cameras = np.stack([np.hstack([h, np.zeros((3, 1))]) for h in homographies.values()])
        return Relief(tuple(homographies), cameras, np.empty((0, 2)), np.empty(0))
    points = normalise(points_px.astype(np.float64), width, height)
    tracks = follow_all(gray, others, points_px, homographies, target)
    if all(left < PLANAR_PX * 2 / width for *_, left in _flat_cameras(points, tracks, homographies)):
        return _planar(points, tracks, homographies)
    start = _relief_of(points, tracks, homographies, 2 / width)
    if start is None:
        return _planar(points, tracks, homographies)
    return _reach_out(start, gray, others, homographies, target)


def _reach_out(
    start: Relief,
    gray: UInt8[np.ndarray, "h w"],
    others: dict[int, tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]]],
    homographies: dict[int, Float64[np.ndarray, "3 3"]],
    target: int,
) -> Relief:
    """Add the cameras of far frames, each from the one before it.

    Points that an object passed over, or that left the picture for a while, are lost to tracking; where they must be in
    a frame is known once its camera is. So all points are put into the nearer frame and followed one hop from there.
    """
    scene = np.hstack([start.points, np.ones((len(start.points), 1)), start.values[:, None]])
    cameras = dict(zip(start.frames, start.cameras, strict=True))
    for side in (-1, 1):
        here, here_free, here_h, here_camera = gray, None, np.eye(3), np.eye(3, 4)
        for frame in _outwards(homographies, target, side):
            if frame not in cameras and here_free is not None:
                hop = homographies[frame] @ np.linalg.inv(here_h)
                found = _hop(scene, (here, here_free, *others[frame]), here_camera, hop)
                if found.seen.sum() < MIN_POINTS:
                    break
                cameras[frame] = resect(scene[found.seen], found.positions[found.seen])
            if frame in cameras:
                here, here_free = others[frame]
                here_h, here_camera = homographies[frame], cameras[frame]
    frames = tuple(sorted(cameras))
    return Relief(frames, np.stack([cameras[f] for f in frames]), start.points, start.values)


def _hop(
    scene: Float64[np.ndarray, "m 4"],
    pictures: tuple[UInt8[np.ndarray, "h w"], ...],
    camera: Float64[np.ndarray, "3 4"],
    hop: Float64[np.ndarray, "3 3"],
) -> Tracks:
    """Find scene points in a frame by tracking from a nearer frame whose camera is known."""
    gray, free, other, other_free = pictures
    height, width = gray.shape
    projected = scene @ camera.T
    places_px = to_pixels(projected[:, :2] / projected[:, 2:], width, height).astype(np.float32)
    found_px, seen = follow((gray, other, other_free), places_px, hop, np.zeros_like(places_px))
    return Tracks(normalise(found_px.astype(np.float64), width, height), seen & inside_of(free, places_px))


def spread_relief(
    points: Float64[np.ndarray, "m 2"], values: Float64[np.ndarray, " m"], size: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """Spread the points' relief smoothly over a picture of (width, height)."""
    width, height = size
    dense, weight = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    x, y = to_pixels(points, width, height).round().astype(int).clip(0, (width - 1, height - 1)).T
    dense[y, x], weight[y, x] = values, 1
    return push_pull(dense, weight)


def _relief_of(
    points: np.ndarray, tracks: dict[int, Tracks], homographies: dict[int, np.ndarray], pixel: float
) -> Relief | None:
    """Start from the pair with most parallax, then alternate cameras and relief over all frames."""
    predicted = {
        f: cv2.perspectiveTransform(points[None], h)[0]
        for f, h in homographies.items()
        if tracks[f].seen.sum() >= MIN_POINTS
    }
    if not predicted:
        return None

    def strength(frame: int) -> float:
        seen = tracks[frame].seen
        moved = np.hypot(*(tracks[frame].positions - predicted[frame])[seen].T)
        return float(np.quantile(moved, 0.8) * seen.sum() ** 0.5)

    start = max(predicted, key=strength)
    good = tracks[start].seen
    relief = _scaled(first_relief(points, tracks[start], homographies[start]), good)
    cameras: dict[int, np.ndarray] = {}
    for last in (False, False, False, True):
        scene = np.hstack([points, np.ones((len(points), 1)), relief[:, None]])
        shared = {f: tracks[f].seen & good for f in predicted}
        cameras = {f: resect(scene[s], tracks[f].positions[s]) for f, s in shared.items() if s.sum() >= MIN_POINTS}
        if not cameras:
            return None
        if not last:
            relief, good = triangulate(points, relief, cameras, tracks, pixel)
            if good.sum() < MIN_POINTS:
                return None
            relief = _scaled(relief, good)
    kept = good & (np.abs(relief) < 2.9)
    return Relief(tuple(cameras), np.stack(list(cameras.values())), points[kept], relief[kept])
