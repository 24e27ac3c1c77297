#!/usr/bin/python3
"""A client that knows nothing but the published Open Inference Protocol and gRPC's health protocol, against a real server.

    open_inference_test.py SOURCE_DIR BIN_DIR

The answers are compared with those of `modelpatch classify`. Needs protoc, grpc_python_plugin and python3-grpcio; exits 77 (skipped)
without them or without the demo model.
"""

import glob
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import unittest

import harness
from harness import DEADLINE_SECONDS

SOURCE_DIR, BIN_DIR = (os.path.abspath(path) for path in sys.argv[1:3])
MODEL_DIR = os.path.join(SOURCE_DIR, "deploy", "demo", "model")
IMAGES = sorted(glob.glob(os.path.join(SOURCE_DIR, "deploy", "demo", "images", "*.png")))[:3]
CLASSES = ["three", "star", "red", "naïve: café"]
SIDE = 32
SERVING, NOT_FOUND_STATUS = 1, 3

grpc = harness.import_grpc()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def texts_in_raw(raw):
    """The elements of a raw BYTES tensor."""
    texts, at = [], 0
    while at < len(raw):
        (length,) = struct.unpack_from("<I", raw, at)
        texts.append(raw[at + 4:at + 4 + length])
        at += 4 + length
    return texts


def raw_texts(texts):
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def gradient():
    """An image of the model's size, as a PPM file and as the normalised tensor [3, SIDE, SIDE]."""
    pixels = [[(8 * x % 256, 8 * y % 256, 4 * (x + y) % 256) for x in range(SIDE)] for y in range(SIDE)]
    ppm = b"P6\n%d %d\n255\n" % (SIDE, SIDE) + bytes(value for row in pixels for pixel in row for value in pixel)
    config = json.loads(read(os.path.join(MODEL_DIR, "preprocessor_config.json")))
    planes = [(pixel[channel] / 255 - config["image_mean"][channel]) / config["image_std"][channel]
              for channel in range(3) for row in pixels for pixel in row]
    return ppm, planes


class OpenInferenceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="modelpatch-oip-")
        generated = os.path.join(cls.directory.name, "generated")
        os.mkdir(generated)
        harness.generate(SOURCE_DIR, generated, ["inference"])
        from inference import grpc_predict_v2_pb2, grpc_predict_v2_pb2_grpc
        cls.pb = grpc_predict_v2_pb2
        cls.server = harness.Server(BIN_DIR, cls.directory.name, "--import-root", MODEL_DIR)
        cls.channel = cls.server.channel()
        cls.stub = grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(cls.channel)
        cls.modelpatch("model", "import", "demo", MODEL_DIR)
        cls.modelpatch("task", "create", "digits", "--generator", "digits", "--train-examples", "400", "--validation-examples", "50",
                       "--test-examples", "50")
        cls.modelpatch("job", "submit", "--model", "demo", "--patch-task", "digits", "--alphas", "0,1", "--alpha-policy", "fixed",
                       "--alpha", "1", "--steps", "5", "--batch-size", "16", "--learning-rate", "1e-3", "--warmup-steps", "1",
                       "--name", "digits", "--watch")

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.server.stop()
        cls.directory.cleanup()

    @classmethod
    def modelpatch(cls, *arguments):
        """The JSON that the command prints."""
        done = subprocess.run([os.path.join(BIN_DIR, "modelpatch"), "--server", cls.server.ready["grpc"], "--output", "json", *arguments],
                              check=True, stdout=subprocess.PIPE, timeout=5 * DEADLINE_SECONDS)
        lines = done.stdout.decode().strip().splitlines()
        return json.loads(lines[-1]) if lines else None

    def classify(self, alpha):
        """What Classify says: for each image, the scores by class name."""
        classes = [argument for name in CLASSES for argument in ("--class", name)]
        answer = self.modelpatch("classify", "--checkpoint", "digits", "--alpha", str(alpha), "--top-k", "0", *classes, *IMAGES)
        return [{score["className"]: score for score in result["scores"]} for result in answer["results"]]

    def request(self, raw=False, **parameters):
        request = self.pb.ModelInferRequest(model_name="demo", id="request 7")
        for name, texts in (("images", [read(path) for path in IMAGES]), ("class_names", [name.encode() for name in CLASSES])):
            tensor = request.inputs.add(name=name, datatype="BYTES", shape=[len(texts)])
            if raw:
                request.raw_input_contents.append(raw_texts(texts))
            else:
                tensor.contents.bytes_contents.extend(texts)
        for name, value in parameters.items():
            field = {str: "string_param", float: "double_param", int: "int64_param", bool: "bool_param"}[type(value)]
            setattr(request.parameters[name], field, value)
        return request

    def infer(self, request):
        return self.stub.ModelInfer(request, timeout=DEADLINE_SECONDS)

    def refused(self, request, code, word):
        with self.assertRaises(grpc.RpcError) as raised:
            self.infer(request)
        self.assertEqual(raised.exception.code(), code, raised.exception.details())
        self.assertIn(word, raised.exception.details())

    def test_the_server_lives_and_says_what_it_is(self):
        self.assertTrue(self.stub.ServerLive(self.pb.ServerLiveRequest(), timeout=DEADLINE_SECONDS).live)
        self.assertTrue(self.stub.ServerReady(self.pb.ServerReadyRequest(), timeout=DEADLINE_SECONDS).ready)
        metadata = self.stub.ServerMetadata(self.pb.ServerMetadataRequest(), timeout=DEADLINE_SECONDS)
        self.assertEqual(metadata.name, "modelpatch")
        self.assertTrue(metadata.version)
        self.assertEqual(list(metadata.extensions), ["classification"])

    def test_models_are_ready_and_described(self):
        for version in ("", "1"):
            request = self.pb.ModelReadyRequest(name="demo", version=version)
            self.assertTrue(self.stub.ModelReady(request, timeout=DEADLINE_SECONDS).ready)
        metadata = self.stub.ModelMetadata(self.pb.ModelMetadataRequest(name="demo"), timeout=DEADLINE_SECONDS)
        self.assertEqual((metadata.name, list(metadata.versions), metadata.platform), ("demo", ["1"], "modelpatch_vit"))
        inputs = {tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in metadata.inputs}
        self.assertEqual(inputs["images"], ("BYTES", [-1]))
        self.assertEqual(inputs["pixels"], ("FP32", [-1, 3, SIDE, SIDE]))
        outputs = {tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in metadata.outputs}
        self.assertEqual(outputs["probabilities"], ("FP32", [-1, -1]))
        self.assertGreater(outputs["image_features"][1][1], 0)
        for name, version, code in (("none", "", grpc.StatusCode.NOT_FOUND), ("demo", "2", grpc.StatusCode.NOT_FOUND),
                                    ("", "", grpc.StatusCode.INVALID_ARGUMENT), ("../x", "", grpc.StatusCode.INVALID_ARGUMENT)):
            for call, message in ((self.stub.ModelReady, self.pb.ModelReadyRequest),
                                  (self.stub.ModelMetadata, self.pb.ModelMetadataRequest)):
                with self.assertRaises(grpc.RpcError) as raised:
                    call(message(name=name, version=version), timeout=DEADLINE_SECONDS)
                self.assertEqual(raised.exception.code(), code, name)

    def test_scores_are_those_of_classify_at_each_alpha(self):
        answers = {}
        for alpha in (0.0, 1.0):
            expected = self.classify(alpha)
            for raw in (False, True):
                answer = self.infer(self.request(raw, checkpoint="digits", alpha=alpha))
                self.assertEqual((answer.model_name, answer.model_version, answer.id), ("demo", "1", "request 7"))
                self.assertEqual([output.name for output in answer.outputs], ["probabilities", "logits", "cosines"])
                self.assertEqual(len(answer.raw_output_contents), 3 if raw else 0)
                for index, (output, key) in enumerate(zip(answer.outputs, ("probability", "logit", "cosine"))):
                    self.assertEqual((output.datatype, list(output.shape)), ("FP32", [len(IMAGES), len(CLASSES)]))
                    values = (struct.unpack(f"<{len(IMAGES) * len(CLASSES)}f", answer.raw_output_contents[index])
                              if raw else output.contents.fp32_contents)
                    for image, scores in enumerate(expected):
                        for place, name in enumerate(CLASSES):
                            self.assertAlmostEqual(values[image * len(CLASSES) + place], scores[name][key], places=4)
                self.assertEqual(answer.parameters["probability_kind"].string_param, "softmax")
                self.assertEqual(answer.parameters["truncated_prompt_count"].int64_param, 0)
                answers[alpha] = list(values)
        self.assertNotEqual(answers[0.0], answers[1.0])

    def test_alpha_may_be_a_text_or_an_integer(self):
        answers = [self.infer(self.request(checkpoint="checkpoints/digits", alpha=alpha)).outputs for alpha in (1.0, 1, "1.0")]
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0], answers[2])

    def test_the_classification_extension_at_two_alphas(self):
        answers = []
        for alpha, raw in ((0.0, False), (1.0, True)):
            request = self.request(raw, checkpoint="digits", alpha=alpha)
            request.outputs.add(name="probabilities").parameters["classification"].int64_param = 2
            answer = self.infer(request)
            [output] = answer.outputs
            self.assertEqual((output.datatype, list(output.shape)), ("BYTES", [len(IMAGES), 2]))
            labels = texts_in_raw(answer.raw_output_contents[0]) if raw else list(output.contents.bytes_contents)
            for image, scores in enumerate(self.classify(alpha)):
                best = sorted(scores.values(), key=lambda score: -score["probability"])[:2]
                for place, score in enumerate(best):
                    value, index, label = labels[2 * image + place].decode().split(":", 2)
                    self.assertAlmostEqual(float(value), score["probability"], places=4)
                    self.assertEqual((label, CLASSES[int(index)]), (score["className"], score["className"]))
            answers.append(labels)
        self.assertNotEqual(answers[0], answers[1])

    def test_top_k_names_the_best_classes(self):
        answer = self.infer(self.request(checkpoint="digits", alpha=0.0, top_k=1))
        outputs = {output.name: output for output in answer.outputs}
        self.assertEqual(list(outputs["logits"].shape), [len(IMAGES), 1])
        best = [max(scores.values(), key=lambda score: score["probability"])["className"] for scores in self.classify(0.0)]
        self.assertEqual([name.decode() for name in outputs["class_names"].contents.bytes_contents], best)

    def test_pixels_are_the_images_that_they_were_made_of(self):
        ppm, planes = gradient()
        as_file = self.pb.ModelInferRequest(model_name="demo")
        as_file.inputs.add(name="images", datatype="BYTES", shape=[1]).contents.bytes_contents.append(ppm)
        as_pixels = self.pb.ModelInferRequest(model_name="demo")
        as_pixels.inputs.add(name="pixels", datatype="FP32", shape=[1, 3, SIDE, SIDE]).contents.fp32_contents.extend(planes)
        as_raw = self.pb.ModelInferRequest(model_name="demo", raw_input_contents=[struct.pack(f"<{len(planes)}f", *planes)])
        as_raw.inputs.add(name="pixels", datatype="FP32", shape=[1, 3, SIDE, SIDE])
        [features] = self.infer(as_file).outputs
        self.assertEqual(features.name, "image_features")
        width = features.shape[1]
        wanted = list(features.contents.fp32_contents)
        self.assertAlmostEqual(math.fsum(value * value for value in wanted), 1, places=4)
        raw = self.infer(as_raw)
        for found in (self.infer(as_pixels).outputs[0].contents.fp32_contents, struct.unpack(f"<{width}f", raw.raw_output_contents[0])):
            self.assertEqual(len(found), width)
            for one, other in zip(found, wanted):
                self.assertAlmostEqual(one, other, places=4)

    def test_a_patch_is_named_with_its_version(self):
        self.modelpatch("patch", "create", "half", "--term", "digits=0.5")
        wanted = self.infer(self.request(checkpoint="digits", alpha=0.5))
        for patch, version in (("half", ""), ("patches/half@1", ""), ("half", "1"), ("half", "latest")):
            request = self.request(patch=patch)
            request.model_version = version
            answer = self.infer(request)
            self.assertEqual(answer.model_version, "1")
            self.assertEqual(answer.outputs, wanted.outputs)
        self.assertEqual(self.infer(self.request(patch="half", alpha=0.5)).outputs,
                         self.infer(self.request(checkpoint="digits", alpha=0.25)).outputs)
        self.refused(self.request(patch="half@2"), grpc.StatusCode.NOT_FOUND, "2")
        self.refused(self.request(patch="none"), grpc.StatusCode.NOT_FOUND, "none")
        self.refused(self.request(patch="half", checkpoint="digits"), grpc.StatusCode.INVALID_ARGUMENT, "'patch'")
        self.modelpatch("patch", "delete", "half")

    def test_class_names_as_a_parameter(self):
        request = self.request(class_names=json.dumps(CLASSES))
        del request.inputs[1]
        self.assertEqual(self.infer(request).outputs, self.infer(self.request()).outputs)

    def test_what_is_wrong_is_refused_and_named(self):
        invalid, not_found = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
        self.refused(self.request(checkpoint="none"), not_found, "none")
        self.refused(self.request(checkpoint="digits", alpha=1.5), invalid, "1.5")
        self.refused(self.request(nonsense=1), invalid, "nonsense")
        request = self.request()
        request.model_name = "unknown"
        self.refused(request, not_found, "unknown")
        request = self.request()
        request.model_version = "7"
        self.refused(request, not_found, "7")
        request = self.request()
        request.inputs[0].shape[0] = 4
        self.refused(request, invalid, "'images'")
        request = self.request(raw=True)
        request.raw_input_contents[1] = request.raw_input_contents[1][:-1]
        self.refused(request, invalid, "'class_names'")
        request = self.request()
        request.inputs[0].contents.bytes_contents[1] = b"no image"
        self.refused(request, invalid, "image")
        request = self.request()
        request.inputs[1].contents.bytes_contents[1] = b"\xc3\x28"
        self.refused(request, invalid, "UTF-8")
        for shape in ([1, 3, 16, 64], [1, 3, 31, 32]):
            request = self.pb.ModelInferRequest(model_name="demo", raw_input_contents=[bytes(4 * math.prod(shape))])
            request.inputs.add(name="pixels", datatype="FP32", shape=shape)
            self.refused(request, invalid, "'pixels'")
        request = self.pb.ModelInferRequest(model_name="demo", raw_input_contents=[struct.pack("<f", math.nan) * 3 * SIDE * SIDE])
        request.inputs.add(name="pixels", datatype="FP32", shape=[1, 3, SIDE, SIDE])
        self.refused(request, invalid, "NaN")

    def health(self, name):
        """The status of gRPC's health protocol, whose messages are a single field each; NOT_FOUND_STATUS of an unknown name."""
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=self.health_request,
                                         response_deserializer=bytes)
        try:
            return check(name, timeout=DEADLINE_SECONDS)[1]
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.NOT_FOUND)
            return NOT_FOUND_STATUS

    @staticmethod
    def health_request(name):
        return b"\x0a" + bytes([len(name)]) + name.encode()

    def test_health_follows_imports_and_deletions(self):
        for name in ("", "models/demo", "modelpatch.v1.InferenceService", "inference.GRPCInferenceService"):
            self.assertEqual(self.health(name), SERVING, name)
        self.assertEqual(self.health("models/second"), NOT_FOUND_STATUS)
        start_watch = self.channel.unary_stream("/grpc.health.v1.Health/Watch", request_serializer=self.health_request,
                                                response_deserializer=bytes)
        watch = start_watch("models/second", timeout=DEADLINE_SECONDS)
        self.assertEqual(next(watch)[1], NOT_FOUND_STATUS)
        self.modelpatch("model", "import", "second", MODEL_DIR)
        self.assertEqual(next(watch)[1], SERVING)
        self.assertEqual(self.health("models/second"), SERVING)
        self.modelpatch("model", "delete", "second")
        self.assertEqual(next(watch)[1], NOT_FOUND_STATUS)
        self.assertEqual(self.health("models/second"), NOT_FOUND_STATUS)
        watch.cancel()


if __name__ == "__main__":
    harness.require(MODEL_DIR, *(os.path.join(BIN_DIR, name) for name in ("modelpatch", "modelpatch-server", "modelpatch-worker")))
    unittest.main(argv=sys.argv[:1], verbosity=2)
