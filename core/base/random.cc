#include "core/base/random.h"

#include <cmath>
#include <numbers>

namespace modelpatch::base {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): a bijection that mixes well; here it hashes the key into a state.
uint64_t SplitMix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

uint64_t RotateLeft(uint64_t value, int by) { return (value << by) | (value >> (64 - by)); }

// FNV-1a, to turn a purpose into a number.
uint64_t HashText(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace

RandomStream::RandomStream(uint64_t seed, std::string_view purpose, uint64_t step, uint64_t example) {
  uint64_t key = seed;
  for (const uint64_t part : {HashText(purpose), step, example}) key = SplitMix(key) ^ part;
  for (uint64_t& word : state_) word = SplitMix(key);
}

// xoshiro256** (Blackman, Vigna 2018).
uint64_t RandomStream::NextBits() {
  const uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = RotateLeft(state_[3], 45);
  return result;
}

double RandomStream::Uniform() { return static_cast<double>(NextBits() >> 11) * 0x1.0p-53; }

uint64_t RandomStream::Below(uint64_t bound) {
  // Values under the threshold would make the low results more likely: draw again.
  const uint64_t threshold = (0 - bound) % bound;
  uint64_t bits = NextBits();
  while (bits < threshold) bits = NextBits();
  return bits % bound;
}

double RandomStream::Normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * Uniform());
}

std::vector<int64_t> RandomStream::Permutation(int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = count - 1; i > 0; --i) {
    std::swap(order[static_cast<size_t>(i)], order[Below(static_cast<uint64_t>(i) + 1)]);
  }
  return order;
}

}  // namespace modelpatch::base
