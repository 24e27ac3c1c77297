"""The preprocessing of a 500 x 375 JPEG by Pillow and by us, in turn. Started by preprocess_benchmark, whose path it takes.

The pixels must agree, or nothing is printed. `tensor` includes the normalisation to float [3, 224, 224], for which Pillow's
side uses numpy.
"""
import io
import random
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import numpy
    from PIL import Image, ImageChops, features
except ImportError as error:
    print(f"skipped: {error} (python3-pil and python3-numpy)")
    sys.exit(0)

ROUNDS = 41
COUNTS = {"decode": 10, "bicubic": 10, "bilinear": 10, "pixels": 10, "tensor": 10}
MEAN = numpy.array([0.48145466, 0.4578275, 0.40821073], numpy.float32)
STD = numpy.array([0.26862954, 0.26130258, 0.27577711], numpy.float32)


def picture():
    """Noise of several scales: of about as many bytes as a photograph."""
    rng = random.Random(1)
    image = Image.new("RGB", (500, 375), (128, 128, 128))
    for scale, weight in ((64, 1.0), (16, 0.6), (4, 0.25), (1, 0.06)):
        size = (500 // scale + 2, 375 // scale + 2)
        noise = Image.frombytes("RGB", size, rng.randbytes(3 * size[0] * size[1])).resize((500, 375), Image.BICUBIC)
        centred = noise.point(lambda value: int((value - 128) * weight * 0.9 + 128))
        image = ImageChops.add(image, centred, 1, -128)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def decode(jpeg):
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def resize(image, resample):
    # The shorter side becomes 224, the longer one is truncated; then the centre.
    return image.resize((298, 224), resample).crop((37, 0, 261, 224))


def tensor(image):
    scaled = numpy.asarray(image).astype(numpy.float32) / numpy.float32(255)
    return numpy.ascontiguousarray(((scaled - MEAN) / STD).transpose(2, 0, 1))


def main():
    jpeg = picture()
    image = decode(jpeg)
    pillow = {"decode": lambda: decode(jpeg), "bicubic": lambda: resize(image, Image.BICUBIC),
              "bilinear": lambda: resize(image, Image.BILINEAR), "pixels": lambda: resize(decode(jpeg), Image.BICUBIC),
              "tensor": lambda: tensor(resize(decode(jpeg), Image.BICUBIC))}
    sizes = {"pixels": 224 * 224 * 3, "tensor": 224 * 224 * 3 * 4}
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(jpeg)
        file.flush()
        ours = subprocess.Popen([sys.argv[1], "--serve", file.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def measure_ours(what, count):
            ours.stdin.write(f"{what} {count}\n".encode())
            ours.stdin.flush()
            return float(ours.stdout.readline()) / count, ours.stdout.read(sizes.get(what, 0))

        def measure_pillow(what, count):
            begin = time.perf_counter()
            for _ in range(count):
                result = pillow[what]()
            return (time.perf_counter() - begin) / count, result.tobytes()

        for what in sizes:
            if measure_ours(what, 1)[1] != measure_pillow(what, 1)[1]:
                print(f"preprocess_benchmark: the {what} differ from Pillow's", file=sys.stderr)
                return 1
        times = {what: ([], []) for what in COUNTS}
        for _ in range(ROUNDS):
            for what, count in COUNTS.items():
                times[what][0].append(measure_ours(what, count)[0])
                times[what][1].append(measure_pillow(what, count)[0])
        ours.stdin.close()
        ours.wait()
    print(f"Pillow {Image.__version__}, libjpeg-turbo: {features.check_feature('libjpeg_turbo')}; "
          f"a JPEG of 500 x 375 pixels in {len(jpeg)} bytes; medians of {ROUNDS} rounds; the pixels are the same")
    for what, (our_times, pillow_times) in times.items():
        ratio = statistics.median(theirs / mine for mine, theirs in zip(our_times, pillow_times))
        print(f"{what:9} ours {statistics.median(our_times) * 1e3:7.3f} ms   Pillow "
              f"{statistics.median(pillow_times) * 1e3:7.3f} ms   {ratio:5.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
