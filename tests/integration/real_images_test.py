#!/usr/bin/env python3
"""deploy/real-images/patch_mnist.py, shortened: a much smaller CLIP of real photographs is patched on real MNIST.

    real_images_test.py SOURCE_DIR BIN_DIR

Exits 77 (skipped) where $MODELPATCH_TEST_DATA (default: `shared` beside the source tree) has no such data.
"""

import json
import os
import subprocess
import sys
import tempfile

SKIPPED = 77
SOURCE_DIR, BIN_DIR = (os.path.abspath(path) for path in sys.argv[1:3])
DATA_DIR = os.path.join(os.environ.get("MODELPATCH_TEST_DATA") or os.path.join(SOURCE_DIR, "..", "shared"), "data")
REAL_IMAGES_DIR = os.path.join(SOURCE_DIR, "deploy", "real-images")


def smaller_spec(path):
    with open(os.path.join(REAL_IMAGES_DIR, "pretrain.json"), encoding="utf-8") as file:
        spec = json.load(file)
    spec.update(width=64, layers=2, heads=1, text_width=32, text_layers=1, text_heads=1, embedding_width=32, epochs=2)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(spec, file)


def main():
    for name in ("mnist", "cifar10", "cifar100"):
        if not os.path.isdir(os.path.join(DATA_DIR, name)):
            print(f"skipped: no data/{name} below $MODELPATCH_TEST_DATA")
            sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="modelpatch-real-images-") as work:
        spec, figures = os.path.join(work, "spec.json"), os.path.join(work, "figures.json")
        smaller_spec(spec)
        subprocess.run(
            [sys.executable, "-B", os.path.join(REAL_IMAGES_DIR, "patch_mnist.py"), "--data", DATA_DIR, "--work", work,
             "--bin", BIN_DIR, "--spec", spec, "--seeds", "1", "--steps", "100", "--batch-size", "64",
             "--learning-rate", "1e-3", "--alphas", "0:1:0.5", "--mnist-validation-fraction", "0.02", "--json", figures],
            check=True)
        with open(figures, encoding="utf-8") as file:
            [result] = json.load(file)
    curve = {point["alpha"]: point for point in result["curve"]}
    assert sorted(curve) == [0, 0.5, 1], curve
    assert result["alpha"] in curve, result
    gain = curve[1]["mnist"] - curve[0]["mnist"]
    assert gain > 0.15, f"fine-tuning on MNIST gained {100 * gain:.1f} points on its test data"
    assert curve[0]["cifar10"] > 0.2, f"pretraining reached {100 * curve[0]['cifar10']:.1f} % on CIFAR-10's test data"


if __name__ == "__main__":
    main()
