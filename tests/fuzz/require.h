// Require: ends a fuzz run, so that it is reported, when what must always hold does not.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace modelpatch::fuzz {

inline void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace modelpatch::fuzz
