// Google Benchmark's main, with the process set up as the server sets itself up.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <thread>

#include "core/tensor/compat.h"
#include "core/tensor/weight_memory.h"

int main(int argc, char** argv) {
  modelpatch::tensor::KeepHeapForActivations();
  modelpatch::tensor::SetIntraOpThreads(static_cast<int>(std::thread::hardware_concurrency()));
  std::fprintf(stderr, "%s\n", modelpatch::tensor::DescribeRuntime().c_str());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
