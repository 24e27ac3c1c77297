"""The server that one would write in Python: Classify with PyTorch, a thread pool, and the zero-shot head cached.

    python_server.py GENERATED WEIGHTS WORKERS THREADS

The reference of serving_benchmark.py. It answers our Classify for the small ViT of forward_networks.py, decodes and resizes with Pillow,
knows one α, and takes random directions for class embeddings, which cost as much as true ones. THREADS 0 leaves PyTorch its default.
Prints its port.
"""

import concurrent.futures
import io
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, sys.argv[1])

import grpc
import numpy
import torch
from PIL import Image

import forward_networks
from modelpatch.v1 import inference_service_pb2, inference_service_pb2_grpc

SIDE = 32
MEAN = numpy.array([0.48145466, 0.4578275, 0.40821073], numpy.float32)
STD = numpy.array([0.26862954, 0.26130258, 0.27577711], numpy.float32)
LOGIT_SCALE = 100.0
MESSAGE_BYTES = 64 << 20


def preprocess(encoded):
    image = Image.open(io.BytesIO(encoded)).convert("RGB")
    width, height = image.size
    short = min(width, height)
    image = image.resize((SIDE * width // short, SIDE * height // short), Image.BICUBIC)
    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    pixels = numpy.asarray(image.crop((left, top, left + SIDE, top + SIDE)), numpy.float32)
    return ((pixels / 255 - MEAN) / STD).transpose(2, 0, 1)


class Inference(inference_service_pb2_grpc.InferenceServiceServicer):
    def __init__(self, weights):
        self.network = forward_networks.load("small", weights)
        self.heads = {}
        self.lock = threading.Lock()

    def head(self, class_names):
        with self.lock:
            head = self.heads.get(class_names)
            if head is None:
                head = torch.nn.functional.normalize(torch.randn(len(class_names), self.network.proj.shape[1]), dim=1)
                self.heads[class_names] = head
            return head

    def Classify(self, request, context):
        class_names = tuple(request.class_prompts.names.class_names)
        head = self.head(class_names)
        pixels = torch.from_numpy(numpy.stack([preprocess(image.encoded) for image in request.images]))
        with torch.no_grad():
            features = torch.nn.functional.normalize(self.network(pixels), dim=1)
            cosines = features @ head.t()
            logits = LOGIT_SCALE * cosines
            probabilities = torch.softmax(logits, 1)
            kept = min(request.top_k or len(class_names), len(class_names))
            best = torch.topk(cosines, kept, dim=1).indices
        response = inference_service_pb2.ClassifyResponse()
        for image in range(len(request.images)):
            result = response.results.add()
            for index in best[image].tolist():
                result.scores.add(class_name=class_names[index], probability=probabilities[image, index].item(),
                                  logit=logits[image, index].item(), cosine=cosines[image, index].item())
        return response


def main():
    weights, workers, threads = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if threads > 0:
        torch.set_num_threads(threads)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(workers),
                         options=[("grpc.max_receive_message_length", MESSAGE_BYTES)])
    inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(Inference(weights), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
