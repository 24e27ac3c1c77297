// Reading gzip streams (RFC 1952; several members in a row are one content), never more of it than asked for.
//
// Errors: INVALID_ARGUMENT GZIP_TRUNCATED or GZIP_CORRUPT (bad header, bad data, wrong checksum, bytes after the end);
// RESOURCE_EXHAUSTED OUT_OF_MEMORY. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::data {

// Whether `bytes` start as gzip does.
bool IsGzip(std::string_view bytes);

struct Gunzipped {
  std::string content;
  // False if the stream holds more than was asked for; what follows `content` was then neither kept nor checked.
  bool complete = true;
};

// At most `maximum_size` bytes of the content of the gzip stream `bytes`. Memory is bounded by `maximum_size` and by
// what `bytes` can hold at deflate's highest ratio (1032), whatever the stream claims.
absl::StatusOr<Gunzipped> Gunzip(std::string_view bytes, uint64_t maximum_size);

// The content of the regular file `path`, gunzipped if it is gzip, at most `maximum_size` bytes of it (`complete`
// tells). Errors: also those of base::MappedFile::Open; all with the path in the message.
absl::StatusOr<Gunzipped> ReadMaybeGzip(const std::string& path, uint64_t maximum_size);

}  // namespace modelpatch::data
