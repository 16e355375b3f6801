"""Videos of numbered frames in many containers and codecs, made with PyAV; and files that are cut, packed or turned."""

import struct
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HEIGHT, WIDTH, NUM_FRAMES, RATE = 64, 80, 60, 30
GAPS = (1, 1, 8, 1, 19, 1)
UNEVEN = [sum(GAPS[i % len(GAPS)] for i in range(number)) for number in range(NUM_FRAMES)]


@dataclass(frozen=True)
class Clip:
    """How a file is encoded; `uneven`: its frames lie at unequal distances."""

    name: str
    codec: str
    options: dict[str, str] = field(default_factory=dict)
    uneven: bool = False
    pixels: str = "yuv420p"
    container: str | None = None


_X265 = {"x265-params": "log-level=0:bframes=3:keyint=12"}
_OPEN = {"bf": "2", "x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0"}
CLIPS = [
    *(
        Clip(f"{name}{'-uneven' if uneven else ''}.{suffix}", codec, options, uneven, pixels)
        for name, suffix, codec, options, pixels in (
            ("h264", "mp4", "libx264", {"bf": "0"}, "yuv420p"),
            ("h264-b", "mp4", "libx264", {"bf": "2"}, "yuv420p"),
            ("h264-b", "mkv", "libx264", {"bf": "2"}, "yuv420p"),
            ("h264-b", "mov", "libx264", {"bf": "3"}, "yuv420p"),
            ("h264-b", "m2ts", "libx264", {"bf": "2"}, "yuv420p"),
            ("h264-b", "flv", "libx264", {"bf": "2"}, "yuv420p"),
            ("h265-b", "mp4", "libx265", _X265, "yuv420p"),
            ("vp8", "webm", "libvpx", {}, "yuv420p"),
            ("vp9", "webm", "libvpx-vp9", {}, "yuv420p"),
            ("av1", "mp4", "libsvtav1", {"preset": "12"}, "yuv420p"),
            ("mpeg4-b", "mp4", "mpeg4", {"bf": "2"}, "yuv420p"),
            ("mpeg4-b", "mkv", "mpeg4", {"bf": "2"}, "yuv420p"),
            ("mjpeg", "mkv", "mjpeg", {}, "yuvj420p"),
            ("wmv2", "wmv", "wmv2", {}, "yuv420p"),
        )
        for uneven in (False, True)
    ),
    Clip("mpeg4.avi", "mpeg4", {"bf": "0"}),
    Clip("mpeg4-b.avi", "mpeg4", {"bf": "2"}),
    Clip("h264-b.avi", "libx264", {"bf": "2"}),
    Clip("msmpeg4.avi", "msmpeg4", {}),
    Clip("mjpeg.avi", "mjpeg", {}, pixels="yuvj420p"),
    Clip("raw.avi", "rawvideo", {}, pixels="bgr24"),
    Clip("ffv1.avi", "ffv1", {}),
    Clip("mpeg1-b.mpg", "mpeg1video", {"bf": "2"}),
    Clip("mpeg2.mpg", "mpeg2video", {"bf": "0"}),
    Clip("mpeg2-b.mpg", "mpeg2video", {"bf": "2"}),
    Clip("mpeg2-b.m2ts", "mpeg2video", {"bf": "2"}),
    Clip("prores.mov", "prores_ks", {}, pixels="yuv422p10le"),
    Clip("bare.h264", "libx264", {"bf": "2"}, container="h264"),
    Clip("open.mp4", "libx264", _OPEN),
    Clip("refreshed.mp4", "libx264", {"bf": "0", "x264-params": "intra-refresh=1:keyint=12"}),
]


def picture(number: int) -> np.ndarray:
    """Ten blocks that spell the number in bits."""
    bits = np.array([235 if number >> bit & 1 else 20 for bit in range(10)], np.uint8)
    blocks = bits.reshape(2, 5).repeat(HEIGHT // 2, 0).repeat(WIDTH // 5, 1)
    return np.ascontiguousarray(np.repeat(blocks[..., None], 3, axis=2))


def number_of(image: np.ndarray) -> int:
    blocks = image.astype(int).mean(-1).reshape(2, HEIGHT // 2, 5, WIDTH // 5).mean((1, 3)).reshape(-1)
    return int(sum((value > 128) << bit for bit, value in enumerate(blocks)))


def write_clip(clip: Clip, folder: Path) -> Path:
    path = folder / clip.name
    with av.open(str(path), "w", format=clip.container) as container:
        stream = container.add_stream(clip.codec, rate=RATE, options=clip.options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, clip.pixels
        stream.codec_context.time_base, stream.gop_size, stream.bit_rate = Fraction(1, RATE), 12, 2_000_000
        for number in range(NUM_FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format=clip.pixels)
            frame.pts, frame.time_base = UNEVEN[number] if clip.uneven else number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_packed(path: Path) -> Path:
    """What Xvid and DivX write in avi: a P-frame and the B-frame before it in one chunk, then an empty chunk."""
    start = b"\0\0\1\xb6"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE, options={"bf": "1"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 12
        stream.codec_context.codec_tag, stream.bit_rate = "XVID", 2_000_000
        packets = []
        for number in range(NUM_FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            packets += stream.encode(frame)
        coded = [(bytes(packet), packet.is_keyframe) for packet in [*packets, *stream.encode()]]
        chunks: list[tuple[bytes, bool]] = []
        for data, key in coded:
            if data[data.index(start) + 4] >> 6 == 2:  # a B-frame: to the one before
                chunks[-1:] = [(chunks[-1][0] + data, chunks[-1][1]), (start + b"\x50\x00\x7f", False)]
            else:
                head, body = data[: data.index(start)], data[data.index(start) :]
                chunks.append((head + b"\0\0\1\xb2DivX503b1393p" + body if key else data, key))
        for time, (data, key) in enumerate(chunks):
            packet = av.Packet(data)
            packet.pts = packet.dts = time
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, RATE), stream, key
            container.mux(packet)
    return path


def set_matrix(source: Path, path: Path, a: float, b: float, c: float, d: float) -> Path:
    """The same mp4 with another display matrix in its track header."""
    data = bytearray(source.read_bytes())
    start = data.index(b"tkhd") + 4
    fixed = [round(value * 65536) for value in (a, b, 0, c, d)]
    struct.pack_into(">9i", data, start + (52 if data[start] else 40), *fixed, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
