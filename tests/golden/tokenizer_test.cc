// The tokenizer against OpenAI's: ids of graded strings under the full and a reduced vocabulary, and decoded texts.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/model/bpe_tables.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/text_normalizer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::model {
namespace {

using nlohmann::json;

constexpr uint64_t kMaximumFile = 64 << 20;
constexpr int64_t kContextLength = 77;

class GoldenTokenizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MODELPATCH_TEST_DATA_OR_SKIP(directory, "golden/tokenizer");
    directory_ = directory;
  }

  std::string Read(const std::string& name) const {
    return base::ReadFile(directory_ + "/" + name, kMaximumFile).value();
  }
  json ReadJson(const std::string& name) const { return json::parse(Read(name)); }
  std::unique_ptr<Tokenizer> Load(const std::string& folder) const {
    return MakeBpeTokenizer(Read(folder + "vocab.json"), Read(folder + "merges.txt"), kContextLength).value();
  }

 private:
  std::string directory_;
};

// Of what ftfy did to an entry, mojibake is all that we leave. Latin-1 read as Windows-1252 is what C1 controls become.
bool NeedsMojibakeRepaired(const json& entry) {
  for (const json& step : entry.value("ftfy_steps", json::array())) {
    if (step == "decode:utf-8" || step == "apply:decode_inconsistent_utf8") return true;
  }
  return false;
}

TEST_F(GoldenTokenizerTest, IdsOfEveryStringThatIsNoMojibake) {
  const auto full = Load("");
  const auto small = Load("small_1000/");
  EXPECT_EQ(full->vocabulary_size(), 49408);
  EXPECT_EQ(full->start_of_text_id(), 49406);
  EXPECT_EQ(full->end_of_text_id(), 49407);
  EXPECT_EQ(small->vocabulary_size(), 1514);
  int compared = 0;
  const json golden = ReadJson("tokenizer_golden.json");
  for (const json& entry : golden["entries"]) {
    if (NeedsMojibakeRepaired(entry)) continue;
    ++compared;
    const std::string text = entry["text"];
    SCOPED_TRACE(entry["needs"].get<std::string>() + ": " + text.substr(0, 200));
    EXPECT_EQ(NormalizeText(text).value(), entry["cleaned"].get<std::string>());
    ASSERT_OK_AND_ASSIGN(const TokenizedText tokenized, full->Tokenize(text));
    EXPECT_EQ(tokenized.ids, entry["ids"].get<std::vector<int32_t>>());
    EXPECT_EQ(tokenized.untruncated_length, entry["n_untruncated"].get<int32_t>());
    EXPECT_EQ(tokenized.truncated, entry["n_untruncated"].get<int64_t>() > kContextLength);
    ASSERT_OK_AND_ASSIGN(const TokenizedText reduced, small->Tokenize(text));
    EXPECT_EQ(reduced.ids, entry["ids_vocab1514"].get<std::vector<int32_t>>());
  }
  EXPECT_GE(compared, 245) << "the file has few strings of mojibake";
}

TEST_F(GoldenTokenizerTest, MergesAloneGiveTheSameVocabulary) {
  const std::string merges = Read("merges.txt");
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary full, VocabularyOfMerges(merges, 49408));
  EXPECT_EQ(json::parse(full.vocab_json), ReadJson("vocab.json"));
  // A model with a smaller vocabulary takes the first merges of the same file.
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary small, VocabularyOfMerges(merges, 1514));
  EXPECT_EQ(json::parse(small.vocab_json), ReadJson("small_1000/vocab.json"));
  EXPECT_OK(ParseBpeTables(small.vocab_json, small.merges_txt));
}

TEST_F(GoldenTokenizerTest, DecodedTexts) {
  const auto full = Load("");
  const json golden = ReadJson("decode_golden.json");
  ASSERT_GE(golden.size(), 100u);
  for (const json& entry : golden) {
    EXPECT_EQ(full->Decode(entry["ids"].get<std::vector<int32_t>>()), entry["text"].get<std::string>());
  }
}

}  // namespace
}  // namespace modelpatch::model
