// Pieces against a search through every way to cut a text, on random small vocabularies.
#include "core/model/unigram_model.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int32_t kUnknown = 0;

using Pieces = std::vector<UnigramPiece>;

// All ways to cut an ASCII text into pieces, and into unknown characters where no piece is one; the ids of the best,
// several where they are equally good.
class AllCuts {
 public:
  AllCuts(const Pieces& pieces, double unknown_score) : pieces_(pieces), unknown_score_(unknown_score) {}

  std::set<std::vector<int32_t>> Best(const std::string& text) {
    best_.clear();
    best_score_ = -std::numeric_limits<double>::infinity();
    Extend(text, 0.0, {});
    return best_;
  }

 private:
  void Extend(const std::string& rest, double score, const std::vector<int32_t>& ids) {
    constexpr double kEqual = 1e-9;
    if (rest.empty()) {
      if (score > best_score_ + kEqual) best_.clear();
      if (score > best_score_ - kEqual) best_.insert(ids);
      best_score_ = std::max(best_score_, score);
      return;
    }
    bool has_character = false;
    for (size_t id = 0; id < pieces_.size(); ++id) {
      const std::string& piece = pieces_[id].text;
      if (!rest.starts_with(piece)) continue;
      std::vector<int32_t> longer = ids;
      longer.push_back(static_cast<int32_t>(id));
      Extend(rest.substr(piece.size()), score + pieces_[id].score, longer);
      has_character = has_character || piece.size() == 1;
    }
    if (has_character) return;
    std::vector<int32_t> longer = ids;
    if (longer.empty() || longer.back() != kUnknown) longer.push_back(kUnknown);
    Extend(rest.substr(1), score + unknown_score_, longer);
  }

  const Pieces& pieces_;
  const double unknown_score_;
  std::set<std::vector<int32_t>> best_;
  double best_score_ = 0;
};

TEST(UnigramModelTest, FindsTheBestOfAllCuts) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    base::RandomStream random(seed, "unigram");
    std::map<std::string, double> vocabulary;
    const uint64_t count = 2 + random.Below(10);
    while (vocabulary.size() < count) {
      std::string piece;
      for (uint64_t i = 0; i <= random.Below(4); ++i) piece += static_cast<char>('a' + random.Below(3));
      vocabulary[piece] = random.Normal() * 3 - 4;
    }
    Pieces pieces = {{"<unk>", 0.0}};
    double lowest = 0.0;
    for (const auto& [text, score] : vocabulary) {
      pieces.push_back({text, score});
      lowest = std::min(lowest, score);
    }
    ASSERT_OK_AND_ASSIGN(const UnigramModel model, UnigramModel::Make(pieces, kUnknown, false));
    AllCuts cuts(pieces, lowest - 10);
    for (int i = 0; i < 10; ++i) {
      std::string text;
      for (uint64_t k = random.Below(9); k > 0; --k) text += static_cast<char>('a' + random.Below(4));
      std::vector<int32_t> ids;
      model.Encode(text, ids);
      EXPECT_THAT(cuts.Best(text), ::testing::Contains(ids)) << "seed " << seed << ", text " << text;
    }
  }
}

TEST(UnigramModelTest, UnknownBytesFallBackToTheirPieces) {
  Pieces pieces = {{"<unk>", 0}, {"a", -1}, {"<0xC3>", -5}, {"<0xA9>", -5}};
  ASSERT_OK_AND_ASSIGN(const UnigramModel model, UnigramModel::Make(pieces, kUnknown, true));
  std::vector<int32_t> ids;
  model.Encode("a\u00e9a", ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 2, 3, 1}));
  ids.clear();
  model.Encode("a\u00eaa", ids);  // U+00EA's second byte is no piece
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 0, 1}));
}

TEST(UnigramModelTest, ALongTextIsNoWeapon) {
  Pieces pieces = {{"<unk>", 0}};
  for (size_t length = 1; length <= 64; ++length) pieces.push_back({std::string(length, 'a'), -1.0});
  ASSERT_OK_AND_ASSIGN(const UnigramModel model, UnigramModel::Make(std::move(pieces), kUnknown, false));
  std::vector<int32_t> ids;
  model.Encode(std::string(size_t{1} << 16, 'a'), ids);
  EXPECT_EQ(ids.size(), (size_t{1} << 16) / 64);
}

TEST(UnigramModelTest, RefusesBadVocabularies) {
  const auto make = [](Pieces pieces, int64_t unknown) {
    return UnigramModel::Make(std::move(pieces), unknown, false);
  };
  EXPECT_THAT(make({}, 0), FailsWith(kInvalid, "VOCABULARY_EMPTY"));
  EXPECT_THAT(make({{"a", 0}}, 1), FailsWith(kInvalid, "VOCABULARY_INVALID"));
  EXPECT_THAT(make({{"a", 0}}, -1), FailsWith(kInvalid, "VOCABULARY_INVALID"));
  EXPECT_THAT(make({{"a", 0}, {"b", 0}, {"a", 1}}, 0), FailsWith(kInvalid, "VOCABULARY_DUPLICATE"));
  EXPECT_THAT(make({{"a", std::numeric_limits<double>::infinity()}}, 0), FailsWith(kInvalid, "VOCABULARY_INVALID"));
  EXPECT_THAT(make({{"a", std::numeric_limits<double>::quiet_NaN()}}, 0), FailsWith(kInvalid, "VOCABULARY_INVALID"));
  EXPECT_THAT(make({{std::string(2000, 'a'), 0}}, 0), FailsWith(kInvalid, "VOCABULARY_INVALID"));
}

}  // namespace
}  // namespace modelpatch::model
