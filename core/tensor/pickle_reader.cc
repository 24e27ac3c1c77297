#include "core/tensor/pickle_reader.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "core/base/text.h"

namespace modelpatch::tensor {
namespace {

using base::InvalidArgument;
using base::Printable;
using Kind = PickleKind;

// A tensor takes some twenty values; this is room for fifty thousand of them.
constexpr size_t kMaximumValues = 1 << 20;

absl::Status Corrupt(std::string_view what) {
  return InvalidArgument("PICKLE_CORRUPT", fmt::format("the pickle is cut short or damaged: {}", what));
}

class PickleReader {
 public:
  PickleReader(std::string_view input, const std::function<PickleGlobal(std::string_view)>& judge)
      : input_(input), judge_(judge) {}

  absl::StatusOr<PickleTable> Read() {
    while (!stopped_) {
      MP_ASSIGN_OR_RETURN(const uint64_t operation, Unsigned(1));
      MP_RETURN_IF_ERROR(Run(static_cast<char>(operation)));
    }
    if (stack_.size() != 1) return Corrupt("it ends with more than one value");
    return PickleTable{std::move(values_), stack_[0]};
  }

 private:
  absl::Status Run(char operation) {
    switch (operation) {
      case '\x80':  // PROTO
        return Skip(1);
      case '\x95':  // FRAME
        return Skip(8);
      case '.':
        stopped_ = true;
        return absl::OkStatus();
      case '(':
        if (marks_.size() == kMaximumValues) return Corrupt("it has too many marks");
        marks_.push_back(stack_.size());
        return absl::OkStatus();
      case 'N':
      case '\x88':
      case '\x89':
        return Push({});
      case 'G':  // BINFLOAT
        MP_RETURN_IF_ERROR(Skip(8));
        return Push({});
      case 'K':
        return PushInteger(1, /*is_signed=*/false);
      case 'M':
        return PushInteger(2, /*is_signed=*/false);
      case 'J':
        return PushInteger(4, /*is_signed=*/true);
      case '\x8a':
        return PushLong();
      case 'X':
        return PushText(4);
      case '\x8c':
        return PushText(1);
      case '\x8d':
        return PushText(8);
      default:
        return RunOnStack(operation);
    }
  }

  absl::Status RunOnStack(char operation) {
    switch (operation) {
      case ')':
        return Push({.kind = Kind::kTuple});
      case ']':
        return Push({.kind = Kind::kList});
      case '}':
        return Push({.kind = Kind::kDictionary});
      case 't':
        return TupleToMark();
      case '\x85':
      case '\x86':
      case '\x87':
        return TupleOf(static_cast<size_t>(static_cast<uint8_t>(operation)) - 0x84);
      case 'a':
        return AddItems(Kind::kList, 1);
      case 'e':
        return AddItemsToMark(Kind::kList);
      case 's':
        return AddItems(Kind::kDictionary, 2);
      case 'u':
        return AddItemsToMark(Kind::kDictionary);
      case 'c':
        return PushGlobal();
      case '\x93':
        return PushStackGlobal();
      case 'Q':
        return LoadPersistent();
      case 'R':
        return Reduce();
      case '\x81':
        return NewObject();
      case 'b':
        return Build();
      default:
        return RunOnMemo(operation);
    }
  }

  absl::Status RunOnMemo(char operation) {
    switch (operation) {
      case 'q':
        return Memoize(1);
      case 'r':
        return Memoize(4);
      case '\x94':
        return Memoize(0);
      case 'h':
        return Recall(1);
      case 'j':
        return Recall(4);
      default:
        return Corrupt(
            fmt::format("the instruction 0x{:02x} is none that plain values need", static_cast<uint8_t>(operation)));
    }
  }

  // Input.
  absl::StatusOr<uint64_t> Unsigned(int bytes) {
    if (input_.size() < static_cast<size_t>(bytes)) return Corrupt("it ends in the middle");
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(input_[static_cast<size_t>(i)]);
    input_.remove_prefix(static_cast<size_t>(bytes));
    return value;
  }
  absl::Status Skip(int bytes) { return Unsigned(bytes).status(); }
  absl::StatusOr<std::string_view> Line() {
    const size_t newline = input_.find('\n');
    if (newline == std::string_view::npos) return Corrupt("it ends in the middle");
    const std::string_view line = input_.substr(0, newline);
    input_.remove_prefix(newline + 1);
    return line;
  }

