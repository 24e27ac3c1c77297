// ClassList: the classes that a request asks for, with what is derived from them once for all requests that share them.
//
// Immutable once made, so thread-safe; shared by pointer, since thousands of class names are not copied for each image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/class_prompts.h"

namespace modelpatch::serve {

class ClassList {
 public:
  explicit ClassList(std::vector<model::ClassPrompts> classes);

  const std::vector<model::ClassPrompts>& classes() const { return classes_; }
  // Of the classes, in their order.
  const std::vector<std::string>& names() const { return names_; }
  // SHA-256 of all names and prompts in their order, with their lengths and counts: lists with the same digest are
  // equal.
  const std::string& digest() const { return digest_; }
  // Of memory, all that it holds included.
  int64_t bytes() const { return bytes_; }

 private:
  const std::vector<model::ClassPrompts> classes_;
  const std::vector<std::string> names_;
  const std::string digest_;
  const int64_t bytes_;
};

}  // namespace modelpatch::serve
