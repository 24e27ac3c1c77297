// UnigramModel: the most probable way to cut a text into pieces of a vocabulary, each with its log probability.
//
// Immutable, thread-safe. Source: Kudo 2018, "Subword Regularization"; ties, unknown characters and byte pieces as in
// Hugging Face's tokenizers, models/unigram/model.rs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::model {

struct UnigramPiece {
  std::string text;
  double score = 0;  // a log probability
};

class UnigramModel {
 public:
  // A piece's id is its place. With `byte_fallback` an unknown text becomes its bytes' pieces <0x00> … <0xFF>, where
  // all of them are there. INVALID_ARGUMENT: VOCABULARY_EMPTY, VOCABULARY_TOO_LARGE (more than 2^22 pieces),
  // VOCABULARY_INVALID (an empty or too long piece, a score that is not finite, an unknown id that is no piece's),
  // VOCABULARY_DUPLICATE.
  static absl::StatusOr<UnigramModel> Make(std::vector<UnigramPiece> pieces, int64_t unknown_id, bool byte_fallback);

  // Appends the ids of `text` (valid UTF-8). A character that is no piece costs the lowest score minus 10; unknown
  // neighbours become one id. The cost is linear in the text.
  void Encode(std::string_view text, std::vector<int32_t>& ids) const;

  // The id of a piece.
  std::optional<int32_t> Find(std::string_view piece) const;
  const std::vector<UnigramPiece>& pieces() const { return pieces_; }

 private:
  // The best path that ends somewhere.
  struct Node {
    double score = 0;
    size_t begin = 0;
    int32_t id = -1;  // -1: no path yet
  };

  absl::Status Check() const;
  absl::Status Sort();
  // Continues the best path to `begin` with every piece that `text` has there, and with the unknown character.
  void Extend(std::string_view text, size_t begin, std::vector<Node>& nodes) const;
  // Appends the ids of what no single piece of the path covers, or is the unknown piece.
  void AppendUnknown(std::string_view text, std::vector<int32_t>& ids) const;

  std::vector<UnigramPiece> pieces_;
  // The ids in the order of the pieces' bytes, and where those start that begin with a byte.
  std::vector<int32_t> sorted_;
  std::array<size_t, 257> first_byte_begin_ = {};
  int32_t unknown_id_ = 0;
  double unknown_score_ = 0;
  bool byte_fallback_ = false;
};

}  // namespace modelpatch::model
