#!/usr/bin/python3
"""A Python client, generated from the protos, drives a real server: import, tasks, a short job, three values of α.

    python_client_test.py SOURCE_DIR BIN_DIR

Needs protoc, grpc_python_plugin and python3-grpcio; exits 77 (skipped) without them or without the demo model.
"""

import os
import sys
import tempfile
import unittest

import harness
from harness import DEADLINE_SECONDS

SOURCE_DIR, BIN_DIR = (os.path.abspath(path) for path in sys.argv[1:3])
MODEL_DIR = os.path.join(SOURCE_DIR, "deploy", "demo", "model")

grpc = harness.import_grpc()
from google.protobuf import json_format


class PythonClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="modelpatch-python-")
        generated = os.path.join(cls.directory.name, "generated")
        os.mkdir(generated)
        harness.generate(SOURCE_DIR, generated, ["google/rpc", "modelpatch/v1"])
        cls.server = harness.Server(BIN_DIR, cls.directory.name, "--import-root", MODEL_DIR)
        cls.channel = cls.server.channel()

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.server.stop()
        cls.directory.cleanup()

    def create_task(self, tasks, pb, generator):
        request = pb.CreateTaskRequest(task_id=generator)
        request.task.generator.generator = generator
        request.task.generator.train_examples = 400
        request.task.generator.validation_examples = 100
        request.task.generator.test_examples = 100
        task = tasks.CreateTask(request, timeout=DEADLINE_SECONDS)
        self.assertEqual(task.name, f"tasks/{generator}")
        self.assertEqual(task.test_examples, 100)
        self.assertEqual(len(task.class_names), 10)
        self.assertTrue(task.templates)
        return task

    def submit(self, jobs, pb, model, patching, supported):
        request = pb.CreatePatchJobRequest(patch_job_id="python", request_id="python-1")
        spec = request.patch_job.spec
        spec.model = model.name
        spec.patching_tasks.append(patching.name)
        spec.supported_tasks.append(supported.name)
        spec.alpha_policy.mean.SetInParent()
        spec.alphas.extend([0.0, 0.5, 1.0])
        spec.fine_tune.steps = 5
        spec.fine_tune.batch_size = 16
        spec.fine_tune.learning_rate = 1e-3
        spec.fine_tune.warmup_steps = 1
        job = jobs.CreatePatchJob(request, timeout=DEADLINE_SECONDS)
        # The same request once more is the same job.
        self.assertEqual(jobs.CreatePatchJob(request, timeout=DEADLINE_SECONDS).name, job.name)
        self.assertEqual(len(jobs.ListPatchJobs(pb.ListPatchJobsRequest(), timeout=DEADLINE_SECONDS).patch_jobs), 1)
        return job

    def watch(self, jobs, pb, resources, name):
        events = list(jobs.WatchPatchJob(pb.WatchPatchJobRequest(name=name), timeout=5 * DEADLINE_SECONDS))
        self.assertEqual([event.number for event in events], list(range(1, len(events) + 1)))
        self.assertEqual(events[-1].state_change.state, resources.PATCH_JOB_STATE_SUCCEEDED, json_format.MessageToJson(events[-1]))
        progress = [event.progress for event in events if event.WhichOneof("event") == "progress"]
        self.assertTrue(any(one.HasField("loss") for one in progress))
        self.assertEqual(sorted(event.point.alpha for event in events if event.WhichOneof("event") == "point"), [0.0, 0.5, 1.0])
        # A watch goes on after the event that it is told.
        rest = list(jobs.WatchPatchJob(pb.WatchPatchJobRequest(name=name, after_event_number=len(events) - 1),
                                       timeout=DEADLINE_SECONDS))
        self.assertEqual([event.number for event in rest], [len(events)])

    def classify(self, inference, pb, model, checkpoint, alpha, classes):
        request = pb.ClassifyRequest(top_k=0)
        request.mixture.model = model.name
        request.mixture.terms.add(checkpoint=checkpoint, coefficient=alpha)
        request.class_prompts.names.class_names.extend(classes)
        request.class_prompts.names.templates.append("a photo of the number {c}.")
        # A PPM needs no library: a white bar on black, 32 x 32.
        row = b"\0\0\0" * 14 + b"\xff\xff\xff" * 4 + b"\0\0\0" * 14
        request.images.add(encoded=b"P6\n32 32\n255\n" + row * 32)
        response = inference.Classify(request, timeout=DEADLINE_SECONDS)
        self.assertEqual(len(response.results), 1)
        scores = response.results[0].scores
        self.assertEqual(sorted(score.class_name for score in scores), sorted(classes))
        self.assertAlmostEqual(sum(score.probability for score in scores), 1.0, places=5)
        self.assertEqual([score.probability for score in scores],
                         sorted((score.probability for score in scores), reverse=True))
        return {score.class_name: score.probability for score in scores}

    def test_main_job(self):
        from modelpatch.v1 import inference_service_pb2, inference_service_pb2_grpc
        from modelpatch.v1 import model_service_pb2, model_service_pb2_grpc
        from modelpatch.v1 import patch_job_service_pb2, patch_job_service_pb2_grpc
        from modelpatch.v1 import resources_pb2
        from modelpatch.v1 import task_service_pb2, task_service_pb2_grpc

        models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        tasks = task_service_pb2_grpc.TaskServiceStub(self.channel)
        jobs = patch_job_service_pb2_grpc.PatchJobServiceStub(self.channel)
        inference = inference_service_pb2_grpc.InferenceServiceStub(self.channel)

        model = models.ImportModel(model_service_pb2.ImportModelRequest(model_id="demo", path=MODEL_DIR),
                                   timeout=DEADLINE_SECONDS)
        self.assertEqual(model.name, "models/demo")
        supported = self.create_task(tasks, task_service_pb2, "shapes")
        patching = self.create_task(tasks, task_service_pb2, "digits")
        job = self.submit(jobs, patch_job_service_pb2, model, patching, supported)
        self.watch(jobs, patch_job_service_pb2, resources_pb2, job.name)

        job = jobs.GetPatchJob(patch_job_service_pb2.GetPatchJobRequest(name=job.name), timeout=DEADLINE_SECONDS)
        self.assertEqual(job.state, resources_pb2.PATCH_JOB_STATE_SUCCEEDED)
        self.assertEqual([point.alpha for point in job.result.points], [0.0, 0.5, 1.0])
        self.assertIn(job.result.alpha, [0.0, 0.5, 1.0])
        self.assertEqual(len(job.result.final_accuracies), 2)
        for final in job.result.final_accuracies:
            self.assertEqual(final.patched.split, resources_pb2.SPLIT_TEST)
            self.assertEqual(final.patched.total, 100)

        answers = [self.classify(inference, inference_service_pb2, model, job.result.checkpoints[0], alpha,
                                 ["0", "1", "a red circle", "naïve café"]) for alpha in (0.0, 0.5, 1.0)]
        self.assertNotEqual(answers[0], answers[2])
        self.assertNotEqual(answers[0], answers[1])

    def test_unknown_methods_are_unimplemented(self):
        for method in ("/modelpatch.v1.ModelService/NoSuchMethod", "/modelpatch.v9.NoSuchService/Get"):
            call = self.channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
            with self.assertRaises(grpc.RpcError) as raised:
                call(b"", timeout=DEADLINE_SECONDS)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_errors_carry_reason_and_field(self):
        from google.rpc import error_details_pb2, status_pb2
        from modelpatch.v1 import inference_service_pb2, inference_service_pb2_grpc

        inference = inference_service_pb2_grpc.InferenceServiceStub(self.channel)
        request = inference_service_pb2.ClassifyRequest()
        request.mixture.model = "models/none"
        request.class_prompts.names.class_names.append("")
        request.images.add(encoded=b"no image")
        with self.assertRaises(grpc.RpcError) as raised:
            inference.Classify(request, timeout=DEADLINE_SECONDS)
        error = raised.exception
        self.assertIn(error.code(), (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND))
        trailing = {item.key: item.value for item in error.trailing_metadata()}
        status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        self.assertTrue(any(detail.Unpack(info) for detail in status.details))
        self.assertEqual(info.domain, "modelpatch")
        self.assertRegex(info.reason, "^[A-Z][A-Z0-9_]+$")


if __name__ == "__main__":
    harness.require(MODEL_DIR, os.path.join(BIN_DIR, "modelpatch-server"), os.path.join(BIN_DIR, "modelpatch-worker"))
    unittest.main(argv=sys.argv[:1], verbosity=2)
