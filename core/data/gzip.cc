#include "core/data/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <new>
#include <utility>

#include "core/base/file.h"

namespace modelpatch::data {
namespace {

constexpr uint64_t kHighestRatio = 1032;
constexpr uint64_t kPiece = uint64_t{1} << 30;  // zlib counts in 32 bits
constexpr uint64_t kFirstAllocation = uint64_t{1} << 16;

class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }  // 16: gzip only
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_ = {};
  bool ready_ = false;
};

absl::Status Corrupt(uint64_t offset, std::string_view what) {
  return base::InvalidArgument("GZIP_CORRUPT", fmt::format("the gzip data is damaged near byte {}: {}", offset, what));
}

absl::StatusOr<Gunzipped> GunzipOrThrow(std::string_view bytes, uint64_t maximum_size) {
  Inflater inflater;
  if (!inflater.ready()) return base::ResourceExhausted("OUT_OF_MEMORY", "no memory to read gzip data");
  z_stream& stream = inflater.stream();
  Gunzipped result;
  // One byte above the maximum tells whether there is more.
  const uint64_t ratio_bound = bytes.size() > UINT64_MAX / kHighestRatio ? UINT64_MAX : bytes.size() * kHighestRatio;
  const uint64_t bound = std::min(maximum_size == UINT64_MAX ? maximum_size : maximum_size + 1, ratio_bound + 1);
  uint64_t read = 0;
  uint64_t written = 0;
  bool member_ended = false;
  while (true) {
    if (member_ended) {
      if (read == bytes.size()) break;
      if (bytes[read] == '\0') {  // padding, as gzip(1) allows
        if (bytes.find_first_not_of('\0', read) == std::string_view::npos) break;
      }
      if (!IsGzip(bytes.substr(read))) return Corrupt(read, "bytes after the end that are not gzip");
      if (inflateReset(&stream) != Z_OK) return Corrupt(read, "the state of the reader");
      member_ended = false;
    }
    if (written == result.content.size() && written < bound) {
      result.content.resize(std::min(bound, std::max(kFirstAllocation, 2 * written)));
    }
    const uint64_t input = std::min(kPiece, bytes.size() - read);
    const uint64_t output = std::min(kPiece, result.content.size() - written);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + read));
    stream.avail_in = static_cast<uInt>(input);
    stream.next_out = reinterpret_cast<Bytef*>(result.content.data() + written);
    stream.avail_out = static_cast<uInt>(output);
    const int code = inflate(&stream, Z_NO_FLUSH);
    const uint64_t consumed = input - stream.avail_in;
    const uint64_t produced = output - stream.avail_out;
    read += consumed;
    written += produced;
    if (code == Z_MEM_ERROR) return base::ResourceExhausted("OUT_OF_MEMORY", "no memory to read gzip data");
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return Corrupt(read, stream.msg != nullptr ? stream.msg : "unreadable");
    }
    if (written > maximum_size) {
      result.content.resize(maximum_size);
      result.complete = false;
      return result;
    }
    member_ended = code == Z_STREAM_END;
    if (!member_ended && consumed == 0 && produced == 0) {
      if (read < bytes.size()) return Corrupt(read, "no progress");
      return base::InvalidArgument(
          "GZIP_TRUNCATED",
          fmt::format("the gzip data of {} bytes ends in the middle; {} bytes came out of it", bytes.size(), written));
    }
  }
  result.content.resize(written);
  return result;
}

}  // namespace

bool IsGzip(std::string_view bytes) { return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b'; }

absl::StatusOr<Gunzipped> Gunzip(std::string_view bytes, uint64_t maximum_size) {
  try {
    return GunzipOrThrow(bytes, maximum_size);
  } catch (const std::bad_alloc&) {
    return base::ResourceExhausted("OUT_OF_MEMORY", "no memory for the content of the gzip data");
  }
}

absl::StatusOr<Gunzipped> ReadMaybeGzip(const std::string& path, uint64_t maximum_size) {
  MP_ASSIGN_OR_RETURN(const base::MappedFile file, base::MappedFile::Open(path));
  const std::string_view bytes = file.bytes();
  if (IsGzip(bytes)) {
    auto content = Gunzip(bytes, maximum_size);
    if (!content.ok()) return base::WithContext(content.status(), path);
    return content;
  }
  try {
    return Gunzipped{std::string(bytes.substr(0, maximum_size)), bytes.size() <= maximum_size};
  } catch (const std::bad_alloc&) {
    return base::ResourceExhausted("OUT_OF_MEMORY",
                                   fmt::format("no memory for the {} bytes of {}", bytes.size(), path));
  }
}

}  // namespace modelpatch::data