  // Values.
  absl::Status Push(PickleValue value) {
    if (values_.size() == kMaximumValues) return Corrupt("it has too many values");
    values_.push_back(std::move(value));
    stack_.push_back(values_.size() - 1);
    return absl::OkStatus();
  }
  absl::Status PushInteger(int bytes, bool is_signed) {
    MP_ASSIGN_OR_RETURN(const uint64_t number, Unsigned(bytes));
    return Push(
        {.kind = Kind::kInteger,
         .integer = is_signed ? static_cast<int32_t>(static_cast<uint32_t>(number)) : static_cast<int64_t>(number)});
  }
  // Two's complement of as many bytes as it takes.
  absl::Status PushLong() {
    MP_ASSIGN_OR_RETURN(const uint64_t bytes, Unsigned(1));
    if (bytes > 8) return Corrupt("an integer has more than 64 bits");
    MP_ASSIGN_OR_RETURN(const uint64_t number, Unsigned(static_cast<int>(bytes)));
    const auto shift = static_cast<int>(64 - 8 * bytes);
    return Push({.kind = Kind::kInteger, .integer = bytes == 0 ? 0 : static_cast<int64_t>(number << shift) >> shift});
  }
  absl::Status PushText(int length_bytes) {
    MP_ASSIGN_OR_RETURN(const uint64_t length, Unsigned(length_bytes));
    if (length > input_.size()) return Corrupt("a text is longer than the pickle");
    PickleValue value{.kind = Kind::kText, .text = std::string(input_.substr(0, length))};
    input_.remove_prefix(length);
    return Push(std::move(value));
  }
  absl::Status PushNamed(std::string_view module, std::string_view name) {
    std::string global = fmt::format("{} {}", module, name);
    if (judge_(global) != PickleGlobal::kRefused) return Push({.kind = Kind::kGlobal, .text = std::move(global)});
    return InvalidArgument(
        "PICKLE_GLOBAL_REFUSED",
        fmt::format("the pickle asks for '{}.{}', which is no part of a state dict; save the model's "
                    "state_dict() alone, or as safetensors",
                    Printable(module), Printable(name)));
  }
  absl::Status PushGlobal() {
    MP_ASSIGN_OR_RETURN(const std::string_view module, Line());
    MP_ASSIGN_OR_RETURN(const std::string_view name, Line());
    return PushNamed(module, name);
  }
  absl::Status PushStackGlobal() {
    MP_ASSIGN_OR_RETURN(const PickleIndex name, Pop(Kind::kText));
    MP_ASSIGN_OR_RETURN(const PickleIndex module, Pop(Kind::kText));
    return PushNamed(std::string(values_[module].text), std::string(values_[name].text));
  }

  // The stack. Nothing below the last mark may be taken.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  absl::StatusOr<PickleIndex> Pop() {
    if (stack_.size() <= floor()) return Corrupt("its stack is empty");
    const PickleIndex top = stack_.back();
    stack_.pop_back();
    return top;
  }
  absl::StatusOr<PickleIndex> Pop(Kind kind) {
    MP_ASSIGN_OR_RETURN(const PickleIndex top, Pop());
    if (values_[top].kind != kind) return Corrupt("a value is of another kind than the instruction takes");
    return top;
  }
  absl::StatusOr<std::vector<PickleIndex>> PopToMark() {
    if (marks_.empty()) return Corrupt("a mark is missing");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleIndex> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }
  absl::StatusOr<std::vector<PickleIndex>> PopSome(size_t count) {
    if (stack_.size() < floor() + count) return Corrupt("its stack is empty");
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<PickleIndex> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    return items;
  }
  absl::Status TupleToMark() {
    MP_ASSIGN_OR_RETURN(std::vector<PickleIndex> items, PopToMark());
    return Push({.kind = Kind::kTuple, .items = std::move(items)});
  }
  absl::Status TupleOf(size_t count) {
    MP_ASSIGN_OR_RETURN(std::vector<PickleIndex> items, PopSome(count));
    return Push({.kind = Kind::kTuple, .items = std::move(items)});
  }
  absl::Status AddItems(Kind kind, size_t count) {
    MP_ASSIGN_OR_RETURN(const std::vector<PickleIndex> items, PopSome(count));
    return Extend(kind, items);
  }
  absl::Status AddItemsToMark(Kind kind) {
    MP_ASSIGN_OR_RETURN(const std::vector<PickleIndex> items, PopToMark());
    return Extend(kind, items);
  }
  absl::Status Extend(Kind kind, const std::vector<PickleIndex>& items) {
    if (stack_.size() <= floor() || values_[stack_.back()].kind != kind ||
        (kind == Kind::kDictionary && items.size() % 2 != 0)) {
      return Corrupt("items are added to what does not hold them");
    }
    std::vector<PickleIndex>& all = values_[stack_.back()].items;
    all.insert(all.end(), items.begin(), items.end());
    return absl::OkStatus();
  }

