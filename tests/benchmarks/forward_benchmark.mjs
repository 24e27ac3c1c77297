// A child of forward_benchmark.py that computes in ONNX Runtime. Arguments: the folder with node_modules, the .onnx file, the
// side of an image. Its lines are those of forward_benchmark.cc.
import { createRequire } from "node:module";
import readline from "node:readline";

const [modules, path, side] = process.argv.slice(2);
const ort = createRequire(modules + "/")("onnxruntime-node");
const sessions = new Map();

async function sessionFor(threads) {
  if (!sessions.has(threads)) {
    sessions.set(threads, await ort.InferenceSession.create(path, { intraOpNumThreads: threads, interOpNumThreads: 1 }));
  }
  return sessions.get(threads);
}

console.log("{}");
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [, batch, threads, repeats] = line.split(" ").map(Number);
  const session = await sessionFor(threads);
  const shape = [batch, 3, Number(side), Number(side)];
  const values = Float32Array.from({ length: batch * 3 * side * side }, (_, i) => Math.sin(i));
  const feeds = { pixels: new ort.Tensor("float32", values, shape) };
  const first = (await session.run(feeds)).features;
  const seconds = [];
  for (let i = 0; i < repeats; ++i) {
    const begin = process.hrtime.bigint();
    await session.run(feeds);
    seconds.push(Number(process.hrtime.bigint() - begin) / 1e9);
  }
  const width = first.dims[1];
  console.log(JSON.stringify({ seconds, features: Array.from(first.data.slice((batch - 1) * width).slice(0, 8)) }));
}
