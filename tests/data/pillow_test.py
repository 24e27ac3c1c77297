"""Our decoders and resizes against Pillow's, pixel by pixel, on images of all formats and modes that it reads.

usage: pillow_test.py PRINT_PIXELS
"""
import io
import random
import struct
import subprocess
import sys
import tempfile

try:
    from PIL import Image
except ImportError:
    print("Pillow (python3-pil) is not installed: skipped")
    sys.exit(77)


def photo(size, seed):
    """Smooth noise with some hard edges."""
    rng = random.Random(seed)
    width, height = size
    small = Image.frombytes("RGB", (max(2, width // 6), max(2, height // 6)),
                            rng.randbytes(3 * max(2, width // 6) * max(2, height // 6)))
    image = small.resize(size, Image.BICUBIC)
    image.paste(tuple(rng.randbytes(3)), (width // 4, height // 3, width // 2 + 1, height // 2 + 1))
    return image


def alpha_of(size, seed):
    return photo(size, seed).convert("L")


def modes(size, seed):
    """The picture in every mode that some format stores."""
    rgb = photo(size, seed)
    rgba = rgb.copy()
    rgba.putalpha(alpha_of(size, seed + 1))
    grey = rgb.convert("L")
    grey_alpha = grey.convert("LA")
    grey_alpha.putalpha(alpha_of(size, seed + 2))
    return {"1": rgb.convert("1"), "L": grey, "LA": grey_alpha, "P": rgb.quantize(200), "P16": rgb.quantize(13),
            "P2": rgb.quantize(2), "RGB": rgb, "RGBA": rgba, "CMYK": rgb.convert("CMYK"),
            "I;16": grey.point(lambda value: value * 3, "I").convert("I;16")}


# ---- BMP

def bmp(header, width, height, bits, pixels, palette=b"", compression=0, masks=b"", colors=0, top_down=False):
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits, compression,
                           len(pixels), 2835, 2835, colors, 0)
        inside = masks if header > 40 else b""
        info += inside + bytes(header - 40 - len(inside))
        if header == 40:
            info += masks
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + palette + pixels


def bmp_rows(rng, width, height, bits):
    stride = (width * bits + 31) // 32 * 4
    return b"".join(rng.randbytes((width * bits + 7) // 8).ljust(stride, b"\0") for _ in range(height))


def runs(rng, width, height, bits):
    """Run-length encoded rows: runs, even numbers of literal indices (Pillow miscounts odd ones), jumps."""
    data = b""
    for _ in range(height):
        x = 0
        while x < width:
            count = min(width - x, rng.randrange(1, 9))
            if rng.random() < 0.4 and count >= 4:
                count -= count % 4
                data += bytes([0, count]) + rng.randbytes(count * bits // 8)
                data += b"\0" * (count * bits // 8 % 2)
            else:
                data += bytes([count]) + rng.randbytes(1)
            x += count
        data += b"\0\0"
    return data + b"\0\1"


def bmps(rng):
    for width, height in ((1, 1), (7, 5), (33, 9), (64, 12)):
        for bits in (1, 4, 8):
            colors = 1 << bits
            pixels = bmp_rows(rng, width, height, bits)
            yield f"core{bits}", bmp(12, width, height, bits, pixels, palette=rng.randbytes(3 * colors))
            for header in (40, 64, 108, 124):
                yield f"h{header}b{bits}", bmp(header, width, height, bits, pixels, palette=rng.randbytes(4 * colors))
            yield f"topdown{bits}", bmp(40, width, height, bits, pixels, palette=rng.randbytes(4 * colors),
                                        top_down=True)
        few = bytes(value % 5 for value in rng.randbytes((width + 3) // 4 * 4 * height))
        yield "fewcolors", bmp(40, width, height, 8, few, palette=rng.randbytes(4 * 5), colors=5)
        for bits in (16, 24, 32):
            pixels = bmp_rows(rng, width, height, bits)
            yield f"raw{bits}", bmp(40, width, height, bits, pixels)
            yield f"rawtop{bits}", bmp(40, width, height, bits, pixels, top_down=True)
        yield "core24", bmp(12, width, height, 24, bmp_rows(rng, width, height, 24))
        fields = [(16, (0xf800, 0x7e0, 0x1f, 0)), (16, (0x7c00, 0x3e0, 0x1f, 0)), (24, (0xff0000, 0xff00, 0xff, 0)),
                  (32, (0xff0000, 0xff00, 0xff, 0)), (32, (0xff000000, 0xff0000, 0xff00, 0)),
                  (32, (0xff000000, 0xff0000, 0xff00, 0xff)), (32, (0xff, 0xff00, 0xff0000, 0xff000000)),
                  (32, (0xff0000, 0xff00, 0xff, 0xff000000)), (32, (0, 0, 0, 0))]
        for bits, masks in fields:
            pixels = bmp_rows(rng, width, height, bits)
            for header in (40, 108, 124):
                if header == 40 and masks[3]:
                    continue
                packed = struct.pack("<4I", *masks)[:12 if header == 40 else 16]
                yield f"fields{bits}", bmp(header, width, height, bits, pixels, compression=3, masks=packed)
        yield "rle8", bmp(40, width, height, 8, runs(rng, width, height, 8), palette=rng.randbytes(1024), compression=1)
        yield "rle4", bmp(40, width, height, 4, runs(rng, width, height, 4), palette=rng.randbytes(64), compression=2)


# ---- GIF

def save(image, extension, **options):
    stream = io.BytesIO()
    image.save(stream, extension, **options)
    return stream.getvalue()


def gif_moved(data, dx, dy, width, height, local):
    """The one frame elsewhere on another screen; with `local`, the colours are the frame's own."""
    size = 3 * (2 << (data[10] & 7)) if data[10] & 0x80 else 0
    head, table, rest = data[:13], data[13:13 + size], bytearray(data[13 + size:])
    frame = 0
    while rest[frame] == 0x21:  # extensions
        frame += 2
        while rest[frame]:
            frame += 1 + rest[frame]
        frame += 1
    rest[frame + 1:frame + 5] = struct.pack("<HH", dx, dy)
    screen = bytearray(head)
    screen[6:10] = struct.pack("<HH", width, height)
    if not local:
        return bytes(screen) + table + bytes(rest)
    screen[10] &= 0x7f
    rest[frame + 9] = rest[frame + 9] & 0x78 | 0x80 | head[10] & 7
    return bytes(screen) + bytes(rest[:frame + 10]) + table + bytes(rest[frame + 10:])


def gifs(rng):
    for size in ((1, 1), (9, 7), (64, 50), (301, 203)):
        for name, image in modes(size, rng.random()).items():
            if name in ("CMYK", "I;16", "LA", "RGBA"):
                continue
            for interlace in (0, 1):
                data = save(image, "GIF", interlace=interlace)
                yield f"{name}i{interlace}", data
                for local in (False, True):
                    yield f"{name}moved", gif_moved(data, 3, 5, size[0] + 10, size[1] + 6, local)
                    yield f"{name}out", gif_moved(data, 4, 0, 5, 2, local)
            if image.mode == "P":
                data = save(image, "GIF", transparency=1)
                yield f"{name}t", data
                yield f"{name}tmoved", gif_moved(data, 1, 2, size[0] + 3, size[1] + 4, False)
        frames = [photo(size, rng.random()) for _ in range(3)]
        yield "animated", save(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=40, loop=0)
    noise = Image.frombytes("L", (400, 300), rng.randbytes(400 * 300))
    yield "fulltable", save(noise, "GIF")


# ---- TIFF

def tiff(tags, pieces, tiled=False, order="<"):
    """A file of one image. `tags`: number -> (type, values); `pieces`: the strips or tiles."""
    types = {1: "B", 3: "H", 4: "I"}
    tags = dict(tags)
    data, offsets = b"", []
    for piece in pieces:
        offsets.append(8 + len(data))
        data += piece + b"\0" * (len(piece) % 2)
    tags[324 if tiled else 273] = (4, offsets)
    tags[325 if tiled else 279] = (4, [len(piece) for piece in pieces])
    directory = 8 + len(data)
    after = directory + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for number in sorted(tags):
        kind, numbers = tags[number]
        packed = struct.pack(order + str(len(numbers)) + types[kind], *numbers)
        entries += struct.pack(order + "HHI", number, kind, len(numbers))
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", after + len(values))
            values += packed + b"\0" * (len(packed) % 2)
    signature = b"II*\0" if order == "<" else b"MM\0*"
    return (signature + struct.pack(order + "I", directory) + data + struct.pack(order + "H", len(tags)) + entries +
            bytes(4) + values)


def layout(width, height, photometric, bits, samples=1, extra=(), planar=1, rows=None):
    tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * samples), 259: (3, [1]),
            262: (3, [photometric]), 277: (3, [samples]), 278: (4, [rows or height]), 284: (3, [planar])}
    if extra:
        tags[338] = (3, list(extra))
    return tags


def hand_made_tiffs(rng):
    width, height = 37, 23
    for order in "<>":
        for photometric in (0, 1):
            for bits in (1, 2, 4, 8):
                row = (width * bits + 7) // 8
                strips = [rng.randbytes(row * rows) for rows in (7, 7, 7, 2)]
                yield f"grey{bits}", tiff(layout(width, height, photometric, bits, rows=7), strips, order=order)
                mirrored = layout(width, height, photometric, bits, rows=7)
                mirrored[266] = (3, [2])  # the first pixel in the lowest bit
                yield f"fill{bits}", tiff(mirrored, strips, order=order)
        shades = struct.pack(order + f"{width * height}H", *(rng.randrange(600) for _ in range(width * height)))
        yield "grey16", tiff(layout(width, height, 1, 16), [shades], order=order)
        for bits in (8, 16):
            for samples, extra in ((3, ()), (4, (0,)), (4, (1,)), (4, (2,)), (4, ())):
                data = rng.randbytes(width * height * samples * bits // 8)
                yield f"rgb{bits}x{samples}e{extra}", tiff(layout(width, height, 2, bits, samples, extra), [data],
                                                           order=order)
        colors = {320: (3, [rng.randrange(65536) for _ in range(3 * 16)])}
        yield "palette4", tiff(layout(width, height, 3, 4) | colors, [rng.randbytes((width * 4 + 7) // 8 * height)],
                               order=order)
        planes = [rng.randbytes(width * height) for _ in range(3)]
        yield "planes", tiff(layout(width, height, 2, 8, 3, planar=2), planes, order=order)
        tiles = [rng.randbytes(16 * 16 * 3) for _ in range(3 * 2)]
        tiled = layout(width, height, 2, 8, 3) | {322: (4, [16]), 323: (4, [16])}
        del tiled[278]
        yield "tiles", tiff(tiled, tiles, tiled=True, order=order)
        for orientation in range(1, 9):
            turned = layout(width, height, 2, 8, 3) | {274: (3, [orientation])}
            yield f"turned{orientation}", tiff(turned, [rng.randbytes(width * height * 3)], order=order)


def tiffs(rng):
    yield from hand_made_tiffs(rng)
    for size in ((1, 1), (31, 17), (200, 140)):
        for name, image in modes(size, rng.random()).items():
            for compression in ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"):
                yield name + compression, save(image, "TIFF", compression=compression)
            if name == "1":
                for compression in ("group3", "group4", "tiff_ccitt"):
                    yield name + compression, save(image, "TIFF", compression=compression)
            if name in ("L", "RGB", "CMYK"):
                yield name + "jpeg", save(image, "TIFF", compression="jpeg", quality=80)
            if name in ("L", "RGB"):
                for predictor in (1, 2):
                    yield name + "predictor", save(image, "TIFF", compression="tiff_lzw", tiffinfo={317: predictor})
        pages = [photo(size, rng.random()) for _ in range(2)]
        yield "pages", save(pages[0], "TIFF", save_all=True, append_images=pages[1:])


# ---- the formats that the golden files cover too, more thinly

def others(rng):
    for size in ((1, 1), (17, 31), (203, 150)):
        for name, image in modes(size, rng.random()).items():
            if name in ("L", "RGB", "CMYK"):
                for options in ({}, {"quality": 30}, {"progressive": True}, {"quality": 95, "subsampling": 0}):
                    yield "jpg", name, save(image, "JPEG", **options)
            if name != "CMYK":
                yield "png", name, save(image, "PNG")
            if name in ("RGB", "RGBA"):
                yield "webp", name, save(image, "WEBP", quality=70)
                yield "webp", name, save(image, "WEBP", lossless=True)
            if name in ("L", "RGB"):
                yield "ppm", name, save(image, "PPM")
            if name in ("1", "L", "P", "RGB", "RGBA"):
                yield "bmp", name, save(image, "BMP")


# ---- resizing: torchvision's and OpenCLIP's arithmetic on Pillow's resize

def resized(image, mode, height, width, fill, resample):
    if mode == "squash":
        return image.resize((width, height), resample)
    source_width, source_height = image.size
    if mode == "shortest" and height == width:
        if source_width <= source_height:
            size = (height, int(height * source_height / source_width))
        else:
            size = (int(height * source_width / source_height), height)
    else:
        choose = min if mode == "shortest" else max
        ratio = choose(source_height / height, source_width / width)
        size = (max(1, round(source_width / ratio)), max(1, round(source_height / ratio)))
    image = image.resize(size, resample)
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    if mode == "longest":
        left, top = -((width - size[0]) // 2), -((height - size[1]) // 2)
    result = Image.new("RGB", (width, height), (fill, fill, fill))
    result.paste(image, (-left, -top))
    return result


def resize_cases(rng, paths):
    for _ in range(400):
        mode = rng.choice(("shortest", "longest", "squash"))
        height = rng.choice((1, 16, 32, 63, 64, 224, rng.randrange(1, 100)))
        width = height if rng.random() < 0.6 else rng.randrange(1, 120)
        yield rng.choice(paths), mode, height, width, rng.randrange(256), rng.choice(("bicubic", "bilinear"))


def main():
    rng = random.Random(20260101)
    cases = []  # the line that asks, and Pillow's pixels
    with tempfile.TemporaryDirectory() as folder:
        def add(kind, name, data):
            path = f"{folder}/{len(cases)}.{kind}"
            with open(path, "wb") as file:
                file.write(data)
            try:
                expected = Image.open(path).convert("RGB")
            except Exception as error:  # a variant that this release of Pillow does not read
                print(f"Pillow does not read {kind} {name}: {error}")
                return
            cases.append((f"decode 0 0 0 - {path}", f"{kind} {name}", expected))

        for kind, source in (("bmp", bmps), ("gif", gifs), ("tiff", tiffs)):
            for name, data in source(rng):
                add(kind, name, data)
        for kind, name, data in others(rng):
            add(kind, name, data)
        paths = []
        for index in range(40):
            paths.append(f"{folder}/resize{index}.png")
            size = rng.choice(((500, 375), (rng.randrange(1, 400), rng.randrange(1, 400)), (rng.randrange(1, 9), 300)))
            photo(size, index).save(paths[-1])
        for path, mode, height, width, fill, name in resize_cases(rng, paths):
            resample = Image.BICUBIC if name == "bicubic" else Image.BILINEAR
            image = Image.open(path)
            cases.append((f"{mode} {height} {width} {fill} {name} {path}", f"{mode} of {image.size} to {height}x{width}",
                          resized(image, mode, height, width, fill, resample)))

        lines = "".join(line + "\n" for line, _, _ in cases)
        output = subprocess.run([sys.argv[1]], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    stream, failures = io.BytesIO(output), 0
    for line, name, expected in cases:
        answer = stream.readline().split()
        if answer[0] == b"-":
            problem = f"is refused: {answer[1].decode()}"
        else:
            width, height = int(answer[0]), int(answer[1])
            pixels = stream.read(3 * width * height)
            if (width, height) != expected.size:
                problem = f"has {width} x {height} pixels, not {expected.size}"
            else:
                reference = expected.tobytes()
                wrong = [i for i in range(len(pixels)) if pixels[i] != reference[i]] if pixels != reference else []
                problem = wrong and f"differs in {len(wrong)} of {len(pixels)} samples, the first at {wrong[0]}: " \
                    f"{pixels[wrong[0]]} instead of {reference[wrong[0]]}"
        if problem:
            failures += 1
            if failures <= 40:
                print(f"{name} ({line}) {problem}")
    print(f"{len(cases)} images, {failures} failures")
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
