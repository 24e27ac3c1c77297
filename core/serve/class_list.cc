#include "core/serve/class_list.h"

#include <span>
#include <string_view>
#include <utility>

#include "core/base/digest.h"

namespace modelpatch::serve {
namespace {

// What an allocation takes beside its content.
constexpr int64_t kAllocationBytes = 16;

// Collects small pieces: a digest costs more for each call than for each byte.
class Digester {
 public:
  void AddInteger(uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) pending_.push_back(static_cast<char>((value >> shift) & 0xff));
  }
  void AddText(std::string_view text) {
    AddInteger(text.size());
    pending_.append(text);
    if (pending_.size() >= kPendingBytes) Flush();
  }
  std::string Finish() {
    Flush();
    return digest_.Finish();
  }

 private:
  static constexpr size_t kPendingBytes = size_t{1} << 16;

  void Flush() {
    digest_.Update(pending_);
    pending_.clear();
  }

  base::Sha256 digest_;
  std::string pending_;
};

std::string DigestOf(std::span<const model::ClassPrompts> classes) {
  Digester digester;
  for (const model::ClassPrompts& one : classes) {
    digester.AddText(one.name);
    digester.AddInteger(one.prompts.size());
    for (const std::string& prompt : one.prompts) digester.AddText(prompt);
  }
  return digester.Finish();
}

std::vector<std::string> NamesOf(std::span<const model::ClassPrompts> classes) {
  std::vector<std::string> names;
  names.reserve(classes.size());
  for (const model::ClassPrompts& one : classes) names.push_back(one.name);
  return names;
}

int64_t BytesOf(const std::string& text) {
  const bool is_inline = text.capacity() <= std::string().capacity();
  return static_cast<int64_t>(sizeof(text)) +
         (is_inline ? 0 : static_cast<int64_t>(text.capacity()) + kAllocationBytes);
}

int64_t BytesOf(std::span<const model::ClassPrompts> classes) {
  int64_t bytes = sizeof(ClassList);
  for (const model::ClassPrompts& one : classes) {
    // The name is there twice.
    bytes += 2 * BytesOf(one.name) + static_cast<int64_t>(sizeof(one.prompts)) + kAllocationBytes;
    for (const std::string& prompt : one.prompts) bytes += BytesOf(prompt);
  }
  return bytes;
}

}  // namespace

ClassList::ClassList(std::vector<model::ClassPrompts> classes)
    : classes_(std::move(classes)), names_(NamesOf(classes_)), digest_(DigestOf(classes_)), bytes_(BytesOf(classes_)) {}

}  // namespace modelpatch::serve
