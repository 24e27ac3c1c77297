// Random numbers that are a function of (seed, number): the same on every machine, and no state to share. Pure.
#pragma once

#include <cstdint>

namespace modelpatch::client {

// 64 random bits (SplitMix64: Steele, Lea and Flood 2014).
inline uint64_t RandomBits(uint64_t seed, uint64_t number) {
  uint64_t bits = seed * 0xd1342543de82ef95 + (number + 1) * 0x9e3779b97f4a7c15;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31);
}

// Uniform in [0, 1).
inline double RandomUniform(uint64_t seed, uint64_t number) {
  return static_cast<double>(RandomBits(seed, number) >> 11) * 0x1p-53;
}

}  // namespace modelpatch::client
