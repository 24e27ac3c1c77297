#include "core/tensor/zip_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/text.h"

namespace modelpatch::tensor {
namespace {

using base::InvalidArgument;

// APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3.
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kEntrySignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr uint64_t kLocalBytes = 30;
constexpr uint64_t kEntryBytes = 46;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kEnd64Bytes = 56;
constexpr uint64_t kLocator64Bytes = 20;
constexpr uint64_t kMaximumComment = 65535;
constexpr uint64_t kMaximumMembers = 65536;
constexpr uint16_t kZip64Extra = 1;
constexpr uint32_t kInExtra = 0xffffffff;
constexpr uint16_t kEncryptedFlag = 1;

absl::Status Corrupt(std::string_view what) {
  return InvalidArgument("ZIP_CORRUPT", fmt::format("the zip archive is cut short or damaged: {}", what));
}

// The little-endian number of `bytes` bytes at `offset`, which must be inside.
uint64_t Number(std::string_view file, uint64_t offset, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i)
    value = value << 8 | static_cast<uint8_t>(file[offset + static_cast<uint64_t>(i)]);
  return value;
}

bool Fits(std::string_view file, uint64_t offset, uint64_t bytes) {
  return offset <= file.size() && bytes <= file.size() - offset;
}

struct Directory {
  uint64_t offset;
  uint64_t members;
};

absl::StatusOr<Directory> FindDirectory(std::string_view file) {
  if (file.size() < kEndBytes) return Corrupt("it is too short");
  const uint64_t last = file.size() - kEndBytes;
  const uint64_t first = last > kMaximumComment ? last - kMaximumComment : 0;
  std::optional<uint64_t> end;
  for (uint64_t at = last + 1; at-- > first && !end.has_value();) {
    if (Number(file, at, 4) == kEndSignature) end = at;
  }
  if (!end.has_value()) return Corrupt("it has no directory");
  Directory directory{Number(file, *end + 16, 4), Number(file, *end + 10, 2)};
  if (*end >= kLocator64Bytes && Number(file, *end - kLocator64Bytes, 4) == kLocator64Signature) {
    const uint64_t record = Number(file, *end - kLocator64Bytes + 8, 8);
    if (!Fits(file, record, kEnd64Bytes) || Number(file, record, 4) != kEnd64Signature) {
      return Corrupt("its zip64 directory is not where it should be");
    }
    directory = {Number(file, record + 48, 8), Number(file, record + 32, 8)};
  }
  if (directory.members > kMaximumMembers) return Corrupt("it claims too many members");
  return directory;
}

struct Entry {
  std::string name;
  uint64_t bytes = 0;
  uint64_t local_offset = 0;
  uint64_t next = 0;  // the offset of the next entry
};

// Replaces the numbers that an entry keeps in its zip64 extra field.
absl::Status ReadZip64(std::string_view extra, uint64_t& uncompressed, uint64_t& compressed, uint64_t& local_offset) {
  while (extra.size() >= 4) {
    const uint64_t kind = Number(extra, 0, 2);
    const uint64_t size = Number(extra, 2, 2);
    if (size > extra.size() - 4) return Corrupt("an extra field is too long");
    uint64_t at = 4;
    for (uint64_t* value : {&uncompressed, &compressed, &local_offset}) {
      if (kind != kZip64Extra || *value != kInExtra) continue;
      if (at + 8 > 4 + size) return Corrupt("a zip64 field is too short");
      *value = Number(extra, at, 8);
      at += 8;
    }
    extra.remove_prefix(4 + size);
  }
  return absl::OkStatus();
}

absl::StatusOr<Entry> ReadEntry(std::string_view file, uint64_t offset) {
  if (!Fits(file, offset, kEntryBytes) || Number(file, offset, 4) != kEntrySignature) {
    return Corrupt("an entry of its directory is not where it should be");
  }
  const uint64_t name_bytes = Number(file, offset + 28, 2);
  const uint64_t extra_bytes = Number(file, offset + 30, 2);
  const uint64_t comment_bytes = Number(file, offset + 32, 2);
  if (!Fits(file, offset + kEntryBytes, name_bytes + extra_bytes + comment_bytes)) return Corrupt("a name is cut");
  Entry entry;
  entry.name = file.substr(offset + kEntryBytes, name_bytes);
  const bool encrypted = (Number(file, offset + 8, 2) & kEncryptedFlag) != 0;
  uint64_t compressed = Number(file, offset + 20, 4);
  entry.bytes = Number(file, offset + 24, 4);
  entry.local_offset = Number(file, offset + 42, 4);
  MP_RETURN_IF_ERROR(ReadZip64(file.substr(offset + kEntryBytes + name_bytes, extra_bytes), entry.bytes, compressed,
                               entry.local_offset));
  if (encrypted || Number(file, offset + 10, 2) != 0 || compressed != entry.bytes) {
    return InvalidArgument(
        "ZIP_COMPRESSED", fmt::format("the archive's member '{}' is compressed or encrypted; torch.save stores plainly",
                                      base::Printable(entry.name)));
  }
  entry.next = offset + kEntryBytes + name_bytes + extra_bytes + comment_bytes;
  return entry;
}

absl::StatusOr<std::string_view> DataOf(std::string_view file, const Entry& entry) {
  if (!Fits(file, entry.local_offset, kLocalBytes) || Number(file, entry.local_offset, 4) != kLocalSignature) {
    return Corrupt(fmt::format("the member '{}' is not where it should be", base::Printable(entry.name)));
  }
  const uint64_t start = entry.local_offset + kLocalBytes + Number(file, entry.local_offset + 26, 2) +
                         Number(file, entry.local_offset + 28, 2);
  if (!Fits(file, start, entry.bytes)) {
    return Corrupt(fmt::format("the member '{}' goes beyond the file", base::Printable(entry.name)));
  }
  return file.substr(start, entry.bytes);
}

}  // namespace

bool IsZip(std::string_view file) { return file.size() >= 4 && Number(file, 0, 4) == kLocalSignature; }

absl::StatusOr<ZipMembers> ParseZip(std::string_view file) {
  MP_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(file));
  ZipMembers members;
  uint64_t offset = directory.offset;
  for (uint64_t i = 0; i < directory.members; ++i) {
    MP_ASSIGN_OR_RETURN(const Entry entry, ReadEntry(file, offset));
    MP_ASSIGN_OR_RETURN(const std::string_view data, DataOf(file, entry));
    if (!members.emplace(entry.name, data).second) {
      return Corrupt(fmt::format("the member '{}' is there twice", base::Printable(entry.name)));
    }
    offset = entry.next;
  }
  return members;
}

}  // namespace modelpatch::tensor
