// SHA-256, in pieces or at once. Thread safety: a Sha256 belongs to one thread; the free functions are pure.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::base {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(const void* data, size_t size);
  void Update(std::string_view text) { Update(text.data(), text.size()); }
  // `value` as eight little-endian bytes; use it for lengths, so that no two inputs run together.
  void UpdateInteger(uint64_t value);

  // 64 lower-case hexadecimal digits. Ends the digest: nothing may be called after it.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string Sha256Hex(std::string_view bytes);

// The digest of a regular file's bytes.
absl::StatusOr<std::string> Sha256File(const std::string& path);

}  // namespace modelpatch::base
