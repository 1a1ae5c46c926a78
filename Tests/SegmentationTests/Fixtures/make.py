"""PNG files of every kind, written by hand so that they do not come from the library that reads them (ImageFileTests.swift).

Run here: python3 make.py. All show a gradient of 5 rows and 7 columns: value = (row * 7 + column) * step.
"""
import struct
import zlib

H, W = 5, 7
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack(row, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", v) for v in row)
    if depth == 8:
        return bytes(row)
    bits = "".join(format(v, f"0{depth}b") for v in row)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def png(name, colour, depth, pixel, extra=b"", adam7=False):
    def rows(ys, xs):
        xs = list(xs)
        if not xs:
            return b""
        return b"".join(b"\0" + pack([v for x in xs for v in pixel(y, x)], depth) for y in ys)
    if adam7:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        data = b"".join(rows(range(y, H, dy), range(x, W, dx)) for y, x, dy, dx in passes)
    else:
        data = rows(range(H), range(W))
    head = struct.pack(">IIBBBBB", W, H, depth, colour, 0, 0, int(adam7))
    with open(name, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def n(y, x):
    return y * W + x


table = chunk(b"PLTE", bytes(v for i in range(40) for v in (i, 2 * i, 3 * i)))
gamma = chunk(b"gAMA", struct.pack(">I", 100000))
png("grey8.png", GREY, 8, lambda y, x: [n(y, x)])
png("grey8_gamma.png", GREY, 8, lambda y, x: [n(y, x)], gamma)
png("grey8_adam7.png", GREY, 8, lambda y, x: [n(y, x)], adam7=True)
png("grey16.png", GREY, 16, lambda y, x: [n(y, x) * 1000])
png("grey4.png", GREY, 4, lambda y, x: [n(y, x) % 16])
png("grey1.png", GREY, 1, lambda y, x: [n(y, x) % 2])
png("palette8.png", PALETTE, 8, lambda y, x: [n(y, x)], table + chunk(b"tRNS", bytes(range(40))))
png("palette4.png", PALETTE, 4, lambda y, x: [n(y, x) % 16], chunk(b"PLTE", bytes(v for i in range(16) for v in (i, 2 * i, 3 * i))))
png("rgb8.png", RGB, 8, lambda y, x: [n(y, x), 2 * n(y, x), 3 * n(y, x)])
png("rgb16.png", RGB, 16, lambda y, x: [n(y, x) << 8 | 7, 2 * n(y, x) << 8, 3 * n(y, x) << 8 | 255])
png("rgba8.png", RGBA, 8, lambda y, x: [n(y, x), 2 * n(y, x), 3 * n(y, x), 5 * n(y, x)])
png("grey_alpha8.png", GREY_ALPHA, 8, lambda y, x: [n(y, x), 128])
