// The SHA-256 of files and of what goes by in pieces.
//
// Thread safety: a FileDigest belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace modelpatch::client {

class FileDigest {
 public:
  FileDigest();
  ~FileDigest();
  FileDigest(const FileDigest&) = delete;
  FileDigest& operator=(const FileDigest&) = delete;

  void Update(const std::string& bytes);
  // 64 lower-case hexadecimal digits; nothing may be called after it.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct FileContent {
  int64_t bytes = 0;
  std::string sha256;
};

// Of a regular file. INVALID_ARGUMENT if it cannot be read.
absl::StatusOr<FileContent> DigestFile(const std::string& path);

}  // namespace modelpatch::client
