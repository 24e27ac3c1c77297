// RandomStream: random numbers as a pure function of (seed, purpose, step, example).
//
// A stream is made where it is needed, from what it is for; no generator is carried along. So a run resumed in the
// middle draws what the uninterrupted run would have drawn, and the number of threads changes nothing. Thread safety: a
// stream belongs to one thread.
#pragma once

#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace modelpatch::base {

class RandomStream {
 public:
  // `purpose` names what the numbers are for ("augmentation", "shuffle", …).
  RandomStream(uint64_t seed, std::string_view purpose, uint64_t step = 0, uint64_t example = 0);

  // 64 uniformly random bits.
  uint64_t NextBits();
  // Uniform in [0, 1), with 53 bits.
  double Uniform();
  // Uniform in [low, high).
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  // Uniform in {0, …, bound - 1}, without bias. `bound` > 0.
  uint64_t Below(uint64_t bound);
  // Standard normal (Box-Muller).
  double Normal();

  // A uniformly random order of 0 … count - 1 (Fisher-Yates).
  std::vector<int64_t> Permutation(int64_t count);

 private:
  uint64_t state_[4];
};

}  // namespace modelpatch::base