  absl::Status Memoize(int index_bytes) {
    uint64_t index = memo_.size();
    if (index_bytes > 0) {
      MP_ASSIGN_OR_RETURN(index, Unsigned(index_bytes));
    }
    if (stack_.size() <= floor()) return Corrupt("its stack is empty");
    if (memo_.size() == kMaximumValues) return Corrupt("it keeps too many values");
    memo_[index] = stack_.back();
    return absl::OkStatus();
  }
  absl::Status Recall(int index_bytes) {
    MP_ASSIGN_OR_RETURN(const uint64_t index, Unsigned(index_bytes));
    const auto found = memo_.find(index);
    if (found == memo_.end()) return Corrupt("it recalls what it never kept");
    if (stack_.size() == kMaximumValues) return Corrupt("its stack is too high");
    stack_.push_back(found->second);
    return absl::OkStatus();
  }

  absl::Status LoadPersistent() {
    MP_ASSIGN_OR_RETURN(const PickleIndex id, Pop());
    return Push({.kind = Kind::kPersistent, .items = {id}});
  }
  absl::Status Reduce() {
    MP_ASSIGN_OR_RETURN(const PickleIndex arguments, Pop(Kind::kTuple));
    MP_ASSIGN_OR_RETURN(const PickleIndex callee, Pop(Kind::kGlobal));
    if (judge_(values_[callee].text) != PickleGlobal::kDictionary) {
      return Push({.kind = Kind::kCall, .items = {callee, arguments}});
    }
    if (!values_[arguments].items.empty()) return Corrupt("a dictionary is made of other things than items");
    return Push({.kind = Kind::kDictionary});
  }

  absl::Status NewObject() {
    MP_RETURN_IF_ERROR(Pop(Kind::kTuple).status());
    MP_ASSIGN_OR_RETURN(const PickleIndex object_class, Pop(Kind::kGlobal));
    std::string name = values_[object_class].text;
    if (judge_(name) != PickleGlobal::kClass) return Corrupt("an object is made of what is no class");
    return Push({.kind = Kind::kObject, .text = std::move(name)});
  }

  // The attributes of a dictionary say nothing about its content.
  absl::Status Build() {
    MP_ASSIGN_OR_RETURN(const PickleIndex attributes, Pop());
    if (stack_.size() > floor()) {
      PickleValue& value = values_[stack_.back()];
      if (value.kind == Kind::kObject) value.items = {attributes};
      // A call may make an object too, whose attributes are not read.
      if (value.kind == Kind::kObject || value.kind == Kind::kDictionary || value.kind == Kind::kCall) {
        return absl::OkStatus();
      }
    }
    return Corrupt("attributes are set on what has none");
  }

  std::string_view input_;
  const std::function<PickleGlobal(std::string_view)>& judge_;
  std::vector<PickleValue> values_;
  std::vector<PickleIndex> stack_;
  std::vector<size_t> marks_;
  std::map<uint64_t, PickleIndex> memo_;
  bool stopped_ = false;
};

}  // namespace

absl::StatusOr<PickleTable> ReadPickle(std::string_view pickle,
                                       const std::function<PickleGlobal(std::string_view global)>& judge) {
  return PickleReader(pickle, judge).Read();
}

}  // namespace modelpatch::tensor
