#include "core/model/unigram_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/text.h"
#include "core/model/utf8.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;

constexpr size_t kMaximumPieces = size_t{1} << 22;
// Far above any real piece; it bounds the work at each place of a text.
constexpr size_t kMaximumPieceBytes = 1024;
constexpr double kUnknownPenalty = 10.0;

}  // namespace

absl::StatusOr<UnigramModel> UnigramModel::Make(std::vector<UnigramPiece> pieces, int64_t unknown_id,
                                                bool byte_fallback) {
  UnigramModel model;
  model.pieces_ = std::move(pieces);
  model.byte_fallback_ = byte_fallback;
  MP_RETURN_IF_ERROR(model.Check());
  const auto count = static_cast<int64_t>(model.pieces_.size());
  if (unknown_id < 0 || unknown_id >= count) {
    return InvalidArgument("VOCABULARY_INVALID",
                           fmt::format("the unknown id is {}; the vocabulary has {} pieces", unknown_id, count));
  }
  model.unknown_id_ = static_cast<int32_t>(unknown_id);
  MP_RETURN_IF_ERROR(model.Sort());
  const auto lowest = std::min_element(model.pieces_.begin(), model.pieces_.end(),
                                       [](const UnigramPiece& a, const UnigramPiece& b) { return a.score < b.score; });
  model.unknown_score_ = lowest->score - kUnknownPenalty;
  return model;
}

absl::Status UnigramModel::Check() const {
  if (pieces_.empty()) return InvalidArgument("VOCABULARY_EMPTY", "the vocabulary has no pieces");
  if (pieces_.size() > kMaximumPieces) {
    return InvalidArgument("VOCABULARY_TOO_LARGE", fmt::format("the vocabulary has {} pieces; at most {} are allowed",
                                                               pieces_.size(), kMaximumPieces));
  }
  for (size_t id = 0; id < pieces_.size(); ++id) {
    const UnigramPiece& piece = pieces_[id];
    if (piece.text.empty() || piece.text.size() > kMaximumPieceBytes) {
      return InvalidArgument("VOCABULARY_INVALID", fmt::format("the piece {} has {} bytes; it must have 1 to {}", id,
                                                               piece.text.size(), kMaximumPieceBytes));
    }
    if (!std::isfinite(piece.score)) {
      return InvalidArgument("VOCABULARY_INVALID", fmt::format("the piece '{}' has the score {}; it must be finite",
                                                               base::Printable(piece.text), piece.score));
    }
  }
  return absl::OkStatus();
}

absl::Status UnigramModel::Sort() {
  sorted_.resize(pieces_.size());
  std::iota(sorted_.begin(), sorted_.end(), 0);
  std::sort(sorted_.begin(), sorted_.end(), [&](int32_t a, int32_t b) { return pieces_[a].text < pieces_[b].text; });
  const auto duplicate = std::adjacent_find(sorted_.begin(), sorted_.end(),
                                            [&](int32_t a, int32_t b) { return pieces_[a].text == pieces_[b].text; });
  if (duplicate != sorted_.end()) {
    return InvalidArgument("VOCABULARY_DUPLICATE", fmt::format("the vocabulary has the piece '{}' twice",
                                                               base::Printable(pieces_[*duplicate].text)));
  }
  for (const int32_t id : sorted_) ++first_byte_begin_[static_cast<uint8_t>(pieces_[id].text[0]) + size_t{1}];
  std::partial_sum(first_byte_begin_.begin(), first_byte_begin_.end(), first_byte_begin_.begin());
  return absl::OkStatus();
}

std::optional<int32_t> UnigramModel::Find(std::string_view piece) const {
  const auto found = std::lower_bound(sorted_.begin(), sorted_.end(), piece,
                                      [&](int32_t id, std::string_view text) { return pieces_[id].text < text; });
  if (found == sorted_.end() || pieces_[*found].text != piece) return std::nullopt;
  return *found;
}

void UnigramModel::Extend(std::string_view text, size_t begin, std::vector<Node>& nodes) const {
  const double score_here = nodes[begin].score;
  const size_t character_bytes = CharacterBytes(text[begin]);
  bool has_character = false;
  // In the order in which the reference looks at them, since the first of equals stays.
  const auto offer = [&](size_t end, double score, int32_t id) {
    Node& node = nodes[end];
    if (node.id < 0 || score > node.score) node = {score, begin, id};
  };
  const auto first = static_cast<uint8_t>(text[begin]);
  auto low = sorted_.begin() + static_cast<ptrdiff_t>(first_byte_begin_[first]);
  auto high = sorted_.begin() + static_cast<ptrdiff_t>(first_byte_begin_[first + size_t{1}]);
  // The pieces in [low, high) begin with the `length` bytes from `begin` on; the shortest comes first.
  for (size_t length = 1; low != high; ++length) {
    if (pieces_[*low].text.size() == length) {
      offer(begin + length, pieces_[*low].score + score_here, *low);
      has_character = has_character || length == character_bytes;
      ++low;
    }
    if (begin + length == text.size()) break;
    const auto byte = static_cast<uint8_t>(text[begin + length]);
    const auto byte_of = [&](int32_t id) { return static_cast<uint8_t>(pieces_[id].text[length]); };
    low = std::partition_point(low, high, [&](int32_t id) { return byte_of(id) < byte; });
    high = std::partition_point(low, high, [&](int32_t id) { return byte_of(id) == byte; });
  }
  if (!has_character) offer(begin + character_bytes, unknown_score_ + score_here, unknown_id_);
}

void UnigramModel::AppendUnknown(std::string_view text, std::vector<int32_t>& ids) const {
  if (const std::optional<int32_t> id = Find(text); id.has_value()) return ids.push_back(*id);
  if (byte_fallback_) {
    std::vector<int32_t> bytes;
    for (const char c : text) {
      const auto id = Find(fmt::format("<0x{:02X}>", static_cast<unsigned>(static_cast<uint8_t>(c))));
      if (!id.has_value()) return ids.push_back(unknown_id_);
      bytes.push_back(*id);
    }
    ids.insert(ids.end(), bytes.begin(), bytes.end());
    return;
  }
  ids.push_back(unknown_id_);
}

void UnigramModel::Encode(std::string_view text, std::vector<int32_t>& ids) const {
  std::vector<Node> nodes(text.size() + 1);
  for (size_t begin = 0; begin < text.size(); begin += CharacterBytes(text[begin])) Extend(text, begin, nodes);
  std::vector<size_t> ends;
  for (size_t end = text.size(); end > 0; end = nodes[end].begin) ends.push_back(end);
  size_t unknown_begin = 0;
  size_t unknown_end = 0;
  for (auto it = ends.rbegin(); it != ends.rend(); ++it) {
    const Node& node = nodes[*it];
    const bool is_unknown = node.id == unknown_id_;
    if (is_unknown && unknown_end == 0) unknown_begin = node.begin;
    if (is_unknown) unknown_end = *it;
    const bool is_last = std::next(it) == ends.rend();
    if (unknown_end > 0 && (!is_unknown || is_last)) {
      AppendUnknown(text.substr(unknown_begin, unknown_end - unknown_begin), ids);
      unknown_end = 0;
    }
    if (!is_unknown) ids.push_back(node.id);
  }
}

}  // namespace modelpatch::model
