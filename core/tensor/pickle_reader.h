// Reads a pickle into an inert table of values. Nothing is called.
//
// A pickle is a program for a stack machine that can name any Python function and call it. This reader has the stack
// and none of the calls: a call becomes a value that says what would have been called with what, and a name that the
// caller does not allow is refused. Torch-free; thread safety: pure. Source: Python's pickletools, protocols 2 to 5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::tensor {

enum class PickleKind {
  kOther,  // None, true, false, a float
  kInteger,
  kText,
  kTuple,
  kList,
  kDictionary,  // also an OrderedDict
  kGlobal,      // the name of a function or a class
  kPersistent,  // what stands for an object outside the pickle
  kCall,
  kObject,  // an instance of a class, which is not loaded
};

// A value by its place in the table, so that no nesting, however deep, recurses.
using PickleIndex = size_t;

struct PickleValue {
  PickleKind kind = PickleKind::kOther;
  int64_t integer = 0;
  // Of a text; of a global `module name`; of an object its class.
  std::string text;
  // Of a tuple or list; keys and values of a dictionary in turn; of a persistent value its id; of a call the global and
  // the tuple of arguments; of an object its attributes, once they are set.
  std::vector<PickleIndex> items;
};

struct PickleTable {
  std::vector<PickleValue> values;
  PickleIndex root = 0;
};

enum class PickleGlobal { kRefused, kAllowed, kDictionary, kClass };

// `judge` says what to do about a global, named `module name`: a call of a kDictionary without arguments is an empty
// dictionary, and a kClass may have instances. INVALID_ARGUMENT: PICKLE_CORRUPT (cut short, an unknown or senseless
// instruction, more than 2^20 values, marks or kept values), PICKLE_GLOBAL_REFUSED (named).
absl::StatusOr<PickleTable> ReadPickle(std::string_view pickle,
                                       const std::function<PickleGlobal(std::string_view global)>& judge);

}  // namespace modelpatch::tensor
