// Runs a fuzz target without libFuzzer: on no bytes, on every file of the folders named as arguments, and on a fixed
// set of mutations of each, so that the targets are tests with any compiler and sanitizer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr uint64_t kMutationsPerSeed = 400;
constexpr uint64_t kMaximumSeedBytes = 1 << 20;
constexpr uint64_t kMaximumEdits = 4;

void Run(const std::string& input) {
  // A copy of exactly this size on the heap lets AddressSanitizer see a read beyond it.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string Mutate(std::string input, modelpatch::base::RandomStream& random) {
  const uint64_t edits = 1 + random.Below(kMaximumEdits);
  for (uint64_t i = 0; i < edits; ++i) {
    const size_t at = random.Below(input.size() + 1);
    const size_t length = std::min<size_t>(input.size() - at, 1 + random.Below(16));
    const char byte = static_cast<char>(random.NextBits());
    switch (random.Below(6)) {
      case 0:
        input.insert(at, 1, byte);
        break;
      case 1:
        input.erase(at, length);
        break;
      case 2:
        input.resize(at);
        break;
      case 3:
        input.insert(random.Below(input.size() + 1), input.substr(at, length));
        break;
      case 4:
        if (length > 0) input[at] = byte;
        break;
      default:
        if (length > 0) input[at] = static_cast<char>(input[at] ^ (1 << random.Below(8)));
    }
  }
  return input;
}

std::vector<std::string> SeedFiles(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int count, char** arguments) {
  Run("");
  uint64_t seeds = 0;
  for (int i = 1; i < count; ++i) {
    for (const std::string& path : SeedFiles(arguments[i])) {
      const auto seed = modelpatch::base::ReadFile(path, kMaximumSeedBytes);
      if (!seed.ok()) {
        std::fprintf(stderr, "%s\n", seed.status().ToString().c_str());
        return 1;
      }
      ++seeds;
      Run(*seed);
      for (uint64_t k = 0; k < kMutationsPerSeed; ++k) {
        modelpatch::base::RandomStream random(0, std::filesystem::path(path).filename().string(), 0, k);
        Run(Mutate(*seed, random));
      }
    }
  }
  std::printf("%llu seeds with %llu mutations each\n", static_cast<unsigned long long>(seeds),
              static_cast<unsigned long long>(kMutationsPerSeed));
  return seeds > 0 ? 0 : 1;
}
