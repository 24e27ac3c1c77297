#include "client/file_digest.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace modelpatch::client {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

}  // namespace

struct FileDigest::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

FileDigest::FileDigest() : state_(std::make_unique<State>()) {
  EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr);
}
FileDigest::~FileDigest() = default;

void FileDigest::Update(const std::string& bytes) { EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

std::string FileDigest::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(state_->context, digest.data(), &size);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

absl::StatusOr<FileContent> DigestFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  FileDigest digest;
  FileContent content;
  std::string buffer;
  do {
    buffer.resize(kBufferBytes);
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    buffer.resize(static_cast<size_t>(file.gcount()));
    digest.Update(buffer);
    content.bytes += static_cast<int64_t>(buffer.size());
  } while (!buffer.empty());
  if (file.bad()) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  content.sha256 = digest.Finish();
  return content;
}

}  // namespace modelpatch::client
